"""Procrastinate's tables, in a schema of their own that may be dropped at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from newsletter.errors import RefusedError
from newsletter.store.engine import Store, advisory_lock

SCHEMA = "newsletter_engine"


def prepare_tables(store: Store) -> None:
    """Make the tables, or make them anew when the installed library comes with others.

    They hold nothing that the ledger does not know, so there is nothing to migrate.

    Raises:
        RefusedError: The database's user may not make a schema.
        UnavailableError: The database cannot be reached.
    """
    definition = SchemaManager.get_schema()
    version = hashlib.sha256(definition.encode()).hexdigest()[:16]
    with store.write() as connection:
        advisory_lock(connection, SCHEMA)
        if _version(connection) == version:
            return
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        _create(connection)
        with engine_schema(connection):
            driver(connection).execute(definition)
        connection.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{version}'"))


def _version(connection: Connection) -> str | None:
    query = text("SELECT obj_description(to_regnamespace(:name)::oid, 'pg_namespace')")
    found: str | None = connection.execute(query, {"name": SCHEMA}).scalar()
    return found


def _create(connection: Connection) -> None:
    try:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    except ProgrammingError as error:
        raise RefusedError(
            f"the workers' queue cannot be made: {str(error.orig).strip()}",
            fix="as the database's owner: GRANT CREATE ON DATABASE … TO the user of database_url",
        ) from None


@contextmanager
def engine_schema(connection: Connection) -> Iterator[None]:
    """Let the library find its tables within somebody's transaction, then find ours again."""
    before = connection.execute(text("SELECT current_setting('search_path')")).scalar_one()
    _search(connection, f"{SCHEMA}, {before}")
    yield
    _search(connection, before)


def _search(connection: Connection, path: str) -> None:
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": path})


def driver(connection: Connection) -> Any:
    """The psycopg connection beneath one of SQLAlchemy's."""
    return connection.connection.driver_connection
