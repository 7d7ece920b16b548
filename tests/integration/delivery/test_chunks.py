"""Chunks in the hands of several workers, on a real database."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from newsletter.delivery.ledger import leases
from newsletter.delivery.ledger.chunks import due_chunks, is_done, plan
from newsletter.delivery.ledger.journal import FileJournal
from newsletter.delivery.ledger.leases import Lease, claim, release, reserve_batch
from newsletter.delivery.ledger.outcomes import OutcomeCounts
from newsletter.delivery.ledger.recover import recover
from newsletter.delivery.ledger.tables import chunk, delivery
from newsletter.delivery.model import Outcome, Result
from newsletter.delivery.runner.batch_sizer import BatchSizer
from newsletter.delivery.runner.live_counts import LiveCounts
from newsletter.delivery.runner.runner import Sending, claim_chunk, run_chunk
from newsletter.errors import UnavailableError
from newsletter.store.engine import Store
from newsletter.transports.memory import MemoryTransport
from tests.integration.delivery.campaigns import compose, counts, freeze, owner_died, set_state

POSTGRES = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)


def due(store: Store, transport: str = "memory") -> list[int]:
    with store.read() as connection:
        return due_chunks(connection, transport, store.now(connection))


def test_a_chunk_that_is_handed_out_twice_is_sent_once(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 40, chunk=20)
    transport = MemoryTransport()

    async def work(chunk_id: int) -> bool:
        claimed = await asyncio.to_thread(
            claim_chunk, store, tmp_path, campaign_id, "t", chunk_id=chunk_id
        )
        if claimed is None:
            return False
        sending = Sending(
            store,
            transport,
            compose,
            tmp_path,
            asyncio.Event(),
            BatchSizer(10),
            LiveCounts(OutcomeCounts(), None),
        )
        await run_chunk(sending, claimed)
        sending.close()
        return True

    async def main() -> list[bool]:
        first, second = due(store)
        return await asyncio.gather(*(work(each) for each in (first, first, second, second)))

    assert sum(asyncio.run(main())) == 2
    assert sorted(position for position, _ in transport.sent) == list(range(1, 41))
    assert due(store) == []
    with store.read() as connection:
        assert is_done(connection, campaign_id)


def test_only_what_may_be_claimed_is_due(store: Store) -> None:
    campaign_id = freeze(store, 6, chunk=3)
    first, second = due(store)
    assert due(store, "smtp") == []
    lease = claim(store, campaign_id, "t", chunk_id=second)
    assert lease is not None
    assert lease.chunk_id == second
    assert claim(store, campaign_id, "u", chunk_id=second) is None
    assert due(store) == [first]
    set_state(store, campaign_id, "paused")
    assert due(store) == []
    assert claim(store, campaign_id, "u", chunk_id=first) is None


@pytest.mark.parametrize(("audience", "size"), [(10, 500), (48_000, 2000), (1_000_000, 5000)])
@POSTGRES
def test_many_workers_can_share_an_audience(store: Store, audience: int, size: int) -> None:
    campaign_id = freeze(store, 1, chunk=1)
    with store.write() as connection:
        connection.execute(chunk.delete())
        connection.execute(delivery.update().values(position=audience))
        plan(connection, campaign_id)
        longest = connection.execute(select(func.max(chunk.c.last - chunk.c.first + 1))).scalar()
    assert longest == min(size, audience)


@POSTGRES
def test_who_died_on_this_host_is_not_waited_for(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 6)
    lease = claim(store, campaign_id, "dead")
    assert lease is not None
    journal = FileJournal(tmp_path / lease.journal, lease.origin)
    reserve_batch(store, lease, 4)
    journal.begun(1)
    journal.replied(Outcome(1, Result.ACCEPTED, 250))
    journal.begun(2)

    recover(store, tmp_path)
    recover(store, tmp_path / "of another host")
    assert due(store) == []

    journal.close(remove=False)
    recover(store, tmp_path / "of another host")
    assert due(store) == []
    recover(store, tmp_path)
    assert due(store) == [lease.chunk_id]
    result = counts(store, campaign_id)
    assert (result.accepted, result.uncertain, result.queued) == (1, 1, 4)


@POSTGRES
def test_who_died_before_its_first_offer_is_not_waited_for(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 6)
    claimed = claim_chunk(store, tmp_path, campaign_id, "dead")
    assert claimed
    assert claim_chunk(store, tmp_path, campaign_id, "next") is None
    recover(store, tmp_path)
    assert due(store) == []
    claimed.journal.close(remove=False)
    recover(store, tmp_path)
    assert due(store) == [claimed.lease.chunk_id]
    assert list(tmp_path.iterdir()) == []


@POSTGRES
def test_nobody_sees_a_lease_before_its_journal(store: Store) -> None:
    campaign_id = freeze(store, 6)
    seen = []

    def begin(_lease: Lease) -> None:
        with store.read() as other:
            seen.append(other.execute(select(chunk.c.state)).scalar_one())

    assert claim(store, campaign_id, "tests", begin=begin)
    assert seen == ["ready"]


@POSTGRES
def test_a_claim_whose_answer_was_lost_is_not_waited_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = freeze(store, 6)

    def answer_lost(*args: Any, **kwargs: Any) -> None:
        claim(*args, **kwargs)
        raise UnavailableError("the database went away")

    monkeypatch.setattr(leases, "claim", answer_lost)
    with pytest.raises(UnavailableError, match="went away"):
        claim_chunk(store, tmp_path, campaign_id, "tests")
    assert due(store) == []
    recover(store, tmp_path)
    assert len(due(store)) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_journal_nothing_is_claimed(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 6)
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="journal"):
        claim_chunk(store, tmp_path / "file", campaign_id, "tests")
    assert len(due(store)) == 1


@POSTGRES
def test_replies_that_could_not_be_stored_count_when_the_lease_is_lost(
    store: Store, tmp_path: Path
) -> None:
    campaign_id = freeze(store, 4)
    lease = claim(store, campaign_id, "cut off")
    assert lease is not None
    journal = FileJournal(tmp_path / lease.journal, lease.origin)
    reserve_batch(store, lease, 3)
    for position in (1, 2):
        journal.begun(position)
        journal.replied(Outcome(position, Result.ACCEPTED, 250))
    journal.close(remove=False)

    owner_died(store)
    recover(store, tmp_path / "of another host")
    assert counts(store, campaign_id).uncertain == 3
    other = claim(store, campaign_id, "other")
    assert other is not None
    recover(store, tmp_path)
    result = counts(store, campaign_id)
    assert (result.accepted, result.uncertain, result.queued) == (2, 0, 2)
    assert list(tmp_path.iterdir()) == []
    release(store, other, [])
