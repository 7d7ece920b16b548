"""A private copy of the database, for runs that must change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from newsletter.store.backup import snapshot
from newsletter.store.engine import Store, sqlite_store
from newsletter.store.private import private_file

if TYPE_CHECKING:
    from newsletter.settings import Settings


@contextmanager
def scratch_copy(store: Store, settings: Settings) -> Iterator[Store]:
    """Copy the whole database to a private SQLite file, and delete it at the end.

    A dry run works on such a copy with the very code of a live run, and never holds a lock on the
    real database, so that readers can unsubscribe meanwhile.

    Raises:
        UnavailableError: The copy cannot be written (disk full, say).
    """
    with private_file(settings.var) as path:
        snapshot(store, path)
        copy = sqlite_store(path)
        try:
            yield copy
        finally:
            copy.close()
