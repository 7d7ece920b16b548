"""Keys, and CSV files to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.audience.keys import Keys


@pytest.fixture
def keys() -> Keys:
    return Keys(signing=b"signing key of the tests, 32 byte", suppression=b"suppression key " * 2)


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file: of lines, or of ``data`` as it is."""

    def write(*lines: str, data: bytes | None = None) -> Path:
        path = tmp_path / "readers.csv"
        path.write_bytes("\n".join([*lines, ""]).encode() if data is None else data)
        return path

    return write
