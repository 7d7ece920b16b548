"""Real databases: a PostgreSQL server for the session, and a store on either kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from newsletter.database.open import open_url
from newsletter.store.engine import Store
from tests.support.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres_session() -> Iterator[PostgresServer]:
    """One server for each test process, started when the first test asks for it."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres_session: PostgresServer) -> str:
    """The name of a database with every table and no row: copied, not opened, by tests."""
    name = postgres_session.fresh_database()
    open_url(make_url(postgres_session.url(name))).close()
    return name


@pytest.fixture
def postgres(postgres_session: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database: no table yet."""
    name = postgres_session.fresh_database()
    yield postgres_session.url(name)
    postgres_session.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database of either kind.

    Ask for one kind with ``@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)``.
    """
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'newsletter.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_session")
    name = server.fresh_database(request.getfixturevalue("migrated"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open, migrated, empty database of either kind."""
    opened = open_url(make_url(store_url))
    yield opened
    opened.close()
