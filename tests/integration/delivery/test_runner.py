"""Whole runs against a scripted transport and a real database file."""

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, update

from newsletter.database.open import open_url
from newsletter.delivery.ledger.journal import FileJournal
from newsletter.delivery.ledger.outcomes import OutcomeCounts
from newsletter.delivery.ledger.requeue import requeue_failed
from newsletter.delivery.ledger.retry import RetryPolicy
from newsletter.delivery.ledger.tables import attempt
from newsletter.delivery.model import Compose, Delivery, Journal, Outcome, Result
from newsletter.delivery.runner.runner import SendLimits, run_campaign
from newsletter.errors import InputError, RefusedError, UnavailableError
from newsletter.store.engine import Store
from newsletter.transports.memory import MemoryTransport, accept
from tests.integration.delivery.campaigns import (
    AT_ONCE,
    EAGER,
    compose,
    counts,
    due_now,
    freeze,
    owner_died,
    run,
    run_beside,
    set_state,
    suppress,
)


def sent(transport: MemoryTransport) -> list[int]:
    return [position for position, _ in transport.sent]


def test_everybody_gets_it_once(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 230, skipped=30, chunk=50)
    transport = MemoryTransport()
    told: list[OutcomeCounts] = []
    run(store, campaign_id, transport, tmp_path / "journal", progress=told.append)
    assert sorted(sent(transport)) == list(range(1, 201))
    assert counts(store, campaign_id) == OutcomeCounts(
        audience=230, accepted=200, skipped={"bounced": 30}
    )
    assert told[-1].accepted == 200
    assert list((tmp_path / "journal").iterdir()) == []
    run(store, campaign_id, transport, tmp_path / "journal")
    assert len(transport.sent) == 200


def test_deferred_ones_are_tried_until_they_are_taken(store: Store, tmp_path: Path) -> None:
    def thrice(delivery: Delivery, tries: int) -> Outcome:
        if delivery.position % 5 == 0 and tries < 3:
            return Outcome(delivery.position, Result.DEFERRED, 451, "4.7.1", "greylisted")
        return accept(delivery, tries)

    campaign_id = freeze(store, 60, chunk=25)
    transport = MemoryTransport(thrice)
    run(store, campaign_id, transport, tmp_path, limits=EAGER)
    assert sorted(sent(transport)) == list(range(1, 61))
    assert transport.tries[5] == 3
    assert counts(store, campaign_id).accepted == 60


def test_a_long_retry_is_left_for_later(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 3)
    transport = MemoryTransport(
        lambda delivery, _: Outcome(delivery.position, Result.DEFERRED, 451)
    )
    run(store, campaign_id, transport, tmp_path)
    assert counts(store, campaign_id).deferred == 3
    assert transport.tries == {1: 1, 2: 1, 3: 1}


def test_each_state_is_named(store: Store, tmp_path: Path) -> None:
    ends = [Result.ACCEPTED, Result.DEFERRED, Result.FAILED, Result.UNCERTAIN]

    def cycle(delivery: Delivery, _tries: int) -> Outcome:
        return Outcome(delivery.position, ends[delivery.position % 4], 250)

    campaign_id = freeze(store, 40)
    run(store, campaign_id, MemoryTransport(cycle), tmp_path)
    result = counts(store, campaign_id)
    assert (result.accepted, result.deferred, result.failed, result.uncertain) == (10, 10, 10, 10)


def test_what_comes_back_unsent_is_sent_later(store: Store, tmp_path: Path) -> None:
    def throttled(delivery: Delivery, tries: int) -> Outcome:
        if tries == 1 and delivery.position > 5:
            return Outcome(delivery.position, Result.RETURNED)
        return accept(delivery, tries)

    campaign_id = freeze(store, 20)
    transport = MemoryTransport(throttled)
    run(store, campaign_id, transport, tmp_path)
    assert sorted(sent(transport)) == list(range(1, 21))
    assert counts(store, campaign_id).accepted == 20


