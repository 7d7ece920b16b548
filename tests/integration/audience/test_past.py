"""A reader learns which issues were meant for them, and what became of each; on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select, update

from newsletter.audience.consent.preferences import change_address, pause
from newsletter.audience.subscribers import Consent, find
from newsletter.audience.times import iso
from newsletter.campaign.subscriber_history import show
from newsletter.database.erasure import erase
from newsletter.delivery.ledger.tables import attempt, chunk, delivery
from newsletter.feedback.event import EventKind
from newsletter.smtp_replies.classify import ReplyClass
from newsletter.store.engine import Store
from tests.integration.feedback.conftest import KEYS, Sent, fill


@pytest.fixture
def sent(store: Store) -> Sent:
    return fill(store)


def data(sent: Sent, address: str) -> dict[str, Any]:
    return show(sent.store, address, KEYS)


def test_an_issue_stands_there_with_its_time_and_outcome(sent: Sent) -> None:
    sent.apply(
        sent.event("a", EventKind.BOUNCED, 1, verdict=ReplyClass.SOFT),
        sent.event("forged", EventKind.BOUNCED, 1, position=2),
    )
    known = data(sent, sent.address(1))
    (one,) = known["deliveries"]
    assert one == {
        "issue": "s",
        "list": "readers",
        "campaign": 1,
        "outcome": "accepted",
        "at": iso(sent.now - 1),
    }
    assert [(each["kind"], each["verdict"]) for each in known["reports"]] == [
        ("bounced", "temporary")
    ]
    assert [each["action"] for each in known["consent"]] == ["subscribed-active"]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"result": "failed"}, "failed"),
        ({"result": "uncertain"}, "uncertain"),
        ({"result": "returned"}, "queued"),
        ({"result": "skipped", "reply": "unsubscribed"}, "skipped: unsubscribed"),
    ],
)
def test_every_end_has_its_name(sent: Sent, changes: dict[str, str], outcome: str) -> None:
    with sent.store.write() as connection:
        connection.execute(update(attempt).where(attempt.c.position == 2).values(**changes))
    assert [each["outcome"] for each in data(sent, sent.address(2))["deliveries"]] == [outcome]


def test_what_was_accepted_once_stays_so_and_else_the_last_attempt_counts(sent: Sent) -> None:
    with sent.store.write() as connection:
        later = {"campaign_id": 1, "kind": "retry", "first": 1, "last": 1, "offered": 1}
        connection.execute(insert(chunk).values(id=2, state="done", **later))
        for position in (1, 2):
            again = {"campaign_id": 1, "position": position, "chunk_id": 2, "at": sent.now}
            connection.execute(insert(attempt).values(**again, result="failed"))
        connection.execute(
            update(attempt)
            .where(attempt.c.position == 2, attempt.c.chunk_id == 1)
            .values(result="deferred")
        )
    assert data(sent, sent.address(1))["deliveries"][0]["outcome"] == "accepted"
    assert data(sent, sent.address(2))["deliveries"][0]["outcome"] == "failed"


def test_who_was_skipped_from_the_start_learns_why(sent: Sent) -> None:
    with sent.store.write() as connection:
        connection.execute(
            update(delivery).where(delivery.c.position == 3).values(skipped="paused")
        )
        connection.execute(attempt.delete().where(attempt.c.position == 3))
        person = find(connection, sent.address(3))
        assert person is not None
        pause(connection, person, sent.now + 50, Consent("tests", sent.now))
    known = data(sent, sent.address(3))
    assert known["deliveries"][0]["outcome"] == "skipped: paused"
    assert known["paused_until"] == iso(sent.now + 50)
    assert data(sent, sent.address(2))["paused_until"] is None


def test_mail_to_a_former_address_is_theirs_too_and_nobody_elses(sent: Sent) -> None:
    with sent.store.write() as connection:
        person = find(connection, sent.address(4))
        assert person is not None
        change_address(connection, person, "new@mail.example", KEYS, Consent("tests", sent.now))
    assert len(data(sent, "new@mail.example")["deliveries"]) == 1
    assert data(sent, "stranger@mail.example")["deliveries"] == []


def test_who_is_erased_is_erased_under_a_former_address_too(sent: Sent) -> None:
    with sent.store.write() as connection:
        person = find(connection, sent.address(4))
        assert person is not None
        change_address(connection, person, "new@mail.example", KEYS, Consent("tests", sent.now))
    assert erase(sent.store, "new@mail.example", KEYS, by="tests")
    with sent.store.read() as connection:
        kept = list(connection.execute(select(delivery.c.email, delivery.c.email_key)))
    assert sum(not email for email, _ in kept) == 1
    assert all(sent.address(4) not in (email, key) for email, key in kept)
