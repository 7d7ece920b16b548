"""Whatever a delivery has been through, `status`, its CSV and `subscribers show` tell the same."""

from __future__ import annotations

import csv
import io
from collections import Counter
from contextlib import nullcontext
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from newsletter.audience.address import address_hash
from newsletter.campaign.report.csv_rows import write_csv
from newsletter.campaign.report.domains import domain_figures
from newsletter.campaign.report.events import afterwards
from newsletter.campaign.status import status
from newsletter.campaign.subscriber_history import show
from newsletter.campaign.tables import compiled_issue
from newsletter.delivery.ledger.attempts import insert_chunk
from newsletter.delivery.ledger.outcomes import DeliveryState, taken_or_uncertain
from newsletter.delivery.ledger.sending_lock import sending_lock
from newsletter.delivery.ledger.states import CampaignState, ChunkKind, ChunkState
from newsletter.delivery.ledger.tables import attempt, campaign, chunk_member, delivery
from newsletter.store.engine import Store
from tests.integration.feedback.conftest import DIGEST, KEYS

WAITING, OFFERED = "waiting", "offered"
"""A chunk that nobody has claimed; one whose owner has offered it, and has no answer yet."""
RESULTS = ("accepted", "deferred", "failed", "uncertain", "returned", "skipped")
FIRST = (WAITING, OFFERED, *RESULTS)
SECOND = ("", WAITING, OFFERED, *RESULTS)
"""The second chunk is there only where the first is done; empty: there is none."""
HISTORIES = [
    ("frozen", ""),
    *((first, "") for first in FIRST),
    *(each for each in product(RESULTS, SECOND[1:]) if each[0] in {"deferred", "returned"}),
]
FROZEN, LATE = "bounced", "unsubscribed"
NOW = 1_790_000_000.0


def address(position: int) -> str:
    return f"reader{position}@{'big' if position % 3 else f'host{position}'}.example"


def fill(store: Store, *, alive: bool, state: CampaignState) -> None:
    """One campaign with a recipient for each history, whose chunks are their own."""
    with store.write() as connection:
        lease_until = store.now(connection) + (60 if alive else -60)
        connection.execute(
            insert(compiled_issue).values(digest=DIGEST, slug="s", payload=b"", created_at=NOW)
        )
        connection.execute(
            insert(campaign).values(
                id=1,
                slug="s",
                audience="readers",
                digest=DIGEST,
                state=state,
                transport="memory",
                created_by="tests",
                created_at=NOW,
                finished_at=NOW + 99 if state is CampaignState.CANCELLED else None,
            )
        )
        for position, (first, second) in enumerate(HISTORIES, start=1):
            connection.execute(insert(delivery).values(_delivery(position, first)))
            _went(connection, position, ChunkKind.FIRST, first, lease_until)
            if second:
                kind = ChunkKind.RETRY if first == "deferred" else ChunkKind.RETURNED
                _went(connection, position, kind, second, lease_until)


def _delivery(position: int, first: str) -> dict[str, Any]:
    email = address(position)
    return {
        "campaign_id": 1,
        "position": position,
        "subscriber_uid": position,
        "email": email,
        "email_key": email,
        "address_hash": address_hash(email, KEYS),
        "first_name": "",
        "last_name": "",
        "attributes": {},
        "variant": 0,
        "skipped": FROZEN if first == "frozen" else "",
    }


def _went(
    connection: Connection, position: int, kind: ChunkKind, how: str, lease_until: float
) -> None:
    """A chunk of this recipient alone, and how far they have come in it."""
    states = {WAITING: ChunkState.READY, OFFERED: ChunkState.LEASED}
    first = position if kind is ChunkKind.FIRST else 1
    chunk_id = insert_chunk(
        connection,
        1,
        {
            "kind": kind,
            "first": first,
            "last": first,
            "offered": first - 1 if how == WAITING else first,
            "state": states.get(how, ChunkState.DONE),
            "lease_until": lease_until if how == OFFERED else 0,
        },
    )
    if kind is not ChunkKind.FIRST:
        member = {"chunk_id": chunk_id, "index": 1, "position": position}
        connection.execute(insert(chunk_member).values(member))
    if how in RESULTS:
        tried = {"campaign_id": 1, "position": position, "chunk_id": chunk_id, "result": how}
        reply = LATE if how == "skipped" else ""
        connection.execute(insert(attempt).values(**tried, reply=reply, at=NOW + chunk_id))


def expected(first: str, second: str, *, alive: bool, cancelled: bool) -> str:
    """The rules in words: the last attempt counts, unless they were offered since."""
    if first == "frozen":
        return f"skipped: {FROZEN}"
    last = second if second not in {"", WAITING, OFFERED} else first
    if OFFERED in {first, second}:
        if not alive:
            return "uncertain"
        # Under way, they are what they were, until the answer comes; and none waits for a retry.
        cancelled, last = False, "returned" if cancelled or last == OFFERED else last
    if last in {"returned", WAITING}:
        return "skipped: cancelled" if cancelled else "queued"
    if last == "deferred" and cancelled:
        return "skipped: cancelled"
    return f"skipped: {LATE}" if last == "skipped" else last


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("state", [CampaignState.SENDING, CampaignState.CANCELLED])
def test_status_csv_domains_and_show_agree(
    store: Store, state: CampaignState, *, alive: bool
) -> None:
    fill(store, alive=alive, state=state)
    cancelled = state is CampaignState.CANCELLED
    want = {
        position: expected(*history, alive=alive, cancelled=cancelled)
        for position, history in enumerate(HISTORIES, start=1)
    }
    # On SQLite, a sender that is alive holds this; on PostgreSQL it renews its lease.
    with sending_lock(store) if alive else nullcontext():
        shown = {
            position: show(store, address(position), KEYS)["deliveries"][0]["outcome"]
            for position in want
        }
        with store.read() as connection:
            counts = status(connection, 1).tally
            domains = domain_figures(connection, 1, counts, afterwards(connection, 1))
            out = io.StringIO()
            write_csv(connection, 1, out)
    assert shown == want
    told = csv.DictReader(io.StringIO(out.getvalue()))
    listed = {
        int(row["position"]): f"skipped: {row['reason']}"
        if row["state"] == "skipped"
        else row["state"]
        for row in told
    }
    assert listed == want
    states = Counter(outcome for outcome in want.values() if not outcome.startswith("skipped"))
    assert {
        name: counts.of(name) for name in DeliveryState if name != "skipped" and counts.of(name)
    } == states
    skipped = Counter(
        outcome.removeprefix("skipped: ") for outcome in want.values() if outcome not in states
    )
    assert dict(counts.skipped) == skipped
    assert counts.audience == len(HISTORIES)
    rows = [*domains.largest, *([domains.others] if domains.others else [])]
    for name in ("accepted", "deferred", "failed", "uncertain"):
        assert sum(getattr(row, name) for row in rows) == states[name], name
        assert all(getattr(row, name) >= 0 for row in rows)


@pytest.mark.parametrize("alive", [True, False])
def test_whoever_may_have_it_counts_as_having_it_in_the_next_snapshot(
    store: Store, *, alive: bool
) -> None:
    fill(store, alive=alive, state=CampaignState.SENDING)
    with store.read() as connection:
        rows = connection.execute(
            delivery.select()
            .with_only_columns(delivery.c.position)
            .where(taken_or_uncertain(delivery))
        )
        found = set(rows.scalars())
    assert found == {
        position
        for position, history in enumerate(HISTORIES, start=1)
        if {"accepted", "uncertain", OFFERED} & set(history)
    }
