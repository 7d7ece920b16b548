"""Unsubscribe requests by mail: carried out where they prove who they are from."""

from __future__ import annotations

import pytest

from newsletter.audience.keys import Keys
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.feedback.open_requests import open_requests
from tests.integration.feedback.conftest import KEYS, SIGNER, Sent
from tests.integration.feedback.test_mail import bounce, message_id, read, verp

STRANGER = TokenSigner(Keys(b"x" * 32, KEYS.suppression))


def letter(
    *, to: str = "news@clinic.example", subject: str = "Re: News", text: str = "", of: int = 9
) -> bytes:
    return (
        f"Delivered-To: {to}\nFrom: Reader <reader{of}@mail.example>\nSubject: {subject}\n"
        f"Date: Mon, 05 Jan 2026 10:00:00 +0000\n\n{text}\n"
    ).encode()


def token(sent: Sent, position: int, *, proof: bool = False, signer: TokenSigner = SIGNER) -> Token:
    return Token(TokenPurpose.UNSUBSCRIBE, proof, sent.row(position).subscriber_uid, 1)


def test_a_token_in_the_address_or_the_subject_is_enough(sent):
    local, plain = SIGNER.sign_local(token(sent, 1)), SIGNER.sign(token(sent, 2))
    summary = read(
        sent,
        letter(to=f"leave+{local.upper()}@clinic.example"),
        letter(subject=f"unsubscribe {plain}"),
        letter(subject=f"Unsubscribe: {SIGNER.sign_local(token(sent, 3))}"),
    )
    assert (summary.suppressed, summary.unverified, summary.asked_to_leave) == (3, 0, 0)
    assert all(sent.suppressed(position) == {"unsubscribed"} for position in (1, 2, 3))


def test_a_word_is_enough_at_the_subscribers_own_bounce_address_or_as_a_reply(sent):
    answer = f"In-Reply-To: {message_id(sent, 2)}\n".encode() + letter(text="STOP\n\n> News", of=2)
    summary = read(sent, letter(to=verp(sent, 1), text="please remove me"), answer)
    assert summary.suppressed == 2
    assert sent.suppressed(2) == {"unsubscribed"}


def test_requests_that_anybody_could_have_written_are_recorded_counted_and_listed(sent):
    forged = STRANGER.sign(token(sent, 1))
    summary = read(
        sent,
        letter(subject="unsubscribe", of=1),
        letter(subject=f"unsubscribe {forged}", of=2),
        letter(subject=f"unsubscribe {SIGNER.sign(token(sent, 3, proof=True))}", of=3),
        letter(text="Unsubscribe me from this list please.", of=4),
        f"In-Reply-To: {message_id(sent, 5)}\n".encode() + letter(text="unsubscribe", of=6),
    )
    assert (summary.suppressed, summary.unverified, summary.asked_to_leave) == (0, 4, 4)
    assert [each.email for each in open_requests(sent.store)] == [
        f"reader{of}@mail.example" for of in (1, 3, 4, 6)
    ]
    assert summary.kinds["other"] == 1, "a mail with a forged token is only a letter"


def test_a_request_leaves_the_list_once_its_address_is_suppressed(sent):
    read(sent, letter(subject="unsubscribe", of=1))
    read(sent, bounce(verp(sent, 1)))
    assert open_requests(sent.store) == []


@pytest.mark.parametrize(
    "text",
    [
        "unsubscribe",
        "Please unsubscribe.",
        "Unsubscribe me from your mailing list, please",
        "please remove me from this list",
        "take me off the list",
        "opt out",
        "Bitte abmelden",
        "Baja, por favor",
        "me désabonner, merci",
    ],
)
def test_a_request_is_recognized_by_its_first_line(sent, text):
    assert read(sent, letter(text=text)).asked_to_leave == 1


@pytest.mark.parametrize(
    "text",
    [
        "How do I unsubscribe my mother from the other list?",
        "Please do not unsubscribe me.",
        "I stopped the tablets after two weeks, was that right?",
        "Please cancel, thanks",
        "Quiero la baja por favor",
        "Remove the appointment on Friday please",
        "Thank you!\n\n> unsubscribe",
        "",
    ],
)
def test_a_letter_that_only_contains_the_word_is_left_for_people(sent, text):
    assert read(sent, letter(text=text)).kinds == {"other": 1}
