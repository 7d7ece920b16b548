"""Figures of a campaign say what the fates of its deliveries say, on both databases."""

import csv
import io
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from newsletter.campaign.report.csv_rows import COLUMNS, write_csv
from newsletter.delivery.ledger import statistics
from newsletter.delivery.ledger.outcomes import DeliveryOutcome, count_outcomes, delivery_outcomes
from newsletter.delivery.ledger.tables import attempt, delivery
from newsletter.delivery.model import Delivery, Outcome, Result
from newsletter.smtp_replies.classify import ReplyClass
from newsletter.store.engine import Store
from newsletter.transports.memory import MemoryTransport, accept
from tests.integration.delivery.campaigns import EAGER, freeze, run

PEOPLE, SKIPPED = 120, 5
NO_SUCH_USER = (550, "5.1.1", '5.1.1 =SUM(A1) says "no such user"')
BLOCKED = (554, "5.7.1", "5.7.1 blocked: poor\r\nreputation")


def domain(position: int) -> str:
    return f"host{position % 30}.example" if position % 3 else "big.example"


def mixed(each: Delivery, tries: int) -> Outcome:
    if each.position % 20 == 0:
        return Outcome(each.position, Result.FAILED, *NO_SUCH_USER)
    if each.position == 7:
        return Outcome(each.position, Result.FAILED, *BLOCKED)
    if each.position == 8:
        return Outcome(each.position, Result.UNCERTAIN)
    if each.position % 11 == 0 and tries < 3:
        return Outcome(each.position, Result.DEFERRED, 451, "4.7.1", "greylisted")
    return accept(each, tries)


@pytest.fixture
def sent(store: Store, tmp_path: Path) -> int:
    """A campaign with something of everything, its attempts a minute apart each."""
    campaign_id = freeze(store, PEOPLE, skipped=SKIPPED, chunk=50)
    with store.write() as connection:
        for position in range(1, PEOPLE + 1):
            address = f"-reader{position}@{domain(position)}"
            connection.execute(
                update(delivery)
                .where(delivery.c.position == position)
                .values(email=address, email_key=address)
            )
    transport = MemoryTransport(mixed)
    run(store, campaign_id, transport, tmp_path, limits=EAGER)
    with store.write() as connection:
        connection.execute(update(attempt).values(at=6000 + 60 * attempt.c.chunk_id))
    return campaign_id


def fates(connection: Connection, campaign_id: int) -> list[DeliveryOutcome]:
    return list(delivery_outcomes(connection, campaign_id))


def test_domains_add_up_to_the_tally(store: Store, sent: int) -> None:
    with store.read() as connection:
        found, number = statistics.domains(connection, sent, limit=100)
        top, _ = statistics.domains(connection, sent, limit=3)
        known = fates(connection, sent)
        counts = count_outcomes(connection, sent)
    expected = Counter((f.email.split("@")[1], f.state) for f in known if f.state != "skipped")
    assert number == len({name for name, _ in expected}) == len(found)
    for each in found:
        for state in ("accepted", "deferred", "failed", "uncertain"):
            assert getattr(each, state) == expected[each.domain, state], (each.domain, state)
    assert sum(each.mailable for each in found) == PEOPLE - SKIPPED
    assert sum(each.accepted for each in found) == counts.accepted
    assert top == found[:3]
    assert top[0].domain == "big.example"


def test_minutes_and_attempts_count_everybody_once(store: Store, sent: int) -> None:
    with store.read() as connection:
        minutes = statistics.accepted_by_minute(connection, sent)
        attempts = statistics.by_attempts(connection, sent)
        known = fates(connection, sent)
        counts = count_outcomes(connection, sent)
    assert sum(minutes.values()) == counts.accepted
    assert all(start % 60 == 0 for start in minutes)
    assert len(minutes) > 3, "retries come later than first attempts"
    assert attempts == dict(Counter(fate.attempts for fate in known if fate.attempts))
    assert set(attempts) == {1, 3}


def test_problems_are_listed_in_order_up_to_the_limit(store: Store, sent: int) -> None:
    with store.read() as connection:
        listed = list(statistics.problems(connection, sent, limit=100))
        first = list(statistics.problems(connection, sent, limit=2))
    assert [(each.position, each.state) for each in listed] == [
        (7, "failed"),
        (8, "uncertain"),
        *((position, "failed") for position in range(20, 116, 20)),
    ]
    assert first == listed[:2]
    assert (listed[0].code, listed[0].status) == BLOCKED[:2]


def test_refusals_of_a_whole_campaign_are_classed(store: Store, sent: int) -> None:
    with store.read() as connection:
        found = statistics.refusals(connection, sent)
    assert found.classes == {
        ReplyClass.HARD: 5,
        ReplyClass.BLOCK: 1,
        ReplyClass.SOFT: 2 * 10,
    }
    assert found.policy_reply == "554 5.7.1 blocked: poor reputation"


def test_who_put_mail_off_longest_comes_first(store: Store, sent: int) -> None:
    with store.read() as connection:
        found = statistics.waits(connection, sent, limit=4)
        put_off = connection.execute(
            select(attempt.c.position).where(attempt.c.result == "deferred").distinct()
        ).scalars()
        names = {domain(position) for position in put_off}
    assert 0 < len(found) <= 4
    assert {each.domain for each in found} <= names
    assert [each.longest for each in found] == sorted(
        (each.longest for each in found), reverse=True
    )
    assert all(0 < each.mean <= each.longest for each in found)


def test_the_csv_has_a_row_for_everybody_and_no_formula(store: Store, sent: int) -> None:
    out = io.StringIO(newline="")
    with store.read() as connection:
        write_csv(connection, sent, out)
        known = fates(connection, sent)
    rows = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["position"]) for row in rows] == list(range(1, PEOPLE + 1))
    for row, fate in zip(rows, known, strict=True):
        assert row["address"] == f"'{fate.email}", "it starts with a minus"
        assert (row["state"], row["attempts"]) == (fate.state, str(fate.attempts))
        assert (row["last_at"] == "") == (fate.at is None)
    assert rows[19]["reason"] == "hard"
    assert rows[6]["reason"] == "policy"
    assert rows[-1]["reason"] == "bounced"
    assert rows[-1]["reply"] == ""


def test_everybody_is_there_before_anybody_was_mailed(store: Store) -> None:
    campaign_id = freeze(store, 3)
    with store.read() as connection:
        found, number = statistics.domains(connection, campaign_id, limit=20)
        assert (number, found[0].mailable, found[0].accepted) == (1, 3, 0)
        assert statistics.accepted_by_minute(connection, campaign_id) == {}
        assert statistics.by_attempts(connection, campaign_id) == {}
        assert statistics.waits(connection, campaign_id, limit=10) == []
        assert statistics.refusals(connection, campaign_id).policy_reply == ""
