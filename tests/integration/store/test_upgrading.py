"""A database of release 0.1 goes on where it stood, on SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, insert, make_url, select

from newsletter.database.migrate import HEAD, alembic_config, current
from newsletter.database.open import migrate
from newsletter.queues.tables import outgoing_message
from newsletter.store.engine import Store, connect
from newsletter.store.metadata import metadata
from tests.integration.store.rows import ROWS, row_of

RELEASED = "0002"
"""The revision of 0.1."""


@pytest.fixture(params=["sqlite", "postgres"])
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A database as 0.1 made it, with rows in every table."""
    url = f"sqlite:///{tmp_path / 'newsletter.db'}"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres"))
    store = connect(make_url(url))
    with store.engine.connect() as connection:
        connection.execution_options(write=True)
        with connection.begin():
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, RELEASED)
    with store.write() as connection:
        for table, names in _columns(store).items():
            rows = [row_of(metadata.tables[table], index) for index in range(ROWS)]
            kept = [{name: row[name] for name in names} for row in rows]
            connection.execute(insert(metadata.tables[table]), kept)
    return store


def test_every_row_of_0_1_stays_and_what_is_new_is_there(released: Store) -> None:
    columns = _columns(released)
    before = _contents(released, columns)
    assert migrate(released) == RELEASED
    assert current(released.engine) == HEAD
    assert _contents(released, columns) == before
    with released.read() as connection:
        assert connection.execute(select(outgoing_message)).all() == []
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    released.close()


def _columns(store: Store) -> dict[str, list[str]]:
    """Of our tables, those that the database has, parents first, and their columns."""
    found = MetaData()
    found.reflect(store.engine)
    return {
        table.name: [column.name for column in found.tables[table.name].columns]
        for table in metadata.sorted_tables
        if table.name in found.tables
    }


def _contents(store: Store, columns: dict[str, list[str]]) -> dict[str, list[str]]:
    with store.read() as connection:
        return {
            table: sorted(
                repr(tuple(row))
                for row in connection.execute(
                    select(*(metadata.tables[table].c[name] for name in names))
                )
            )
            for table, names in columns.items()
        }
