"""Locks on files (flock(2)): the kernel lets go of them when their holder dies, however it dies."""

from __future__ import annotations

import fcntl


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock of this kind (``fcntl.LOCK_EX``, ``LOCK_SH``) at once, or not at all."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
