"""One way to reach the database: `Store.read` and `Store.write`.

SQLite runs in WAL mode with ``synchronous=FULL``; every write transaction is ``BEGIN IMMEDIATE``,
so that two writers wait for each other instead of failing halfway. PostgreSQL lets them run side
by side: code that must not uses `advisory_lock`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, Table, func, make_url, select, text
from sqlalchemy.exc import (
    ArgumentError,
    InterfaceError,
    InternalError,
    OperationalError,
)

from newsletter.errors import InputError, UnavailableError
from newsletter.store import postgres, sqlite
from newsletter.store.presence import Presence

if TYPE_CHECKING:
    from sqlalchemy import URL

    from newsletter.settings.model import Settings


class Store:
    """An open database, migrated to the current schema.

    Args:
        engine: Reaches it.
        file: The file it is, if it is one.
        hold: What says to others that it is open.
    """

    def __init__(
        self,
        engine: Engine,
        file: sqlite.DatabaseFile | None = None,
        hold: Presence | postgres.Alone | None = None,
    ) -> None:
        self.engine = engine
        self._file = file
        self._hold = hold

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
            GoneError: It is not the one that was opened any more.
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
            GoneError: It is not the one that was opened any more, if only since the beginning.
        """
        with _out_of_reach(self.engine.url), self.engine.connect() as connection:
            connection.execution_options(write=True)
            with connection.begin():
                yield connection
            if self._file:
                self._file.require_after_commit()

    def now(self, connection: Connection) -> float:
        """The time in Unix seconds: the database's own on PostgreSQL, so that workers agree."""
        if self.is_sqlite:
            return time.time()
        return float(
            connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        )

    def close(self) -> None:
        """Close every connection, and let others have the database alone."""
        self.engine.dispose()
        if self._hold:
            self._hold.close()


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


def connect(url: URL, command: str = "", *, alone: bool = False) -> Store:
    """A database as it is, not migrated; nobody else can have it alone until it is closed.

    Args:
        command: As `open_store`.
        alone: As `open_url`.

    Raises:
        InputError: The URL's kind of database is not supported, or its driver not installed.
        RefusedError: As `open_url`.
        UnavailableError: As `open_store`; or the folder of a SQLite file cannot be made.
    """
    backend = url.get_backend_name()
    try:
        if backend == "postgresql":
            return _postgres(url.set(drivername="postgresql+psycopg"), command, alone=alone)
        if backend == "sqlite":
            return _sqlite(url, command, alone=alone)
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
    """Open a SQLite file that nobody else knows of as it is, without migrating it."""
    url = make_url("sqlite://").set(database=str(path))
    file = sqlite.DatabaseFile(path, shown(url))
    return Store(sqlite.open_engine(url, file), file)


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


def is_same(url: URL, other: URL) -> bool:
    """Whether two URLs name one database, as far as they tell: a server may have other names."""
    one, two = sqlite_path(url), sqlite_path(other)
    return one.resolve() == two.resolve() if one and two else url == other


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


def _postgres(url: URL, command: str, *, alone: bool) -> Store:
    engine = postgres.open_engine(url, shown(url), command, alone=alone)
    if not alone:
        return Store(engine)
    with _out_of_reach(url):
        return Store(engine, hold=postgres.Alone(engine, shown(url)))


def _sqlite(url: URL, command: str, *, alone: bool) -> Store:
    path = sqlite_path(url)
    if path is None:
        return Store(sqlite.open_engine(url, None))
    path.parent.mkdir(parents=True, exist_ok=True)
    hold = Presence(path, shown(url), command, alone=alone)
    file = sqlite.DatabaseFile(path, shown(url))
    return Store(sqlite.open_engine(url, file), file, hold)
