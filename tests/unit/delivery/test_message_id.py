"""Message-IDs: written, read back, and told from everything else."""

from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.model import Token, TokenPurpose
from newsletter.delivery.message_id import MessageId, campaign_tag, local_part, read_message_id
from tests.unit.delivery.issues import SIGNER, compiled, composer, reader

ids = st.builds(
    MessageId,
    st.text("0123456789abcdef", min_size=12, max_size=12),
    st.integers(1, 999_999_999),
    st.binary(min_size=11, max_size=11),
)


@given(ids)
def test_what_was_written_is_read_back(message_id: MessageId) -> None:
    local = local_part(*message_id)
    assert read_message_id(f"<{local}@clinic.example>") == message_id
    assert len(local) <= 45


@given(st.text() | st.text("0123456789abcdef.<>@", max_size=60))
def test_whatever_is_read_is_written_the_same(text: str) -> None:
    found = read_message_id(text)
    assert found is None or text.startswith(f"<{local_part(*found)}@")


@given(ids, st.data())
def test_a_piece_of_one_is_none(message_id: MessageId, data: st.DataObject) -> None:
    text = f"<{local_part(*message_id)}@"
    place = data.draw(st.integers(0, len(text) - 1))
    found = read_message_id(text[:place] + text[place + 1 :])
    # A position may lose a digit and still be one: then the MAC is not of it.
    assert found is None or found.position != message_id.position


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<371861fcd930c0c1988f7196.1@clinic.example>",
        f"<371861fcd930c0c1988f7196.1.{'0' * 22}@clinic.example>",
        f"<371861fcd930.0.{'0' * 22}@clinic.example>",
        f"<371861fcd930.٣.{'0' * 22}@clinic.example>",
        f"<371861fcd930.1.{'0' * 22}.x@clinic.example>",
        f"371861fcd930.1.{'0' * 22}@clinic.example",
    ],
)
def test_another_form_is_none(text: str) -> None:
    assert read_message_id(text) is None


def test_the_composer_writes_what_is_proved() -> None:
    message = composer(compiled(), campaign_id=1)(reader(3))
    found = read_message_id(message_from_bytes(message.data)["Message-ID"])
    seal = SIGNER.sign(Token(TokenPurpose.BOUNCE, False, 0, 1))
    assert found is not None
    assert (found.tag, found.position) == (campaign_tag(compiled().digest, seal), 3)
    assert SIGNER.verify_delivery(found.mac, Token(TokenPurpose.BOUNCE, False, 1003, 1), 3)
