"""Tokens: short, unforgeable, for one purpose."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.keys import Keys
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner

KEYS = Keys(b"s" * 32, b"x" * 32)
SIGNER = TokenSigner(KEYS)
tokens = st.builds(
    Token,
    st.sampled_from(TokenPurpose),
    st.booleans(),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**32 - 1),
)


@given(tokens)
def test_a_token_says_what_was_signed(token: Token) -> None:
    assert SIGNER.verify(SIGNER.sign(token), token.purpose) == token
    assert SIGNER.verify(SIGNER.sign_local(token), token.purpose) == token


@given(tokens)
def test_forms(token: Token) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", SIGNER.sign(token))
    assert re.fullmatch(r"[a-z2-7]{39}", SIGNER.sign_local(token))


@given(tokens, st.randoms(use_true_random=False))
def test_the_local_form_survives_any_change_of_case(token: Token, random: object) -> None:
    text = SIGNER.sign_local(token)
    mixed = "".join(random.choice((c.lower(), c.upper())) for c in text)  # type: ignore[attr-defined]
    assert SIGNER.verify(mixed, token.purpose) == token


@given(tokens)
def test_a_token_is_worthless_for_another_purpose(token: Token) -> None:
    other = next(purpose for purpose in TokenPurpose if purpose is not token.purpose)
    assert SIGNER.verify(SIGNER.sign(token), other) is None
    assert SIGNER.verify(SIGNER.sign_local(token), other) is None


@given(tokens, st.data())
def test_one_changed_character_is_enough(token: Token, data: st.DataObject) -> None:
    for text, alphabet in (
        (SIGNER.sign(token), string.ascii_letters + string.digits + "-_"),
        (SIGNER.sign_local(token), string.ascii_lowercase + "234567"),
    ):
        place = data.draw(st.integers(0, len(text) - 1))
        other = data.draw(st.sampled_from([c for c in alphabet if c != text[place]]))
        assert SIGNER.verify(text[:place] + other + text[place + 1 :], token.purpose) is None


@given(tokens, st.integers(0, 38))
def test_a_truncated_token_is_none(token: Token, length: int) -> None:
    assert SIGNER.verify(SIGNER.sign(token)[: min(length, 31)], token.purpose) is None
    assert SIGNER.verify(SIGNER.sign_local(token)[:length], token.purpose) is None


@given(tokens)
def test_the_url_form_heeds_case(token: Token) -> None:
    text = SIGNER.sign(token)
    if text.swapcase() != text:
        assert SIGNER.verify(text.swapcase(), token.purpose) is None


@given(st.text() | st.text(string.ascii_letters + string.digits + "-_", min_size=32, max_size=39))
def test_garbage_is_none(text: str) -> None:
    assert SIGNER.verify(text, TokenPurpose.UNSUBSCRIBE) is None


@given(tokens)
def test_old_keys_verify_and_foreign_keys_do_not(token: Token) -> None:
    rotated = TokenSigner(Keys(b"n" * 32, b"x" * 32, old_signing=(b"o" * 32, KEYS.signing)))
    assert rotated.verify(SIGNER.sign(token), token.purpose) == token
    assert rotated.sign(token) != SIGNER.sign(token)
    assert SIGNER.verify(rotated.sign(token), token.purpose) is None


@pytest.mark.parametrize(("uid", "campaign"), [(-1, 0), (2**64, 0), (0, 2**32)])
def test_numbers_that_do_not_fit_are_refused(uid: int, campaign: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        SIGNER.sign(Token(TokenPurpose.BOUNCE, False, uid, campaign))


@given(tokens, st.integers(0, 2**32 - 1))
def test_the_mac_of_a_message_id_is_of_one_delivery_only(token: Token, position: int) -> None:
    mac = SIGNER.sign_delivery(token, position)
    assert len(mac) * 8 >= 80
    assert SIGNER.verify_delivery(mac, token, position)
    assert not SIGNER.verify_delivery(mac, token, position ^ 1)
    for other in (
        token._replace(subscriber_uid=token.subscriber_uid ^ 1),
        token._replace(campaign_id=token.campaign_id ^ 1),
        token._replace(proof=not token.proof),
    ):
        assert not SIGNER.verify_delivery(mac, other, position)
    assert not SIGNER.verify_delivery(mac[:-1], token, position)
    assert not SIGNER.verify_delivery(b"", token, position)


@given(tokens, st.integers(0, 2**32 - 1))
def test_a_mac_outlives_its_key_and_foreign_keys_do_not_count(token: Token, position: int) -> None:
    mac = SIGNER.sign_delivery(token, position)
    rotated = TokenSigner(Keys(b"n" * 32, b"x" * 32, old_signing=(b"o" * 32, KEYS.signing)))
    assert rotated.verify_delivery(mac, token, position)
    assert rotated.sign_delivery(token, position) != mac
    assert not SIGNER.verify_delivery(rotated.sign_delivery(token, position), token, position)


@pytest.mark.parametrize("position", [-1, 2**32])
def test_a_position_that_does_not_fit_is_refused(position: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        SIGNER.sign_delivery(Token(TokenPurpose.BOUNCE, False, 1, 1), position)


def test_a_verp_address_keeps_within_its_limit() -> None:
    token = Token(TokenPurpose.BOUNCE, False, 2**63 - 1, 2**32 - 1)
    assert len("bounces+" + SIGNER.sign_local(token)) <= 64
