"""Rates, the canary and the hold, over whole runs on both databases."""

import asyncio
import time
from pathlib import Path

import pytest
from sqlalchemy import func, make_url, select, update

from newsletter.database.open import open_url
from newsletter.delivery.ledger.chunks import plan
from newsletter.delivery.ledger.leases import claim, finish, release, reserve_batch
from newsletter.delivery.ledger.rate import Rates
from newsletter.delivery.ledger.tables import (
    attempt,
    campaign,
    campaign_event,
    chunk,
    delivery,
    rate,
)
from newsletter.delivery.model import Compose, Delivery, Journal, Outcome, Result
from newsletter.delivery.runner.circuit_breaker import BreakerRule
from newsletter.delivery.runner.runner import SendLimits, run_campaign
from newsletter.store.engine import Store
from newsletter.transports.memory import MemoryTransport, accept
from tests.integration.delivery.campaigns import (
    chunk_states,
    compose,
    counts,
    freeze,
    run,
    run_beside,
    set_state,
)


def limited(**rates: object) -> SendLimits:
    return SendLimits(patience=5.0, rates=Rates("memory", **rates))  # type: ignore[arg-type]


def at_domain(store: Store, domain: str, first: int, last: int) -> None:
    """Move some of the readers to another domain."""
    with store.write() as connection:
        connection.execute(
            update(delivery)
            .where(delivery.c.position.between(first, last))
            .values(email_key=func.replace(delivery.c.email_key, "mail.example", domain))
        )


class Clocked(MemoryTransport):
    """Notes when each batch was handed over."""

    def __init__(self) -> None:
        super().__init__()
        self.handed: list[tuple[float, list[int]]] = []

    async def deliver(
        self, batch: list[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        self.handed.append((time.monotonic(), [each.position for each in batch]))
        return await super().deliver(batch, compose, journal)


def test_no_more_goes_out_than_the_rate_allows(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 130)
    transport = Clocked()
    began = time.monotonic()
    run(store, campaign_id, transport, tmp_path, limits=limited(per_second=50))
    assert counts(store, campaign_id).accepted == 130
    gone = 0
    for at, batch in transport.handed:
        gone += len(batch)
        assert gone <= 50 * (at - began) + 50 + 1


def test_a_restart_does_not_reset_the_rate(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 60)
    first = claim(store, campaign_id, "one")
    assert first
    rates = Rates("memory", per_second=0.02)
    assert len(reserve_batch(store, first, 500, rates=rates).deliveries) == 1
    release(store, first, [Outcome(1, Result.ACCEPTED)])
    again = claim(store, campaign_id, "two")
    assert again
    found = reserve_batch(store, again, 500, rates=rates)
    assert found.deliveries == []
    assert found.wait > 0


def test_a_clock_set_back_freezes_nothing(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 30)
    at_domain(store, "big.example", 16, 30)
    limits = limited(per_second=40, per_domain={"big.example": 10})
    run(store, campaign_id, MemoryTransport(), tmp_path, limits=limits)
    with store.write() as connection:
        ahead = store.now(connection) + 3600
        connection.execute(update(rate).values(tat=ahead))
        connection.execute(update(campaign).values(state="sending"))
        made = connection.execute(select(func.max(chunk.c.id))).scalar_one()
        connection.execute(
            update(chunk)
            .where(chunk.c.id == made)
            .values(state="ready", kind="limited", due_at=ahead, offered=0, first=1, last=0)
        )
    assert claim(store, campaign_id, "after the clock was set back") is not None


def test_a_domain_over_its_rate_is_passed_over_and_nobody_waits_for_it(
    store: Store, tmp_path: Path
) -> None:
    campaign_id = freeze(store, 60)
    at_domain(store, "big.example", 1, 30)
    transport = Clocked()
    began = time.monotonic()
    run(store, campaign_id, transport, tmp_path, limits=limited(per_domain={"big.example": 20}))
    assert counts(store, campaign_id).accepted == 60
    assert len(transport.sent) == len({position for position, _ in transport.sent})
    order = [position for _, batch in transport.handed for position in batch]
    assert set(order[:50]) >= set(range(31, 61)), "the others went ahead"
    gone = 0
    for at, batch in transport.handed:
        gone += sum(position <= 30 for position in batch)
        assert gone <= 20 * (at - began) + 20 + 1


def test_who_is_passed_over_counts_as_queued_and_is_put_back_once(store: Store) -> None:
    """However long a domain takes, its readers are not written down again and again."""
    campaign_id = freeze(store, 400)
    at_domain(store, "big.example", 1, 400)
    rates = Rates("memory", per_domain={"big.example": 0.02})
    lease = claim(store, campaign_id, "tests")
    assert lease
    found = reserve_batch(store, lease, 500, rates=rates)
    assert (len(found.deliveries), len(found.over), found.exhausted) == (1, 399, True)
    finish(store, lease, [Outcome(each.position, Result.ACCEPTED) for each in found.deliveries])
    assert chunk_states(store) == [("first", "done"), ("limited", "ready")]
    result = counts(store, campaign_id)
    assert (result.accepted, result.queued) == (1, 399)

    for _ in range(3):
        lease = claim(store, campaign_id, "tests")
        assert lease
        found = reserve_batch(store, lease, 500, rates=rates)
        assert found.rest > 0
        sent = [Outcome(each.position, Result.ACCEPTED) for each in found.deliveries]
        release(store, lease, sent, found.rest)
        assert claim(store, campaign_id, "too early") is None
        with store.write() as connection:
            connection.execute(update(chunk).values(due_at=0))
    with store.read() as connection:
        rows = connection.execute(select(func.count()).select_from(attempt)).scalar_one()
    assert rows <= 400 + 3
    assert counts(store, campaign_id).queued >= 396


def test_without_limits_no_rate_is_kept(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 20)
    run(store, campaign_id, MemoryTransport(), tmp_path)
    with store.read() as connection:
        assert connection.execute(select(rate)).all() == []


def test_a_stop_is_heeded_at_any_rate(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 50)
    transport = Clocked()

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
                limits=limited(per_second=0.02),
            )
        )
        while not transport.sent:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(task, 120)

    asyncio.run(main())
    assert counts(store, campaign_id).queued == 49


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_several_workers_share_one_rate(store: Store, store_url: str, tmp_path: Path) -> None:
    campaign_id = freeze(store, 150, chunk=20)
    workers = [(open_url(make_url(store_url)), Clocked()) for _ in range(3)]

    began = time.monotonic()
    run_beside(workers, campaign_id, tmp_path, limited(per_second=50))
    handed = sorted((at, len(batch)) for _, each in workers for at, batch in each.handed)
    gone = 0
    for at, number in handed:
        gone += number
        assert gone <= 50 * (at - began) + 50 + 1
    assert gone == 150


