"""A Message-ID proves only its own delivery: nobody can derive that of another recipient."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest
from sqlalchemy import insert, select

from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.campaign.tables import compiled_issue
from newsletter.delivery.ledger.tables import campaign, delivery
from tests.integration.feedback.conftest import DIGEST, KEYS, SIGNER, Sent
from tests.integration.feedback.test_mail import bounce, message_id, read, verp
from tests.integration.feedback.test_unsubscribe_requests import STRANGER

OTHER_DIGEST = "e" * 64
Write = Callable[[str, str], bytes]


def report(about: str, name: str) -> bytes:
    """A delivery status notification (RFC 3464)."""
    return (
        "From: MAILER-DAEMON@mta.example\nSubject: Undelivered Mail\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mta.example\n\n"
        f"Final-Recipient: rfc822; {about}\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {name}\nSubject: News\n\n--b--\n"
    ).encode()


def report_by_field(about: str, name: str) -> bytes:
    """The same without the returned message, whose Message-ID is in a field of the report."""
    field = f"X-Original-Message-ID: {name}\nReporting-MTA:".encode()
    told = report(about, name).replace(b"Reporting-MTA:", field)
    return re.sub(rb"(?s)--b\nContent-Type: text/rfc822-headers.*--b--", b"--b--", told)


def text_bounce(about: str, name: str) -> bytes:
    return bounce(about=about, message_id=name)


def complaint(about: str, name: str) -> bytes:
    """A feedback report (RFC 5965)."""
    return (
        "From: fbl@provider.example\nSubject: complaint\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n"
        f"User-Agent: x\nOriginal-Rcpt-To: {about}\n\n"
        f"--b\nContent-Type: message/rfc822\n\nMessage-ID: {name}\n\nx\n--b--\n"
    ).encode()


def request(about: str, name: str) -> bytes:
    return f"From: {about}\nSubject: unsubscribe\nIn-Reply-To: {name}\n\nplease\n".encode()


def request_in_a_thread(about: str, name: str) -> bytes:
    return request(about, name).replace(b"In-Reply-To:", b"References:")


WRITTEN = [report, report_by_field, text_bounce, complaint, request, request_in_a_thread]
each_way = pytest.mark.parametrize("write", WRITTEN, ids=lambda write: write.__name__)


def at(position: int, name: str) -> str:
    """A Message-ID with another position."""
    return re.sub(r"(?<=\.)\d+(?=[.@])", str(position), name, count=1)


def with_mac_of(name: str, other: str) -> str:
    return re.sub(r"[0-9a-f]+(?=@)", re.findall(r"[0-9a-f]+(?=@)", other)[0], name)


def changes_nothing(sent: Sent, *mails: bytes) -> None:
    summary = read(sent, *mails)
    assert (summary.unverified, summary.suppressed) == (len(mails), 0)
    assert not any(sent.suppressed(position) for position in range(1, 7))


@each_way
def test_a_genuine_message_id_attributes(sent: Sent, write: Write) -> None:
    summary = read(sent, write(sent.address(2), message_id(sent, 2)))
    assert (summary.unverified, summary.suppressed) == (0, 1)
    assert [bool(sent.suppressed(position)) for position in (1, 2, 3)] == [False, True, False]


@each_way
def test_a_message_id_says_nothing_about_other_recipients(sent: Sent, write: Write) -> None:
    """Recipient 1 tries every position against recipient 2."""
    own = message_id(sent, 1)
    changes_nothing(sent, *(write(sent.address(2), at(n, own)) for n in range(1, 41)))


@each_way
def test_a_message_id_without_a_mac_attributes_nothing(sent: Sent, write: Write) -> None:
    """As Message-IDs were before they had one."""
    seal = SIGNER.sign(Token(TokenPurpose.BOUNCE, False, 0, 1))
    tag = hashlib.sha256(f"{DIGEST} {seal} ".encode()).hexdigest()
    without = [f"<{tag[:length]}.2@clinic.example>" for length in (12, 24)]
    changes_nothing(sent, *(write(sent.address(2), name) for name in without))


@each_way
def test_a_mac_of_another_campaign_attributes_nothing(sent: Sent, write: Write) -> None:
    second_campaign(sent)
    first = message_id(sent, 2)
    second = message_id(sent, 2, campaign_id=2, digest=OTHER_DIGEST)
    changes_nothing(
        sent,
        write(sent.address(2), with_mac_of(first, second)),
        write(sent.address(2), with_mac_of(second, first)),
    )
    assert read(sent, write(sent.address(2), second)).suppressed == 1


@each_way
def test_a_mac_of_a_test_mail_or_of_another_key_attributes_nothing(
    sent: Sent, write: Write
) -> None:
    genuine = message_id(sent, 2)
    test = message_id(sent, 2, proof=True)
    foreign = message_id(sent, 2, signer=STRANGER)
    forged = [test, with_mac_of(genuine, test), foreign, with_mac_of(genuine, foreign)]
    changes_nothing(sent, *(write(sent.address(2), name) for name in forged))


def test_a_mac_attributes_nothing_to_another_subscriber_in_the_same_position(sent: Sent) -> None:
    """A restored backup may have another audience under the same campaign number."""
    name = message_id(sent, 2)
    with sent.store.write() as connection:
        here = delivery.c.position == 2
        connection.execute(
            delivery.update().where(here).values(subscriber_uid=sent.row(3).subscriber_uid)
        )
    changes_nothing(sent, report(sent.address(2), name))


def test_an_envelope_address_attributes_whatever_message_is_quoted(sent: Sent) -> None:
    old = "<371861fcd930c0c1988f7196.2@clinic.example>"
    read(sent, bounce(verp(sent, 2), message_id=old))
    assert sent.suppressed(2) == {"bounced"}


def test_a_retry_has_the_same_message_id(sent: Sent) -> None:
    names = {message_id(sent, 2, signer=TokenSigner(KEYS), date=date) for date in (1.0, 2.0)}
    assert len(names) == 1


def second_campaign(sent: Sent) -> None:
    """Campaign 2, to the same recipients in the same order."""
    with sent.store.write() as connection:
        issue = {"digest": OTHER_DIGEST, "slug": "t", "payload": b"", "created_at": sent.now}
        connection.execute(insert(compiled_issue).values(**issue))
        first = connection.execute(select(campaign)).one()._asdict()
        connection.execute(
            insert(campaign).values({**first, "id": 2, "slug": "t", "digest": OTHER_DIGEST})
        )
        for row in connection.execute(select(delivery)).all():
            connection.execute(insert(delivery).values({**row._asdict(), "campaign_id": 2}))
