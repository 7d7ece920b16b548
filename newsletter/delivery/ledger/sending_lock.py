"""One sending process per SQLite database, ensured by a lock that ends with its holder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.errors import RefusedError, UnavailableError
from newsletter.store.flock import try_lock

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from newsletter.store.engine import Store

# A process that tests the lock holds it for a moment.
PATIENCE_S = 1.0
SENDING = "sending"


@contextmanager
def sending_lock(store: Store, what: str = SENDING) -> Iterator[None]:
    """Hold the right to send from this database; PostgreSQL has leases instead.

    Args:
        what: Campaigns by default; each kind of mail has its own lock.

    Raises:
        RefusedError: Another process is sending.
        UnavailableError: The lock file cannot be created.
    """
    path = lock_path(store.engine, what)
    if path is None:
        yield
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UnavailableError(f"cannot lock the database for sending: {error.strerror}") from None
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise RefusedError(
                    "another process is sending from this database",
                    fix="wait until it finishes; `./send.py status` shows its progress",
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def is_sending(engine: Engine) -> bool:
    """Whether a process holds the right to send from this SQLite database."""
    path = lock_path(engine)
    if path is None or not path.exists():
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Shared, so that any number of processes can ask at once without blocking each other.
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def lock_path(engine: Engine, what: str = SENDING) -> Path | None:
    """The lock file beside a SQLite database, by whatever links it is reached; None for others."""
    database = engine.url.database
    if engine.dialect.name != "sqlite" or not database or database == ":memory:":
        return None
    return Path(f"{os.path.realpath(database)}-{what}")
