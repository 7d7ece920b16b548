"""One way to reach the database: `Store.read` and `Store.write`.

SQLite runs in WAL mode with ``synchronous=FULL``; every write transaction is ``BEGIN IMMEDIATE``,
so that two writers wait for each other instead of failing halfway.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError

from newsletter.errors import UnavailableError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from newsletter.settings import Settings

BUSY_TIMEOUT_S = 30


class Store:
    """An open database, migrated to the current schema."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the one-machine database."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading: one consistent snapshot on SQLite."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction: committed at the end, rolled back on any exception."""
        with self.engine.connect() as connection:
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


def open_store(settings: Settings) -> Store:
    """Open the database of these settings, creating and migrating it where needed.

    Raises:
        UnavailableError: The database cannot be reached or made.
    """
    from newsletter.store.migrate import upgrade

    url = resolve_url(settings)
    try:
        if url.database and url.get_backend_name() == "sqlite" and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        store = Store(_engine(url))
        upgrade(store.engine)
    except (OperationalError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise UnavailableError(
            f"cannot open the database {url.render_as_string(hide_password=True)}: {cause}",
            fix="check database_url, the disk, and that the server runs",
        ) from None
    return store


def sqlite_store(path: Path) -> Store:
    """Open a SQLite file as it is, without migrating it."""
    return Store(_engine(make_url(f"sqlite:///{path}")))


def resolve_url(settings: Settings) -> URL:
    """The database's URL; a relative SQLite path starts at the project's folder."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.database and url.database != ":memory:":
        return url.set(database=str(settings.root / url.database))
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(
            url, pool_pre_ping=True, connect_args={"connect_timeout": 10, "keepalives_idle": 30}
        )
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
