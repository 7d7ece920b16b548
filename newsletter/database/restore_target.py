"""A database to copy into: it appears complete or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.database.open import open_url
from newsletter.errors import RefusedError
from newsletter.store.engine import Store, sqlite_path

if TYPE_CHECKING:
    from sqlalchemy import URL


@contextmanager
def open_target(url: URL) -> Iterator[Store]:
    """Open a database to copy into. A new SQLite file appears only at the end.

    It is written next to its final path, so that a refused or interrupted copy leaves nothing
    behind, and nobody can start using half of one.

    Raises:
        RefusedError: Another process created the file in the meantime.
        InputError: As `open_url`.
        UnavailableError: As `open_url`.
    """
    path = sqlite_path(url)
    if path is None or path.exists():
        with _opened(url) as store:
            yield store
        return
    with (
        _folder(path.parent),
        tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as aside,
    ):
        part = Path(aside) / path.name
        with _opened(url.set(database=str(part))) as store:
            yield store
        flush(part)
        _put(part, path)
        flush(path.parent)


def flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _opened(url: URL) -> Iterator[Store]:
    store = open_url(url)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    there = path.is_dir()
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if not there:
            with suppress(OSError):
                path.rmdir()
        raise


def _put(part: Path, path: Path) -> None:
    """Unlike renaming, linking never replaces a file that another process created."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise RefusedError(
            f"another process created {path} in the meantime, so nothing was copied",
            fix="choose another name",
        ) from None
