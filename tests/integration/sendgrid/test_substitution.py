"""The provider's substitution gives the same mail as rendering the slots directly."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from newsletter.audience.keys import Keys
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.delivery.model import Delivery
from newsletter.render.model import UNSUBSCRIBE_TOKEN, Part, Slot, SlotKind
from newsletter.render.slots import preview_part
from tests.integration.sendgrid.conftest import MakeBench
from tests.integration.sendgrid.sending import readers
from tests.support.sendgrid_fake import FakeSendGrid
from tests.unit.delivery.issues import SIGNER, UNSUBSCRIBE, compiled, composer, name

SITE = Slot("site", SlotKind.URL, "https://clinic.example/")
SITE_TEXT = Slot("site", SlotKind.TEXT_URL, "https://clinic.example/")
QUERY = Slot("first_name", SlotKind.URL_PART)
HOSTILE = ["<b>", "&amp;", '"', "'", "{{ x }}", "%name%", "-name-", "[unsubscribe]", "\r\n", "\0"]
HOSTILE += ["<%asm_group_unsubscribe_url%>", "😀", "é", "مريم", "\\u0041", "\\", "]}"]
hostile = st.lists(
    st.one_of(
        st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    ),
    max_size=6,
).map("".join)
ISSUE = compiled(
    subject=Part(("For ", ": the neck – ", ""), (name(SlotKind.TEXT), name(SlotKind.TEXT))),
    html=Part(
        ("<p title='", "'>Dear ", ',</p>\n<a href="', '">-</a><a href="https://a.example/?n=', '">',
         "</a>\n"),
        (name(SlotKind.HTML), name(SlotKind.HTML), SITE, QUERY, UNSUBSCRIBE),
    ),
    text=Part(
        ("Dear ", ",\n\n", "\nLeave: https://clinic.example/u/", "\n"),
        (name(SlotKind.TEXT), SITE_TEXT, UNSUBSCRIBE),
    ),
)  # fmt: skip
COMPOSER = composer(ISSUE)


@given(names=st.lists(hostile, min_size=1, max_size=8), site=hostile)
@example(names=["", "x" * 2000], site="https://x.example/a b?c=é")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_recipients_get_what_direct_rendering_gives(
    bench: MakeBench, server: FakeSendGrid, names: Sequence[str], site: str
) -> None:
    server.sent.clear()
    batch = [
        Delivery(7, n, 1000 + n, f"r{n}@mail.example", 0, {"first_name": each, "site": site})
        for n, each in enumerate(names, start=1)
    ]
    bench().send(batch, COMPOSER)
    sent = {one.to: one for one in server.sent}
    for delivery in batch:
        token = SIGNER.sign(Token(TokenPurpose.UNSUBSCRIBE, False, delivery.subscriber_uid, 7))
        values = {**delivery.values, UNSUBSCRIBE_TOKEN: token}
        variant = ISSUE.variants[0]
        got = sent[delivery.email]
        assert got.subject == preview_part(variant.subject, values)
        assert got.html == preview_part(variant.html, values)
        assert got.text == preview_part(variant.text, values)
        assert got.headers["List-Unsubscribe"] == f"<https://clinic.example/u/{token}>"


def test_no_key_is_left_in_the_mail(bench: MakeBench, server: FakeSendGrid) -> None:
    bench().send(readers(3), COMPOSER)
    for one in server.sent:
        keys = one.call["personalizations"][0]["substitutions"]
        assert not any(key in one.subject + one.html + one.text for key in keys)


def test_keys_cannot_be_guessed_from_the_article() -> None:
    other = composer(ISSUE, signer=TokenSigner(Keys(b"t" * 32, b"p" * 32)))
    mine, others = (each.personal(readers(1)[0]).substitutions for each in (COMPOSER, other))
    assert len(mine) == len(others) == 6
    assert not mine.keys() & others.keys()


def test_the_prefix_of_test_mails_precedes_the_subject(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    bench().send(readers(1), composer(compiled(), subject_prefix="[TEST] "))
    assert server.sent[0].subject == "[TEST] For Maria: migraine – the neck"


def test_headers_allow_unsubscribing_and_nothing_is_tracked(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    bench().send(readers(2))
    one = server.sent[1]
    assert one.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert one.headers["List-Id"].endswith("<newsletter.clinic.example>")
    tracking = one.call["tracking_settings"]
    for kind in ("click_tracking", "open_tracking", "subscription_tracking", "ganalytics"):
        assert tracking[kind]["enable"] is False
    assert tracking["click_tracking"]["enable_text"] is False
    assert one.call["from"]["email"] == "newsletter@clinic.example"
    assert one.call["reply_to"] == {"email": "office@clinic.example"}


def test_fields_that_sendgrid_keeps_identify_nobody(bench: MakeBench, server: FakeSendGrid) -> None:
    bench().send(readers(2))
    assert [one.custom_args for one in server.sent] == [
        {"campaign": "7", "position": "1"},
        {"campaign": "7", "position": "2"},
    ]
    assert "categories" not in json.loads(server.bodies[0])


@pytest.mark.parametrize("address", ["josé@mail.example", "two\r\n@mail.example", "a b@x.example"])
def test_an_unsupported_address_fails_alone(
    bench: MakeBench, server: FakeSendGrid, address: str
) -> None:
    batch = [*readers(1), Delivery(7, 2, 2, address, 0, {}), *readers(1, first=3)]
    outcomes = bench().send(batch)
    assert [outcomes[n].result.value for n in (1, 2, 3)] == ["accepted", "failed", "accepted"]
    assert outcomes[2].reply


def test_a_non_ascii_domain_is_sent_as_ascii(bench: MakeBench, server: FakeSendGrid) -> None:
    bench().send([Delivery(7, 1, 1, "ana@bücher.example", 0, {})])
    assert server.sent[0].to == "ana@xn--bcher-kva.example"