def test_an_unreachable_transport_leaves_everything_queued(store: Store, tmp_path: Path) -> None:
    class Down(MemoryTransport):
        async def deliver(self, *_: Any) -> list[Outcome]:
            raise UnavailableError("no route to the relay")

    campaign_id = freeze(store, 30)
    with pytest.raises(UnavailableError, match="no route"):
        run(store, campaign_id, Down(), tmp_path)
    assert counts(store, campaign_id).queued == 30
    transport = MemoryTransport()
    run(store, campaign_id, transport, tmp_path)
    assert sorted(sent(transport)) == list(range(1, 31))


def test_a_transport_that_fails_halfway_is_believed_only_as_far_as_its_journal(
    store: Store, tmp_path: Path
) -> None:
    def breaks(delivery: Delivery, tries: int) -> Outcome:
        if delivery.position == 4:
            return Outcome(4, Result.UNCERTAIN)
        if delivery.position == 7 and tries == 1:
            raise UnavailableError("gone")
        return accept(delivery, tries)

    campaign_id = freeze(store, 10)
    transport = MemoryTransport(breaks)
    with pytest.raises(UnavailableError):
        run(store, campaign_id, transport, tmp_path)
    result = counts(store, campaign_id)
    assert (result.accepted, result.uncertain, result.queued) == (5, 1, 4)
    run(store, campaign_id, transport, tmp_path)
    assert sorted(sent(transport)) == list(range(1, 11))
    assert counts(store, campaign_id).accepted == 9


