"""A set of reasons not to be mailed has one name, whoever asks: an import, a snapshot, an offer.

All subsets are tried, of people who are still on the list and of people who left it since.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from newsletter.audience.address import address_hash
from newsletter.audience.importing.importer import import_csv
from newsletter.audience.mailability import SkipReason, first_reason
from newsletter.audience.model import SubscriptionState, SuppressionReason
from newsletter.audience.tables import mailing_list, subscriber, subscription, suppression
from newsletter.campaign.snapshot import AudienceSelection, skips, take_snapshot
from newsletter.campaign.subscriber_history import show
from newsletter.delivery.ledger.attempts import insert_chunk
from newsletter.delivery.ledger.chunks import plan
from newsletter.delivery.ledger.leases import claim, reserve_batch
from newsletter.delivery.ledger.states import ChunkKind, ChunkState
from newsletter.delivery.ledger.tables import attempt, campaign, delivery
from newsletter.store.engine import Store
from tests.integration.campaign.test_freeze import AT, KEYS, issue, start

LIST = AudienceSelection("readers")
SUPPRESSIONS = [
    frozenset(some)
    for some in chain.from_iterable(
        combinations(SuppressionReason, size) for size in range(len(SuppressionReason) + 1)
    )
]


@dataclass(frozen=True)
class Person:
    """One subscriber; ``lost`` is the row of theirs that goes after the audience was frozen."""

    number: int
    suppressed: frozenset[SuppressionReason]
    state: SubscriptionState = SubscriptionState.ACTIVE
    paused: bool = False
    has_the_issue: bool = False
    lost: str = ""

    @property
    def email(self) -> str:
        return f"reader{self.number}@mail.example"

    @property
    def hashed(self) -> bytes:
        return address_hash(self.email, KEYS)

    def as_row(self) -> dict[str, Any]:
        names = {"uid": 1000 + self.number, "email": self.email, "email_key": self.email}
        times = {"created_at": AT, "updated_at": AT}
        return {"id": self.number, "address_hash": self.hashed, **names, **times}

    def now(self) -> set[str]:
        """Why they are not mailed, as long as nothing of theirs is lost."""
        found: set[str] = set(self.suppressed)
        found |= {SkipReason.PAUSED} if self.paused else set()
        found |= {SkipReason.UNCONFIRMED} if self.state is SubscriptionState.PENDING else set()
        found |= self._left_list()
        return found

    def frozen(self) -> set[str]:
        return self.now() | ({SkipReason.ALREADY_SENT} if self.has_the_issue else set())

    def offered(self) -> set[str]:
        lost = {"subscriber": SkipReason.ERASED, "subscription": SkipReason.UNSUBSCRIBED}
        return self.now() | ({lost[self.lost]} if self.lost else set())

    def imported(self) -> set[str]:
        return set(self.suppressed) | self._left_list()

    def _left_list(self) -> set[str]:
        left = self.state is SubscriptionState.UNSUBSCRIBED
        return {SkipReason.UNSUBSCRIBED} if left else set()


def everyone() -> Iterator[Person]:
    both = (False, True)
    there = product(SUPPRESSIONS, SubscriptionState, both, both, [""])
    lost = product(
        SUPPRESSIONS, [SubscriptionState.ACTIVE], both, [False], ["subscriber", "subscription"]
    )
    for number, facts in enumerate(chain(there, lost), start=1):
        yield Person(number, *facts)


PEOPLE = list(everyone())


def name(found: set[str]) -> str:
    return first_reason(found) or ""


@pytest.fixture
def campaign_id(store: Store) -> int:
    """Everyone has their reasons now; the campaign's audience was frozen before they had any."""
    with store.write() as connection:
        connection.execute(insert(mailing_list).values(id=1, name="readers", created_at=AT))
        connection.execute(insert(subscriber), [each.as_row() for each in PEOPLE])
        times = {"created_at": AT, "updated_at": AT}
        subscribed = {"list_id": 1, "state": SubscriptionState.ACTIVE, **times}
        connection.execute(
            insert(subscription), [{**subscribed, "subscriber_id": each.number} for each in PEOPLE]
        )
    # A campaign of the issue that some have, and one of another that is under way.
    earlier, sending = start(store, issue()), start(store, issue(slug="summer"))
    with store.write() as connection:
        take_snapshot(connection, earlier, LIST, issue(), again=False)
        _accept(connection, earlier, [each.number for each in PEOPLE if each.has_the_issue])
        take_snapshot(connection, sending, LIST, issue(slug="summer"), again=False)
        connection.execute(update(campaign).where(campaign.c.id == sending).values(state="sending"))
        plan(connection, sending)
        suppressed = [
            {"address_hash": each.hashed, "reason": reason, "source": "tests", "at": AT}
            for each in PEOPLE
            for reason in each.suppressed
        ]
        connection.execute(insert(suppression), suppressed)
        paused = subscriber.c.id.in_([each.number for each in PEOPLE if each.paused])
        later = time.time() + 3600
        connection.execute(update(subscriber).where(paused).values(paused_until=later))
        for state in SubscriptionState:
            theirs = [each.number for each in PEOPLE if each.state is state]
            connection.execute(
                update(subscription)
                .where(subscription.c.subscriber_id.in_(theirs))
                .values(state=state)
            )
    return sending


