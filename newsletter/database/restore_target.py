"""A database to be filled: it is there whole, or not at all."""

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
    """Open a database to copy into. A SQLite file that is not there yet appears at the end.

    It grows beside its place, so that a copy that is refused or broken off leaves nothing, and
    nobody can begin to use half of one.

    Raises:
        RefusedError: Somebody else made the file meanwhile.
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
    """Have a file, or the names in a folder, written to the disk."""
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
    """Unlike renaming, linking never replaces what somebody else put there."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise RefusedError(
            f"somebody else made {path} meanwhile", fix="nothing was copied: name another"
        ) from None
