"""A database to copy into: it appears complete or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.database.open import migrated, open_url
from newsletter.errors import RefusedError
from newsletter.store.engine import Store, shown, sqlite_path, sqlite_store
from newsletter.store.presence import Presence, left_log

if TYPE_CHECKING:
    from sqlalchemy import URL


@contextmanager
def open_target(url: URL, command: str = "") -> Iterator[Store]:
    """Open a database to copy into, which nobody else may have open meanwhile.

    A SQLite file that is not there yet appears at the end. It grows beside its place, so that a
    copy that is refused or broken off leaves nothing, and nobody can begin to use half of one.

    Args:
        command: As `newsletter.database.open.open_store`.

    Raises:
        RefusedError: Others have it open, or what was there before; or a log of that was left; or
            somebody else made the file meanwhile.
        InputError: As `open_url`.
        UnavailableError: As `open_url`.
    """
    path = sqlite_path(url)
    if path is None:
        with closing(open_url(url, command, alone=True)) as store:
            yield store
        return
    # Linking would be refused by a link that leads nowhere yet.
    path = path.resolve()
    with _folder(path.parent), closing(Presence(path, shown(url), command, alone=True)) as presence:
        if path.exists():
            with closing(migrated(sqlite_store(path))) as store:
                yield store
            return
        _require_no_log(path)
        with tempfile.TemporaryDirectory(dir=presence.folder) as aside:
            part = Path(aside) / path.name
            with closing(migrated(sqlite_store(part))) as store:
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


def _require_no_log(path: Path) -> None:
    if log := left_log(path):
        raise RefusedError(
            f"{log} is here, and the database that it belongs to is not",
            fix="it holds the last changes of that one: move it to where that is",
        )


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
