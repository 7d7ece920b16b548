"""A report proves itself by our own token in the address that it came to."""

import pytest

from newsletter.audience.keys import Keys
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.feedback.classify import classify
from newsletter.feedback.model import FeedbackKind

NOTICE = (
    "Subject: failure notice\nFrom: MAILER-DAEMON@mta.example\n\n<anna@reader.example>:\n550 x\n"
)

SIGNER = TokenSigner(Keys(signing=b"signing key of the tests, 32 byte", suppression=b"s" * 32))
STRANGER = TokenSigner(Keys(signing=b"another key of the tests, 32 byt", suppression=b"s" * 32))
OURS = Token(TokenPurpose.BOUNCE, proof=False, subscriber_uid=7, campaign_id=3)


def notice_to(local: str, header: str = "Delivered-To") -> bytes:
    return f"{header}: <bounces+{local}@news.clinic.example>\n{NOTICE}".encode()


@pytest.mark.parametrize("header", ["Delivered-To", "X-Original-To", "Envelope-To", "To"])
def test_our_token_proves_the_report(header):
    report = classify(notice_to(SIGNER.sign_local(OURS), header), SIGNER)
    assert (report.kind, report.token) == (FeedbackKind.BOUNCE, OURS)


def test_case_may_change_on_the_way():
    assert classify(notice_to(SIGNER.sign_local(OURS).upper()), SIGNER).token == OURS


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
def test_nothing_else_does(local):
    assert classify(notice_to(local), SIGNER).token is None


def test_a_token_in_the_text_proves_nothing():
    raw = NOTICE + f"\nbounces+{SIGNER.sign_local(OURS)}@news.clinic.example\n"
    assert classify(raw.encode(), SIGNER).token is None


def test_without_keys_nothing_is_proved():
    assert classify(notice_to(SIGNER.sign_local(OURS))).token is None