class Stuck(MemoryTransport):
    """A server that takes its time for each message, over one connection."""

    async def deliver(
        self, batch: list[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        outcomes = []
        for each in batch:
            outcomes += await super().deliver([each], compose, journal)
            if outcomes[-1].result is not Result.RETURNED:
                await asyncio.sleep(0.3)
        return outcomes


@pytest.mark.parametrize("how", ["stop", "paused", "cancelled"])
def test_what_is_offered_to_a_slow_server_and_not_begun_comes_back(
    store: Store, tmp_path: Path, how: str
) -> None:
    campaign_id = freeze(store, 100)
    transport = Stuck()

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
                limits=SendLimits(patience=0.0),
            )
        )
        while not transport.sent:
            await asyncio.sleep(0.01)
        if how == "stop":
            stop.set()
        else:
            set_state(store, campaign_id, how)
        await task

    asyncio.run(main())
    result = counts(store, campaign_id)
    assert result.accepted == len(transport.sent) < 50
    left = result.skipped["cancelled"] if how == "cancelled" else result.queued
    assert (result.uncertain, left) == (0, 100 - result.accepted)


def test_nobody_is_offered_anything_before_the_canary_has_its_outcome(store: Store) -> None:
    campaign_id = freeze(store, 40)
    with store.write() as connection:
        connection.execute(chunk.delete())
        connection.execute(
            update(delivery).where(delivery.c.position <= 3).values(skipped="bounced")
        )
        plan(connection, campaign_id, 10, canary=5)
        assert connection.execute(select(campaign.c.canary)).scalar_one() == 8
    first = claim(store, campaign_id, "tests")
    assert first
    assert [each.position for each in reserve_batch(store, first, 100).deliveries] == [
        4,
        5,
        6,
        7,
        8,
    ]
    assert claim(store, campaign_id, "tests") is None
    finish(store, first, [Outcome(n, Result.ACCEPTED) for n in range(4, 9)])
    following = [claim(store, campaign_id, "tests") for _ in range(5)]
    assert [lease is not None for lease in following] == [True, True, True, True, False]


def test_a_canary_larger_than_the_audience_is_none(store: Store) -> None:
    campaign_id = freeze(store, 4)
    with store.write() as connection:
        connection.execute(chunk.delete())
        plan(connection, campaign_id, canary=5)
    assert chunk_states(store) == [("first", "ready")]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((550, "5.1.1", "no such user"), "refused permanently"),
        ((550, "5.7.1", "spam"), "reject us as a sender"),
    ],
)
def test_a_bad_list_and_a_bad_sender_stop_by_themselves(
    store: Store, tmp_path: Path, reply: tuple[int, str, str], words: str
) -> None:
    def refusing(delivery: Delivery, tries: int) -> Outcome:
        if delivery.position % 4 == 0:
            return Outcome(delivery.position, Result.FAILED, *reply)
        return accept(delivery, tries)

    campaign_id = freeze(store, 2000)
    transport = MemoryTransport(refusing)
    rule = BreakerRule(failures=0.1 if reply[1] == "5.1.1" else 0, minimum=40, policy=10)
    limits = SendLimits(batch=20, patience=5.0, hold=rule)
    run(store, campaign_id, transport, tmp_path, limits=limits)
    result = counts(store, campaign_id)
    assert 40 <= result.accepted + result.failed < 200
    assert result.queued == 2000 - result.accepted - result.failed
    with store.read() as connection:
        said = connection.execute(select(campaign_event)).one()
        assert connection.execute(select(campaign.c.state)).scalar_one() == "paused"
    assert (said.by, said.from_state, said.to_state) == ("system", "sending", "paused")
    assert words in said.note

    set_state(store, campaign_id, "sending")
    run(store, campaign_id, MemoryTransport(), tmp_path, limits=limits)
    assert counts(store, campaign_id).queued == 0
