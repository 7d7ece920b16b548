"""Returned mail, from each kind of source: only attributed mail has consequences."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from pathlib import Path

import pytest

from newsletter.audience.keys import Keys
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.delivery.model import Delivery
from newsletter.feedback.intake import IntakeSummary, MailIntake
from newsletter.feedback.mailbox_files import read_messages
from tests.integration.feedback.conftest import DIGEST, HOLD_AFTER, KEYS, SIGNER, Sent
from tests.unit.delivery.issues import compiled, composer

OLD = Keys(b"the signing key before, 32 bytes", KEYS.suppression)
NOW = Keys(KEYS.signing, KEYS.suppression, (OLD.signing,))


def bounce(
    to: str = "bounces@news.clinic.example",
    about: str = "reader2@mail.example",
    said: str = "550 5.1.1 unknown user",
    message_id: str = "",
) -> bytes:
    returned = f"Received: x\nMessage-ID: {message_id}\nSubject: News\n" if message_id else ""
    return (
        f"Delivered-To: {to}\nFrom: MAILER-DAEMON@mta.example\nSubject: failure notice\n\n"
        f"Hi. This is the mail program at mta.example.\n\n<{about}>:\n"
        f"Remote host said: {said}\n\n--- Below this line is a copy of the message.\n\n{returned}"
    ).encode()


def verp(sent: Sent, position: int, *, proof: bool = False, signer: TokenSigner = SIGNER) -> str:
    token = Token(TokenPurpose.BOUNCE, proof, sent.row(position).subscriber_uid, 1)
    return f"bounces+{signer.sign_local(token)}@news.clinic.example"


def message_id(
    sent: Sent, position: int, keys: Keys = KEYS, *, digest: str = DIGEST, **options: object
) -> str:
    """As the composer writes it: live, and of campaign 1 by default."""
    issue = replace(compiled(), digest=digest)
    compose = composer(issue, **{"campaign_id": 1, "signer": TokenSigner(keys), **options})
    row = sent.row(position)
    message = compose(Delivery(1, position, row.subscriber_uid, row.email, 0, {}))
    return str(message_from_bytes(message.data)["Message-ID"])


def read(sent: Sent, *messages: bytes, keys: Keys = NOW) -> IntakeSummary:
    return MailIntake(sent.store, keys, hold_after=HOLD_AFTER).read(messages)


def test_a_token_attributes_whatever_address_the_bounce_names(sent):
    summary = read(sent, bounce(verp(sent, 2), about="forwarded@elsewhere.example"))
    assert (summary.events, summary.suppressed, summary.unverified) == ({"bounced": 1}, 1, 0)
    assert sent.suppressed(2) == {"bounced"}


@pytest.mark.parametrize("keys", [KEYS, OLD], ids=["this key", "a former key"])
def test_a_message_id_attributes_to_the_address_of_its_delivery(sent, keys):
    read(sent, bounce(message_id=message_id(sent, 2, keys)))
    assert sent.suppressed(2) == {"bounced"}


def test_everything_else_is_recorded_and_changes_nothing(sent):
    stranger = TokenSigner(Keys(b"x" * 32, KEYS.suppression))
    summary = read(
        sent,
        bounce(),
        bounce(verp(sent, 2, proof=True)),
        bounce(verp(sent, 2, signer=stranger)),
        bounce(message_id=message_id(sent, 3)),
        bounce(message_id="<another.program@clinic.example>"),
    )
    assert (summary.messages, summary.unverified, summary.suppressed) == (5, 5, 0)
    assert not any(sent.suppressed(position) for position in (1, 2, 3))


def test_a_complaint_and_an_unsubscribe_request(sent):
    arf = (
        "From: fbl@provider.example\nSubject: complaint\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n"
        "User-Agent: x\nOriginal-Rcpt-To: reader1@mail.example\n\n"
        f"--b\nContent-Type: message/rfc822\n\nMessage-ID: {message_id(sent, 1)}\n\nx\n--b--\n"
    )
    request = (
        "From: reader4@mail.example\nSubject: unsubscribe\n"
        f"In-Reply-To: {message_id(sent, 4)}\n\nplease\n"
    )
    summary = read(sent, arf.encode(), request.encode(), b"Subject: Hello\n\nA letter.\n")
    assert summary.kinds == {"complaint": 2, "other": 1}
    assert (sent.suppressed(1), sent.suppressed(4)) == ({"complained"}, {"unsubscribed"})


def test_soft_bounces_on_five_days_suppress(sent):
    full = [
        f"Date: {day:02} Jan 2026 10:00:00 +0000\n".encode()
        + bounce(verp(sent, 2), said="452 4.2.2 mailbox full")
        for day in range(1, 6)
    ]
    read(sent, *full[:4])
    assert not sent.suppressed(2)
    read(sent, *full)
    assert sent.suppressed(2) == {"bounced"}


def test_after_an_interrupted_run_the_next_does_the_rest(sent):
    mails = [b"X-Number: %d\n" % n + bounce(verp(sent, 1 + n % 4)) for n in range(150)]

    def broken():
        yield from mails[:120]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MailIntake(sent.store, KEYS, hold_after=0).read(broken())
    assert sent.count() == 100
    summary = read(sent, *mails)
    assert (summary.repeated, sent.count()) == (100, 150)


def test_a_message_is_recognized_from_every_source(sent, tmp_path: Path):
    mails = [bounce(verp(sent, position)) for position in (1, 2, 3)]
    mails[0] += b"\nFrom here on it is text\n"
    maildir = tmp_path / "Maildir"
    for folder in ("new", "cur", "tmp"):
        (maildir / folder).mkdir(parents=True)
    (maildir / "new" / "1.host").write_bytes(mails[0].replace(b"\n", b"\r\n"))
    (maildir / "cur" / "2.host:2,S").write_bytes(mails[1])
    (maildir / "cur" / "3.host:2,S").write_bytes(mails[2])
    (maildir / "tmp" / "4.host").write_bytes(b"half a mess")
    mbox = tmp_path / "mbox"
    stamp = b"From MAILER-DAEMON Mon Jan  5 10:00:00 2026\n"
    escaped = [mail.replace(b"\nFrom here", b"\n>From here") for mail in mails]
    mbox.write_bytes(b"".join(stamp + mail + b"\n" for mail in escaped))
    single = tmp_path / "one.eml"
    single.write_bytes(mails[2])
    before = sorted(path.name for path in maildir.rglob("*"))

    assert read(sent, *read_messages(str(maildir))).suppressed == 3
    again = read(sent, *read_messages(str(mbox)))
    assert (again.messages, again.suppressed) == (3, 0)
    assert read(sent, *read_messages(str(single))).repeated == 1
    assert sorted(path.name for path in maildir.rglob("*")) == before
