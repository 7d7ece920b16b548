"""A migrated SQLite file for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.store import Store
from tests.integration.deliver.campaigns import open_file


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_file(tmp_path / "newsletter.db")
    yield opened
    opened.close()
