"""What came back is counted once for each delivery, on both databases."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import update

from newsletter.audience.consent.unsubscribe import resubscribe, unsubscribe
from newsletter.audience.model import Token, TokenPurpose
from newsletter.campaign.report.csv_rows import write_csv
from newsletter.campaign.report.domains import FEWEST, domain_figures
from newsletter.campaign.report.events import Afterwards, afterwards, by_minute
from newsletter.database.erasure import erase
from newsletter.delivery.ledger.outcomes import count_outcomes
from newsletter.delivery.ledger.tables import attempt, campaign, delivery
from newsletter.feedback.event import EventKind
from newsletter.smtp_replies.classify import ReplyClass
from newsletter.store.engine import Store
from tests.integration.feedback.conftest import KEYS, Sent, fill

PEOPLE = 12


@pytest.fixture
def sent(store: Store) -> Sent:
    filled = fill(store, PEOPLE)
    with store.write() as connection:
        connection.execute(update(campaign).values(created_at=filled.now - 600))
    return filled


def after(sent: Sent) -> Afterwards:
    with sent.store.read() as connection:
        return afterwards(connection, 1)


def leave(sent: Sent, position: int, campaign_id: int = 1) -> Token:
    token = Token(TokenPurpose.UNSUBSCRIBE, False, sent.row(position).subscriber_uid, campaign_id)
    unsubscribe(sent.store, token, "one-click")
    return token


def test_each_delivery_ends_once_by_its_last_report(sent: Sent) -> None:
    bounced, delivered = EventKind.BOUNCED, EventKind.DELIVERED
    late = {"verdict": ReplyClass.SOFT}
    sent.apply(
        sent.event("late", bounced, 1, at=sent.now - 50, **late),
        sent.event("arrived", delivered, 1, at=sent.now - 40),
        sent.event("taken", delivered, 2, at=sent.now - 50),
        sent.event("returned", bounced, 2, at=sent.now - 40),
        sent.event("returned again", bounced, 2, at=sent.now - 39),
        sent.event("both", delivered, 3),
        sent.event("both, too", EventKind.DROPPED, 3, verdict=ReplyClass.BLOCK),
        sent.event("late and nothing else", bounced, 4, **late),
        sent.event("vague", bounced, 5, verdict=ReplyClass.UNKNOWN),
        sent.event("no end", EventKind.DEFERRED, 6, **late),
        sent.event("spam", EventKind.COMPLAINED, 1),
        sent.event("spam, told twice", EventKind.COMPLAINED, 1),
        sent.event("forged", bounced, 7, email="somebody@mail.example"),
    )
    assert after(sent) == Afterwards(
        delivered=1,
        bounced={
            ReplyClass.HARD: 1,
            ReplyClass.BLOCK: 1,
            ReplyClass.SOFT: 1,
            ReplyClass.UNKNOWN: 1,
        },
        complained=1,
        unsubscribed=0,
        unverified=1,
    )


def test_what_was_never_accepted_ends_as_the_ledger_says(sent: Sent) -> None:
    sent.apply(sent.event("odd", EventKind.BOUNCED, 2))
    with sent.store.write() as connection:
        connection.execute(update(attempt).where(attempt.c.position == 2).values(result="failed"))
    assert after(sent).all_bounced == 0


def test_leaving_counts_for_the_campaign_whose_link_was_used(sent: Sent) -> None:
    leave(sent, 1)
    leave(sent, 1)
    token = leave(sent, 2)
    leave(sent, 3, campaign_id=2)
    sent.apply(sent.event("by the provider", EventKind.UNSUBSCRIBED, 4))
    assert after(sent).unsubscribed == 3
    resubscribe(sent.store, token, "page")
    assert after(sent).unsubscribed == 3
    erase(sent.store, sent.address(1), KEYS, by="tests")
    assert after(sent).unsubscribed == 2, "an erased reader's consent says no campaign any more"


def test_minutes_hold_everything_and_nothing_before_the_campaign(sent: Sent) -> None:
    sent.apply(
        sent.event("a", EventKind.DELIVERED, 1, at=sent.now - 120),
        sent.event("b", EventKind.BOUNCED, 2, at=5.0),
        sent.event("c", EventKind.BOUNCED, 3, at=sent.now - 400_000),
        sent.event("d", EventKind.COMPLAINED, 4, at=sent.now - 60),
    )
    leave(sent, 5)
    with sent.store.read() as connection:
        found = by_minute(connection, 1)
    assert {kind: sum(minutes.values()) for kind, minutes in found.items()} == {
        "delivered": 1,
        "bounced": 2,
        "complained": 1,
        "unsubscribed": 1,
    }
    assert list(found["bounced"]) == [int(sent.now - 600) // 60 * 60]


def test_domains_add_up_and_a_small_one_is_not_named(sent: Sent) -> None:
    alone, small = "me@my-own-name.example", FEWEST - 1
    with sent.store.write() as connection:
        for position in range(1, small + 1):
            address = f"reader{position}@small.example" if position > 1 else alone
            connection.execute(
                update(delivery).where(delivery.c.position == position).values(email_key=address)
            )
    sent.apply(
        sent.event("a", EventKind.DELIVERED, 1),
        sent.event("b", EventKind.BOUNCED, 2),
        sent.event("c", EventKind.DELIVERED, 9),
        sent.event("d", EventKind.COMPLAINED, 9),
    )
    with sent.store.read() as connection:
        found = domain_figures(
            connection, 1, count_outcomes(connection, 1), afterwards(connection, 1)
        )
    (named,), others = found.largest, found.others
    assert found.count == 3
    assert named.as_json() == {
        "domain": "mail.example",
        "mailable": PEOPLE - small,
        "accepted": PEOPLE - small,
        "deferred": 0,
        "failed": 0,
        "uncertain": 0,
        "delivered": 1,
        "bounced": 0,
        "complained": 1,
    }
    assert others is not None
    assert (others.mailable, others.delivered, others.bounced) == (small, 1, 1)


def test_the_csv_says_it_for_each(sent: Sent) -> None:
    sent.apply(
        sent.event("a", EventKind.DELIVERED, 2),
        sent.event("b", EventKind.BOUNCED, 5),
        sent.event("c", EventKind.COMPLAINED, 1),
        sent.event("d", EventKind.COMPLAINED, 5),
    )
    out = io.StringIO(newline="")
    with sent.store.read() as connection:
        write_csv(connection, 1, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    told = [(row["reported"], row["bounce"], row["complained"]) for row in rows]
    nothing = ("", "", "")
    assert told[:6] == [
        ("", "", "yes"),
        ("delivered", "", ""),
        nothing,
        nothing,
        ("bounced", "hard", "yes"),
        nothing,
    ]
    assert set(told[6:]) == {nothing}
