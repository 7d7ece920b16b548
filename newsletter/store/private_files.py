"""Temporary private copies of a database, and cleaning up after killed processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "private-"


@contextmanager
def private_file(folder: Path) -> Iterator[Path]:
    """A path for a database that only its owner can read, deleted at the end.

    Files of killed processes are deleted first: a live process holds a lock on its folder, and the
    kernel releases the lock when the process dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_PREFIX}*"):
        _delete_abandoned(left)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as made:
        descriptor = os.open(made, os.O_RDONLY)
        try:
            _lock(descriptor)
            yield Path(made) / "copy.db"
        finally:
            os.close(descriptor)


def _delete_abandoned(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        # An empty folder may be so new that it is not locked yet.
        if any(folder.iterdir()) and _lock(descriptor):
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether the lock was taken; never on a file system without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
