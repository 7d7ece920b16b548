"""A private copy of the database, for runs that must change nothing."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.errors import UnavailableError
from newsletter.store.engine import Store, sqlite_store

if TYPE_CHECKING:
    from newsletter.settings import Settings


@contextmanager
def scratch_copy(store: Store, settings: Settings) -> Iterator[Store]:
    """Copy the whole database to a private file, and delete it at the end.

    A dry run works on such a copy with the very code of a live run, and never holds a lock on the
    real database, so that readers can unsubscribe meanwhile.

    Raises:
        UnavailableError: The copy cannot be written (disk full, say).
    """
    settings.var.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="dry-run-", dir=settings.var) as folder:
            path = Path(folder) / "copy.db"
            _backup(store, path)
            copy = sqlite_store(path)
            try:
                yield copy
            finally:
                copy.close()
    except (OSError, sqlite3.Error) as error:
        raise UnavailableError(
            f"cannot copy the database for a dry run: {error}", fix="free some disk space"
        ) from None


def _backup(store: Store, path: Path) -> None:
    source = store.engine.raw_connection()
    target = sqlite3.connect(path)
    try:
        driver = source.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101
        driver.backup(target)
    finally:
        target.close()
        source.close()
