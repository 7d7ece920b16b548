"""A database, keys, and CSV files to import.

NEWSLETTER_TEST_DATABASE_URL names an empty PostgreSQL database to run the same tests on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import create_engine

from newsletter.audience import Keys
from newsletter.store import Store
from newsletter.store.engine import sqlite_store
from newsletter.store.schema import metadata
from tests.integration.audience.desk import Desk

settings.register_profile("busy-machine", deadline=None)
settings.load_profile("busy-machine")


@pytest.fixture
def keys() -> Keys:
    return Keys(signing=b"signing key of the tests, 32 byte", suppression=b"suppression key " * 2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    server = os.environ.get("NEWSLETTER_TEST_DATABASE_URL")
    opened = Store(create_engine(server)) if server else sqlite_store(tmp_path / "newsletter.db")
    with opened.write() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    yield opened
    opened.close()


@pytest.fixture
def desk(store: Store, keys: Keys) -> Desk:
    return Desk(store, keys)


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of lines."""

    def write(*lines: str, name: str = "readers.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return path

    return write
