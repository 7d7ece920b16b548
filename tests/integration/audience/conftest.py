"""Keys, a app, and CSV files to import; every test runs on both databases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.audience.keys import Keys
from newsletter.store.engine import Store
from tests.integration.audience.imports import Importer


@pytest.fixture
def keys() -> Keys:
    return Keys(signing=b"signing key of the tests, 32 byte", suppression=b"suppression key " * 2)


@pytest.fixture
def app(store: Store, keys: Keys) -> Importer:
    return Importer(store, keys)


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of lines."""

    def write(*lines: str, name: str = "readers.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return path

    return write
