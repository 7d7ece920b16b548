"""Procrastinate: chunks as jobs in PostgreSQL, for workers on any number of machines.

https://procrastinate.readthedocs.io. Its tables are in the ledger's database, so that a chunk is
enqueued in the same transaction that made it due.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

import procrastinate
import psycopg
from procrastinate import jobs
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from newsletter.errors import UnavailableError
from newsletter.jobs.dispatcher import Work
from newsletter.jobs.procrastinate_tables import (
    SCHEMA,
    driver,
    prepare_tables,
    queue_schema,
)
from newsletter.store.engine import Store
from newsletter.store.postgres import OPTIONS

TASK = "run_chunk"
STALLED_S = 30.0
"""A worker without a heartbeat for this long is dead."""
SHORTEST_REST_S, LONGEST_REST_S = 0.5, 15.0
"""Pauses between attempts to reach the database; doubled with each."""
POLL_S = 2.0
_WAITING = text(
    f"SELECT queueing_lock FROM {SCHEMA}.procrastinate_jobs"  # noqa: S608 -- a constant
    " WHERE status = 'todo' AND queue_name = :queue"
)


class JobDispatcher:
    """Hands out chunks as jobs; implements `newsletter.jobs.dispatcher.Dispatcher`."""

    def __init__(self, store: Store, transport: str) -> None:
        # Their errors reach us as exceptions; their logs would repeat them with tracebacks.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self._store = store
        # One queue per transport: workers over SMTP and over SendGrid may share a database.
        self._queue = f"chunks-{transport}"
        self._jobs = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())

    def enqueue(self, connection: Connection, chunk_ids: Iterable[int]) -> None:
        """Have any free worker run chunks soon.

        Raises:
            UnavailableError: The tables do not exist; `prepare_tables` creates them.
        """
        try:
            waiting = set(connection.execute(_WAITING, {"queue": self._queue}).scalars())
            with queue_schema(connection):
                for chunk_id in chunk_ids:
                    lock = f"chunk {chunk_id}"
                    if lock in waiting:
                        continue
                    waiting.add(lock)
                    job = self._jobs.configure_task(
                        TASK,
                        queue=self._queue,
                        queueing_lock=lock,
                        connection=driver(connection),
                    )
                    # Another worker may have enqueued it meanwhile. The savepoint keeps that
                    # error from aborting the caller's transaction.
                    with suppress(AlreadyEnqueued), connection.begin_nested():
                        job.defer(chunk_id=chunk_id)
        except (ConnectorException, ProgrammingError) as error:
            raise UnavailableError(f"the workers' queue cannot be used: {error}") from error

    async def run(self, work: Work, *, concurrency: int, stop: asyncio.Event) -> None:
        """Run jobs until ``stop`` is set; if PostgreSQL goes away, until it is back."""
        rest = SHORTEST_REST_S
        # A loop, since Procrastinate's worker returns as if it were done when PostgreSQL goes away.
        while not stop.is_set():
            began = asyncio.get_running_loop().time()
            with suppress(ConnectorException, UnavailableError, psycopg.Error, OSError):
                await asyncio.to_thread(prepare_tables, self._store)
                await self._run_worker(work, concurrency, stop)
            lasted = asyncio.get_running_loop().time() - began
            rest = SHORTEST_REST_S if lasted > LONGEST_REST_S else min(rest * 2, LONGEST_REST_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), rest)

    async def _run_worker(self, work: Work, concurrency: int, stop: asyncio.Event) -> None:
        async def configure(connection: psycopg.AsyncConnection) -> None:
            await connection.execute(f"SET search_path TO {SCHEMA}")
            # The pool refuses a connection that is still in a transaction.
            await connection.commit()

        url = self._store.engine.url.set(drivername="postgresql")
        options = {name: value for name, value in OPTIONS.items() if name not in url.query}
        connector = procrastinate.PsycopgConnector(
            conninfo=url.render_as_string(hide_password=False),
            kwargs=options,
            configure=configure,
            min_size=1,
            # Jobs that end, the next fetch and the heartbeat must not wait for one another.
            max_size=concurrency + 2,
            timeout=10.0,
        )
        app = procrastinate.App(connector=connector)

        @app.task(name=TASK)
        async def run_chunk(chunk_id: int) -> None:
            await work(chunk_id)

        async with app.open_async():
            # Dropped, not repeated: the ledger enqueues a chunk again when its lease expires.
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_S):
                await app.job_manager.finish_job(job, status=jobs.Status.FAILED, delete_job=True)
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=[self._queue],
                    concurrency=concurrency,
                    # `./send.py worker` has handlers of its own, and stops gently by ``stop``.
                    install_signal_handlers=False,
                    # A job that ended says nothing that the ledger does not.
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