def test_a_full_disk_under_the_journal_stops_the_sending(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = FileJournal.begun

    def full(self: FileJournal, position: int) -> None:
        if position == 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        begun(self, position)

    campaign_id = freeze(store, 30)
    transport = MemoryTransport()
    monkeypatch.setattr(FileJournal, "begun", full)
    with pytest.raises(UnavailableError, match="journal"):
        run(store, campaign_id, transport, tmp_path)
    monkeypatch.setattr(FileJournal, "begun", begun)
    assert 12 not in sent(transport)
    run(store, campaign_id, transport, tmp_path)
    assert sorted(sent(transport)) == list(range(1, 31))
    assert counts(store, campaign_id).accepted == 30


def test_one_that_cannot_be_composed_fails_alone(store: Store, tmp_path: Path) -> None:
    def picky(delivery: Delivery) -> Any:
        if delivery.position == 3:
            raise InputError("the address is not valid in a header")
        return compose(delivery)

    campaign_id = freeze(store, 5)
    transport = MemoryTransport()

    async def main() -> None:
        await run_campaign(
            store, campaign_id, transport, picky, owner="t", journal_dir=tmp_path, limits=AT_ONCE
        )

    asyncio.run(main())
    result = counts(store, campaign_id)
    assert (result.accepted, result.failed) == (4, 1)


class Slow(MemoryTransport):
    """Takes its time, and says when a batch is on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.began = asyncio.Event()

    async def deliver(self, batch: Any, compose: Compose, journal: Journal) -> list[Outcome]:
        self.began.set()
        await asyncio.sleep(0.05)
        return await super().deliver(batch, compose, journal)


def test_a_stop_drains_what_was_offered_and_no_more(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 500)
    transport = Slow()

    async def main() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(
            run_campaign(
                store,
                campaign_id,
                transport,
                compose,
                owner="t",
                journal_dir=tmp_path,
                stop=stop,
                limits=AT_ONCE,
            )
        )
        await transport.began.wait()
        stop.set()
        await task

    asyncio.run(main())
    result = counts(store, campaign_id)
    assert 0 < result.accepted < 500
    assert result.uncertain == 0
    assert result.queued == 500 - result.accepted
    again = MemoryTransport()
    run(store, campaign_id, again, tmp_path)
    assert sorted([*sent(transport), *sent(again)]) == list(range(1, 501))


def test_a_cancelled_run_is_sorted_out_by_the_next(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 500)
    transport = Slow()

    async def main() -> None:
        task = asyncio.create_task(
            run_campaign(
                store,
                campaign_id,
                transport,
                compose,
                owner="t",
                journal_dir=tmp_path,
                limits=AT_ONCE,
            )
        )
        await transport.began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    owner_died(store)
    again = MemoryTransport()
    run(store, campaign_id, again, tmp_path)
    assert sorted([*sent(transport), *sent(again)]) == list(range(1, 501))
    assert counts(store, campaign_id).accepted == 500


def test_a_pause_from_elsewhere_takes_hold_between_batches(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 300)

    def pausing(delivery: Delivery, tries: int) -> Outcome:
        if delivery.position == 20:
            set_state(store, campaign_id, "paused")
        return accept(delivery, tries)

    transport = MemoryTransport(pausing)
    run(store, campaign_id, transport, tmp_path, limits=SendLimits(batch=20, patience=0.0))
    paused = counts(store, campaign_id)
    assert paused.uncertain == 0
    assert 20 <= paused.accepted < 300
    suppress(store, 300)
    set_state(store, campaign_id, "sending")
    run(store, campaign_id, transport, tmp_path)
    assert sorted(sent(transport)) == list(range(1, 300))
    assert dict(counts(store, campaign_id).skipped) == {"unsubscribed": 1}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_two_senders_at_once_are_refused(store: Store, store_url: str, tmp_path: Path) -> None:
    campaign_id = freeze(store, 50)
    transport = Slow()
    other = open_url(make_url(store_url))

    async def main() -> None:
        first = asyncio.create_task(
            run_campaign(
                store,
                campaign_id,
                transport,
                compose,
                owner="t",
                journal_dir=tmp_path,
                limits=AT_ONCE,
            )
        )
        await transport.began.wait()
        with pytest.raises(RefusedError):
            await run_campaign(
                other, campaign_id, transport, compose, owner="u", journal_dir=tmp_path
            )
        await first

    asyncio.run(main())
    other.close()
    assert sorted(sent(transport)) == list(range(1, 51))


def test_giving_up_counts_as_failed(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 2)
    transport = MemoryTransport(
        lambda delivery, _: Outcome(delivery.position, Result.DEFERRED, 452, "4.2.2", "full")
    )
    limits = SendLimits(patience=0.0, retry=RetryPolicy(give_up_after=0.0))
    run(store, campaign_id, transport, tmp_path, limits=limits)
    assert counts(store, campaign_id).failed == 2


def test_who_is_put_back_after_that_has_the_whole_time_once_more(
    store: Store, tmp_path: Path
) -> None:
    campaign_id = freeze(store, 2)
    transport = MemoryTransport(
        lambda delivery, _: Outcome(delivery.position, Result.DEFERRED, 452, "4.2.2", "full")
    )

    def three_days_later() -> None:
        with store.write() as connection:
            connection.execute(update(attempt).values(at=attempt.c.at - 72 * 3600))
        due_now(store)
        run(store, campaign_id, transport, tmp_path)

    run(store, campaign_id, transport, tmp_path)
    three_days_later()
    assert counts(store, campaign_id).failed == 2
    with store.write() as connection:
        assert (
            requeue_failed(connection, campaign_id, store.now(connection), note="it is up again")
            == 2
        )
    run(store, campaign_id, transport, tmp_path)
    assert counts(store, campaign_id).deferred == 2
    three_days_later()
    assert counts(store, campaign_id).failed == 2


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_several_workers_share_a_campaign(store: Store, store_url: str, tmp_path: Path) -> None:
    campaign_id = freeze(store, 400, chunk=20)
    workers = [(open_url(make_url(store_url)), Slow()) for _ in range(3)]

    run_beside(workers, campaign_id, tmp_path, AT_ONCE)
    each = [sent(transport) for _, transport in workers]
    assert all(each)
    assert sorted(position for found in each for position in found) == list(range(1, 401))
    assert counts(store, campaign_id).accepted == 400
