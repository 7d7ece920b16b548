"""One way to reach the database: `Store.read` and `Store.write`.

SQLite runs in WAL mode with ``synchronous=FULL``; every write transaction is ``BEGIN IMMEDIATE``,
so that two writers wait for each other instead of failing halfway. PostgreSQL lets them run side
by side: code that must not uses `advisory_lock`.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import (
    ArgumentError,
    InterfaceError,
    InternalError,
    OperationalError,
)

from newsletter.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from newsletter.settings.model import Settings

BUSY_TIMEOUT_S = 30
POSTGRES_OPTIONS = {
    "application_name": "newsletter",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""How soon a lost server is noticed; `database_url` may override these.

Seconds, the last one milliseconds. https://www.postgresql.org/docs/current/libpq-connect.html
"""
LONGEST_SILENCE_S = 120
"""How long PostgreSQL waits for the next statement within a transaction."""


class Store:
    """An open database, migrated to the current schema."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the one-machine database."""
        return self.engine.dialect.name == "sqlite"

    @property
    def name(self) -> str:
        """The database's URL without its password, to show to people."""
        return shown(self.engine.url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading: one consistent snapshot, from its first query on.

        Raises:
            UnavailableError: The database went away, or stayed locked too long.
        """
        with _out_of_reach(self.engine.url), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction: committed at the end, rolled back on any exception.

        Raises:
            UnavailableError: The database went away, is full, or stayed locked too long.
        """
        with _out_of_reach(self.engine.url), self.engine.connect() as connection:
            connection.execution_options(write=True)
            with connection.begin():
                yield connection

    def now(self, connection: Connection) -> float:
        """The time in Unix seconds: the database's own on PostgreSQL, so that workers agree."""
        if self.is_sqlite:
            return time.time()
        return float(
            connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        )

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def advisory_lock(connection: Connection, name: str) -> None:
    """Wait for every other write transaction with the same lock; others then wait for this one.

    SQLite's write transactions do so anyway. What was read before may be out of date.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def analyze(connection: Connection, *tables: Table) -> None:
    """Update PostgreSQL's statistics after tables grew by many rows at once.

    Autovacuum does so within minutes; until then queries are planned for empty tables, and a
    report may take minutes, too.
    https://www.postgresql.org/docs/current/sql-analyze.html
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ANALYZE {', '.join(table.name for table in tables)}"))


def connect(url: URL) -> Store:
    """A database as it is, not migrated; nothing is opened before the first query.

    Raises:
        InputError: The URL's kind of database is not supported, or its driver not installed.
        UnavailableError: The folder of a SQLite file cannot be created.
    """
    backend = url.get_backend_name()
    try:
        if backend == "postgresql":
            return Store(_postgres(url.set(drivername="postgresql+psycopg")))
        if backend == "sqlite":
            return Store(_sqlite(url))
    except ModuleNotFoundError:
        raise InputError("the PostgreSQL driver is not installed", fix="make setup") from None
    except OSError as error:
        raise UnavailableError(f"cannot create the folder of {shown(url)}: {error}") from None
    raise InputError(
        f"unsupported type of database: {backend}", fix="use sqlite:/// or postgresql://"
    )


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite database; None for one in memory, and for others."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def sqlite_store(path: Path) -> Store:
    """Open a SQLite file as it is, without migrating it."""
    return connect(make_url("sqlite://").set(database=str(path)))


def resolve_url(settings: Settings, given: str = "") -> URL:
    """The database's URL; a relative SQLite path starts at the project's folder.

    Args:
        settings: Their ``database_url`` is used,
        given: unless this is another.

    Raises:
        InputError: The URL is invalid.
    """
    try:
        url = make_url(given or settings.database_url)
    except ArgumentError:
        # The text may hold a password: it is not repeated.
        raise InputError(
            "the database URL is invalid",
            fix="write sqlite:///var/newsletter.db or postgresql://user:password@host/name",
        ) from None
    path = sqlite_path(url)
    return url.set(database=str(settings.root / path)) if path else url


def shown(url: URL) -> str:
    """A URL without its secrets."""
    public = url.difference_update_query(["password", "sslpassword"])
    # The driver's name is ours and not in the settings: it would only confuse.
    public = public.set(drivername=url.get_backend_name())
    return public.render_as_string(hide_password=True)


@contextmanager
def _out_of_reach(url: URL) -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, InternalError) as error:
        if isinstance(error, InternalError) and not _was_silent(error):
            raise
        raise UnavailableError(
            f"the database {shown(url)} cannot be used: {str(error.orig).strip()}",
            fix="check the disk and the server, then run the same command again",
        ) from error


def _was_silent(error: InternalError) -> bool:
    """Whether the server ended a session that was idle within a transaction."""
    return getattr(error.orig, "sqlstate", "") == "25P03"


def _postgres(url: URL) -> Engine:
    # It warns about the pipeline it closes after an error, which is raised as well.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    options = {name: value for name, value in POSTGRES_OPTIONS.items() if name not in url.query}
    engine = create_engine(url, pool_pre_ping=True, connect_args=options, hide_parameters=True)
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _prepare_postgres(connection: Any, _record: object) -> None:
    """A machine that freezes within a transaction must not block the others forever."""
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = '{LONGEST_SILENCE_S}s'")
    connection.autocommit = False


def _sqlite(url: URL) -> Engine:
    path = sqlite_path(url)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S},
        hide_parameters=True,
        # Before 3.45, SQLite does not find keys written with escapes.
        json_serializer=partial(json.dumps, ensure_ascii=False),
    )
    event.listen(engine, "do_connect", _make_private)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(_dialect: object, _record: object, arguments: list[str], _: object) -> None:
    """Create a new file for its owner alone; SQLite gives its journal files the same mode."""
    path = arguments[0]
    if path != ":memory:" and not path.startswith("file:"):
        with suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
