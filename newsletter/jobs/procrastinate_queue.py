"""Procrastinate: chunks as jobs in PostgreSQL, for workers on any number of machines.

https://procrastinate.readthedocs.io. Its tables live in the ledger's database, so that a chunk is
enqueued in the transaction that made it due.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import procrastinate
import psycopg
from procrastinate import jobs
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from newsletter.errors import UnavailableError
from newsletter.jobs.dispatcher import Work
from newsletter.jobs.procrastinate_tables import SCHEMA, driver, engine_schema, prepare_tables
from newsletter.store.engine import Store
from newsletter.store.postgres import OPTIONS

TASK = "run_chunk"
STALLED_S = 30.0
SHORTEST_REST_S, LONGEST_REST_S = 0.5, 15.0
POLL_S = 2.0
_WAITING = text(
    f"SELECT queueing_lock FROM {SCHEMA}.procrastinate_jobs"  # noqa: S608 -- a constant
    " WHERE status = 'todo' AND queue_name = :queue"
)


class JobDispatcher:
    """Hands out chunks as jobs; implements `newsletter.jobs.dispatcher.Dispatcher`."""

    def __init__(self, store: Store, transport: str) -> None:
        # Its errors end up here as exceptions, and in its log with tracebacks.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self._store = store
        self._queue = f"chunks-{transport}"
        self._jobs = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())

    def enqueue(self, connection: Connection, chunk_ids: Iterable[int]) -> None:
        """Have chunks run soon, by whichever worker is free.

        Raises:
            UnavailableError: The tables are not there; `prepare` makes them.
        """
        try:
            wanted = {f"chunk {chunk_id}": chunk_id for chunk_id in chunk_ids}
            waiting = connection.execute(_WAITING, {"queue": self._queue}).scalars()
            known = set(waiting)
            with engine_schema(connection):
                for lock in (lock for lock in wanted if lock not in known):
                    self._enqueue(connection, wanted[lock], lock)
        except (ConnectorException, ProgrammingError) as error:
            raise UnavailableError(f"the workers' queue cannot be used: {error}") from error

    def _enqueue(self, connection: Connection, chunk_id: int, lock: str) -> None:
        job = self._jobs.configure_task(
            TASK,
            queue=self._queue,
            queueing_lock=lock,
            connection=driver(connection),
        )
        with suppress(AlreadyEnqueued), connection.begin_nested():
            job.defer(chunk_id=chunk_id)

    async def run(self, work: Work, *, concurrency: int, stop: asyncio.Event) -> None:
        """Run jobs until ``stop`` is set, over and over.

        Procrastinate's worker returns as if it were done when PostgreSQL goes away.
        """
        rest = SHORTEST_REST_S
        while not stop.is_set():
            began = asyncio.get_running_loop().time()
            with suppress(ConnectorException, UnavailableError, psycopg.Error, OSError):
                await asyncio.to_thread(prepare_tables, self._store)
                await self._run(work, concurrency, stop)
            lasted = asyncio.get_running_loop().time() - began
            rest = SHORTEST_REST_S if lasted > LONGEST_REST_S else min(rest * 2, LONGEST_REST_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), rest)

    async def _run(self, work: Work, concurrency: int, stop: asyncio.Event) -> None:
        app = procrastinate.App(connector=self._connector(concurrency))

        @app.task(name=TASK)
        async def run_chunk(chunk_id: int) -> None:
            await work(chunk_id)

        async with app.open_async():
            await _forget_stalled(app)
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=[self._queue],
                    concurrency=concurrency,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    fetch_job_polling_interval=POLL_S,
                    stalled_worker_timeout=STALLED_S,
                )
            )
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait((worker, stopping), return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopping.cancel()
                worker.cancel()
                with suppress(asyncio.CancelledError):
                    await worker

    def _connector(self, concurrency: int) -> procrastinate.PsycopgConnector:
        url = self._store.engine.url.set(drivername="postgresql")
        options = {name: value for name, value in OPTIONS.items() if name not in url.query}
        return procrastinate.PsycopgConnector(
            conninfo=url.render_as_string(hide_password=False),
            kwargs=options,
            configure=_configure,
            min_size=1,
            max_size=concurrency + 2,
            timeout=10.0,
        )


async def _configure(connection: Any) -> None:
    await connection.execute(f"SET search_path TO {SCHEMA}")
    await connection.commit()


async def _forget_stalled(app: procrastinate.App) -> None:
    """Drop the jobs of dead workers: their chunks come back when the ledger takes their leases."""
    manager = app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_S):
        await manager.finish_job(job, status=jobs.Status.FAILED, delete_job=True)