def _accept(connection: Connection, campaign_id: int, positions: list[int]) -> None:
    done = {"kind": ChunkKind.FIRST, "state": ChunkState.DONE}
    place = {"first": 1, "last": len(PEOPLE), "offered": len(PEOPLE)}
    chunk_id = insert_chunk(connection, campaign_id, {**place, **done})
    alike = {"campaign_id": campaign_id, "chunk_id": chunk_id, "result": "accepted", "at": AT}
    connection.execute(insert(attempt), [{**alike, "position": each} for each in positions])


def test_before_the_snapshot_in_it_and_in_an_import(
    store: Store, campaign_id: int, tmp_path: Path
) -> None:
    assert campaign_id
    with store.read() as connection:
        assert skips(connection, LIST) == Counter(name(each.now()) for each in PEOPLE)
    again = start(store, issue())
    with store.write() as connection:
        take_snapshot(connection, again, LIST, issue(), again=False)
        rows = connection.execute(
            select(delivery.c.position, delivery.c.skipped).where(delivery.c.campaign_id == again)
        )
        frozen = {row.position: row.skipped for row in rows}
    assert frozen == {each.number: name(each.frozen()) for each in PEOPLE}
    file = tmp_path / "readers.csv"
    file.write_text("\n".join(["email", *(each.email for each in PEOPLE)]), encoding="utf-8")
    report = import_csv(store, KEYS, file, list_name="readers", source="csv", dry_run=True)
    counted = Counter({"unsubscribed": report.already_unsubscribed, **report.suppressed})
    counted[""] = report.added + report.unchanged
    assert counted == Counter(name(each.imported()) for each in PEOPLE)


def test_what_is_shown_of_every_pair(store: Store, campaign_id: int) -> None:
    assert campaign_id
    pairs = [each for each in PEOPLE if len(each.now()) <= 2 and not each.has_the_issue]
    shown = {each.number: show(store, each.email, KEYS)["not_mailed"] for each in pairs}
    expected = {each.number: name(each.now()) for each in pairs}
    assert shown == {
        number: {"readers": reason} if reason else {} for number, reason in expected.items()
    }


def test_just_before_each_is_offered(store: Store, campaign_id: int) -> None:
    with store.write() as connection:
        for table, column in ((subscriber, "id"), (subscription, "subscriber_id")):
            lost = [each.number for each in PEOPLE if each.lost == table.name]
            connection.execute(delete(table).where(table.c[column].in_(lost)))
    offered: dict[int, str] = {}
    while lease := claim(store, campaign_id, "tests"):
        found = reserve_batch(store, lease, len(PEOPLE))
        assert found.exhausted
        offered |= dict(found.skipped) | {each.position: "" for each in found.deliveries}
    assert offered == {each.number: name(each.offered()) for each in PEOPLE}
