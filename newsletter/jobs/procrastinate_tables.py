"""Procrastinate's tables, in a schema of their own that can be dropped at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from procrastinate.schema import SchemaManager
from psycopg import Connection as PsycopgConnection
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from newsletter.errors import RefusedError
from newsletter.store.engine import Store, advisory_lock

SCHEMA = "newsletter_engine"


def prepare_tables(store: Store) -> None:
    """Create the tables, or recreate them if the installed library defines others.

    Raises:
        RefusedError: The database user may not create a schema.
        UnavailableError: The database cannot be reached.
    """
    definition = SchemaManager.get_schema()
    version = hashlib.sha256(definition.encode()).hexdigest()[:16]
    with store.write() as connection:
        # Several workers start at once, and each finds that there are no tables.
        advisory_lock(connection, SCHEMA)
        comment = text("SELECT obj_description(to_regnamespace(:name)::oid, 'pg_namespace')")
        if connection.execute(comment, {"name": SCHEMA}).scalar() == version:
            return
        # Not migrated: they hold nothing that the ledger could not enqueue again.
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        try:
            connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        except ProgrammingError as error:
            raise RefusedError(
                f"the workers' queue cannot be created: {str(error.orig).strip()}",
                fix="as the database's owner, run: GRANT CREATE ON DATABASE … TO the user in"
                " database_url",
            ) from None
        with queue_schema(connection):
            # Through the driver: it is a script of many statements, with colons and % of its own.
            driver(connection).execute(definition)
        connection.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{version}'"))


@contextmanager
def queue_schema(connection: Connection) -> Iterator[None]:
    """Let the library find its tables within the caller's transaction."""
    # Its queries name no schema. Local to the transaction (true), so that a rollback restores it.
    query = text("SELECT set_config('search_path', :path, true)")
    before = connection.execute(text("SELECT current_setting('search_path')")).scalar_one()
    connection.execute(query, {"path": f"{SCHEMA}, {before}"})
    yield
    connection.execute(query, {"path": before})


def driver(connection: Connection) -> PsycopgConnection:
    """Return the psycopg connection beneath SQLAlchemy's."""
    return cast("PsycopgConnection", connection.connection.driver_connection)
