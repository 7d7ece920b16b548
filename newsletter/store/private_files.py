"""Database files that are nobody else's business: copies for a while, and what is left of them."""

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
    """A place for a database that only its owner can read, deleted at the end.

    Those of processes that were killed are deleted first: the lock on each folder says whose
    owner lives, and the kernel lets go of it when it dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_PREFIX}*"):
        _sweep(left)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as made:
        descriptor = os.open(made, os.O_RDONLY)
        try:
            _lock(descriptor)
            yield Path(made) / "copy.db"
        finally:
            os.close(descriptor)


def _sweep(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        # An empty one may be so new that it is not locked yet.
        if any(folder.iterdir()) and _lock(descriptor):
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether nobody else holds it; never on a file system without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
