"""A report is attributed by our own token in the address that it came to."""

import pytest

from newsletter.audience.keys import Keys
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.feedback.classify import classify
from newsletter.feedback.model import FeedbackKind

BOUNCE = (
    "Subject: failure notice\nFrom: MAILER-DAEMON@mta.example\n\n<anna@reader.example>:\n550 x\n"
)

SIGNER = TokenSigner(Keys(signing=b"signing key of the tests, 32 byte", suppression=b"s" * 32))
STRANGER = TokenSigner(Keys(signing=b"another key of the tests, 32 byt", suppression=b"s" * 32))
OURS = Token(TokenPurpose.BOUNCE, proof=False, subscriber_uid=7, campaign_id=3)


def bounce_to(local: str, header: str = "Delivered-To") -> bytes:
    return f"{header}: <bounces+{local}@news.clinic.example>\n{BOUNCE}".encode()


@pytest.mark.parametrize("header", ["Delivered-To", "X-Original-To", "Envelope-To", "To"])
def test_our_token_is_read_from_the_envelope_address(header):
    report = classify(bounce_to(SIGNER.sign_local(OURS), header), SIGNER)
    assert (report.kind, report.token) == (FeedbackKind.BOUNCE, OURS)


def test_a_token_is_read_in_upper_case():
    assert classify(bounce_to(SIGNER.sign_local(OURS).upper()), SIGNER).token == OURS


@pytest.mark.parametrize(
    "local",
    [
        STRANGER.sign_local(OURS),
        SIGNER.sign_local(Token(TokenPurpose.UNSUBSCRIBE, False, 7, 3)),
        SIGNER.sign_local(OURS)[:-1] + "7",
        "x" * 39,
        "",
    ],
    ids=["foreign", "other purpose", "changed", "scrap", "none"],
)
def test_other_tokens_are_not_accepted(local):
    assert classify(bounce_to(local), SIGNER).token is None


def test_a_token_in_the_text_is_not_accepted():
    raw = BOUNCE + f"\nbounces+{SIGNER.sign_local(OURS)}@news.clinic.example\n"
    assert classify(raw.encode(), SIGNER).token is None


def test_without_keys_no_token_is_accepted():
    assert classify(bounce_to(SIGNER.sign_local(OURS))).token is None
