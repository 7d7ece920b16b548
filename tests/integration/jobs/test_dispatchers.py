"""What a dispatcher must do, and what it may forget, on a real PostgreSQL server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import make_url, text

from newsletter.errors import UnavailableError
from newsletter.jobs.dispatcher import Dispatcher, Work
from newsletter.jobs.local_loop import LocalDispatcher
from newsletter.jobs.procrastinate_queue import JobDispatcher
from newsletter.jobs.procrastinate_tables import queue_schema
from newsletter.jobs.setup import open_dispatcher, prepare
from newsletter.store.engine import Store, connect
from tests.support.postgres import PostgresServer, postgres_server

POSTGRES = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
Make = Callable[[Store], Dispatcher]


def jobs(store: Store) -> Dispatcher:
    return JobDispatcher(store, "smtp")


def local(_store: Store) -> Dispatcher:
    return LocalDispatcher()


def enqueue(store: Store, dispatcher: Dispatcher, *chunk_ids: int) -> None:
    with store.write() as connection:
        dispatcher.enqueue(connection, chunk_ids)


def waiting(store: Store) -> int:
    with store.read() as connection:
        query = "SELECT count(*) FROM newsletter_engine.procrastinate_jobs"
        return int(connection.execute(text(query)).scalar_one())


async def sweep_on(store: Store, dispatcher: Dispatcher, chunk_id: int) -> None:
    """Enqueue a chunk over and over, as a worker does."""
    while True:
        await asyncio.sleep(0.2)
        await asyncio.to_thread(enqueue, store, dispatcher, chunk_id)


async def until_seen(
    dispatcher: Dispatcher,
    wanted: int,
    *,
    concurrency: int = 1,
    after: Callable[[int], None] = lambda _: None,
) -> list[int]:
    """Run until ``wanted`` chunks were handed out."""
    stop = asyncio.Event()
    seen: list[int] = []

    async def work(chunk_id: int) -> None:
        seen.append(chunk_id)
        await asyncio.to_thread(after, chunk_id)
        if len(seen) == wanted:
            stop.set()

    async with asyncio.timeout(60):
        await dispatcher.run(work, concurrency=concurrency, stop=stop)
    return seen


@POSTGRES
@pytest.mark.parametrize("make", [jobs, local])
def test_each_chunk_is_handed_out_once(store: Store, make: Make) -> None:
    prepare(store)
    dispatcher = make(store)
    enqueue(store, dispatcher, 3, 1, 2)
    enqueue(store, dispatcher, 1, 4)
    assert asyncio.run(until_seen(dispatcher, 4)) == [3, 1, 2, 4]


@POSTGRES
@pytest.mark.parametrize("make", [jobs, local])
def test_chunks_enqueued_while_it_runs_are_handed_out_too(store: Store, make: Make) -> None:
    prepare(store)
    dispatcher = make(store)
    enqueue(store, dispatcher, 1)

    def more(chunk_id: int) -> None:
        if chunk_id < 4:
            enqueue(store, dispatcher, chunk_id + 1)

    assert asyncio.run(until_seen(dispatcher, 4, concurrency=2, after=more)) == [1, 2, 3, 4]


@POSTGRES
def test_several_workers_share_the_chunks(store: Store, store_url: str) -> None:
    prepare(store)
    enqueue(store, jobs(store), *range(1, 21))
    stores = [connect(make_url(store_url)) for _ in range(3)]
    stop = asyncio.Event()
    seen: list[tuple[int, int]] = []

    def work(worker: int) -> Work:
        async def run(chunk_id: int) -> None:
            seen.append((worker, chunk_id))
            await asyncio.sleep(0.02)
            if len(seen) == 20:
                stop.set()

        return run

    async def main() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for number, each in enumerate(stores):
                group.create_task(jobs(each).run(work(number), concurrency=1, stop=stop))

    asyncio.run(main())
    for each in stores:
        each.close()
    assert sorted(chunk_id for _, chunk_id in seen) == list(range(1, 21))
    assert len({worker for worker, _ in seen}) == 3
    assert waiting(store) == 0


@POSTGRES
def test_a_rolled_back_transaction_enqueues_nothing(store: Store) -> None:
    prepare(store)
    dispatcher = jobs(store)
    with store.write() as connection:
        dispatcher.enqueue(connection, [1])
        connection.rollback()
    assert waiting(store) == 0


@POSTGRES
def test_enqueuing_leaves_the_transaction_unchanged(store: Store) -> None:
    prepare(store)
    dispatcher = jobs(store)
    with store.write() as connection:
        path = connection.execute(text("SHOW search_path")).scalar_one()
        dispatcher.enqueue(connection, [1, 1, 2])
        dispatcher.enqueue(connection, [1])
        assert connection.execute(text("SHOW search_path")).scalar_one() == path
        connection.execute(text("SELECT count(*) FROM campaign"))
    assert waiting(store) == 2


@POSTGRES
def test_workers_take_only_chunks_of_their_transport(store: Store) -> None:
    prepare(store)
    enqueue(store, JobDispatcher(store, "sendgrid"), 7)
    enqueue(store, jobs(store), 8)
    assert asyncio.run(until_seen(jobs(store), 1)) == [8]
    assert waiting(store) == 1


@POSTGRES
@pytest.mark.parametrize(
    "wipe",
    [
        "DROP SCHEMA newsletter_engine CASCADE",
        "TRUNCATE newsletter_engine.procrastinate_jobs, newsletter_engine.procrastinate_workers"
        " CASCADE",
    ],
)
def test_a_worker_survives_the_loss_of_the_whole_queue(store: Store, wipe: str) -> None:
    prepare(store)
    dispatcher = jobs(store)
    enqueue(store, dispatcher, 1)

    def lose_everything(chunk_id: int) -> None:
        if chunk_id == 1:
            with store.write() as connection:
                connection.execute(text(wipe))
            prepare(store)

    async def main() -> list[int]:
        sweep = asyncio.create_task(sweep_on(store, dispatcher, 2))
        seen = await until_seen(dispatcher, 2, after=lose_everything)
        sweep.cancel()
        return seen

    assert asyncio.run(main()) == [1, 2]


@POSTGRES
def test_missing_tables_are_an_error(store: Store) -> None:
    with pytest.raises(UnavailableError, match="queue"):
        enqueue(store, jobs(store), 1)


@POSTGRES
def test_tables_of_another_version_are_recreated(store: Store) -> None:
    prepare(store)
    enqueue(store, jobs(store), 1)
    prepare(store)
    assert waiting(store) == 1
    with store.write() as connection:
        connection.execute(text("COMMENT ON SCHEMA newsletter_engine IS 'older'"))
    prepare(store)
    assert waiting(store) == 0


@POSTGRES
def test_jobs_of_dead_workers_are_dropped(store: Store) -> None:
    prepare(store)
    enqueue(store, jobs(store), 1, 2)
    with store.write() as connection, queue_schema(connection):
        connection.execute(
            text(
                "UPDATE newsletter_engine.procrastinate_jobs SET status = 'doing'"
                " WHERE args ->> 'chunk_id' = '1'"
            )
        )
    assert asyncio.run(until_seen(jobs(store), 1)) == [2]
    assert waiting(store) == 0


def test_it_recovers_when_the_server_does() -> None:
    with postgres_server(fsync=True) as server:
        store = connect(make_url(server.url(server.fresh_database())))
        prepare(store)
        dispatcher = jobs(store)
        enqueue(store, dispatcher, 1)

        def break_down(chunk_id: int) -> None:
            if chunk_id == 1:
                _restart(server)
                store.close()
                enqueue(store, dispatcher, 2)

        # The end of the first job cannot be stored, so it may be handed out again.
        seen = asyncio.run(until_seen(dispatcher, 2, after=break_down))
        store.close()
    assert seen[0] == 1
    assert seen[1] in {1, 2}


def _restart(server: PostgresServer) -> None:
    server.kill()
    server.start()


def test_the_database_decides_which_dispatcher_is_used(store: Store) -> None:
    kind = LocalDispatcher if store.is_sqlite else JobDispatcher
    assert isinstance(open_dispatcher(store, "smtp"), kind)
    if store.is_sqlite:
        prepare(store)
