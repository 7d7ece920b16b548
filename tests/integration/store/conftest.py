"""Two databases, one of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from newsletter.database.open import open_url
from newsletter.store.engine import Store
from tests.support.postgres import PostgresServer


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    """A migrated SQLite file."""
    opened = open_url(make_url(f"sqlite:///{tmp_path / 'first.db'}"))
    yield opened
    opened.close()


@pytest.fixture
def server(postgres_session: PostgresServer, migrated: str) -> Iterator[Store]:
    """A migrated PostgreSQL database."""
    name = postgres_session.fresh_database(migrated)
    opened = open_url(make_url(postgres_session.url(name)))
    yield opened
    opened.close()
    postgres_session.drop(name)
