"""The whole database as it is at one moment, in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from newsletter.errors import UnavailableError
from newsletter.store.copy import Progress, copy_rows
from newsletter.store.engine import Store, sqlite_store
from newsletter.store.metadata import metadata
from newsletter.store.private_files import private_file


@contextmanager
def private_copy(store: Store, folder: Path) -> Iterator[Store]:
    """Copy the whole database to a private SQLite file, and delete it at the end.

    A dry run works on such a copy with exactly the code of a live run, and never holds a lock on
    the real database, so that subscribers can unsubscribe meanwhile.

    Args:
        folder: Where the file is created.

    Raises:
        UnavailableError: The copy cannot be written (because the disk is full, say).
    """
    with private_file(folder) as path:
        write_snapshot(store, path)
        copy = sqlite_store(path)
        try:
            yield copy
        finally:
            copy.close()


def _make_tables(target: Store) -> None:
    metadata.create_all(target.engine)


def write_snapshot(
    store: Store,
    path: Path,
    progress: Progress | None = None,
    *,
    prepare: Callable[[Store], object] = _make_tables,
) -> None:
    """Write the database as of one moment to a SQLite file, while others keep writing to it.

    Args:
        path: A file that does not exist, or is empty.
        progress: Called every few thousand rows, for PostgreSQL only.
        prepare: Creates the tables if the source is not SQLite, whose file is copied whole.

    Raises:
        UnavailableError: The file cannot be written, or the database went away.
    """
    if not store.is_sqlite:
        target = sqlite_store(path)
        try:
            prepare(target)
            with store.read() as reading, target.write() as writing:
                copy_rows(store, reading, target, writing, progress)
        finally:
            target.close()
        return
    source = store.engine.raw_connection()
    try:
        # SQLite's own backup: page by page, consistent, and without a lock on writers.
        driver = source.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101
        with closing(sqlite3.connect(path)) as target_file:
            driver.backup(target_file)
    except sqlite3.Error as error:
        raise UnavailableError(
            f"cannot copy the database: {error}", fix="free some disk space"
        ) from None
    finally:
        source.close()
