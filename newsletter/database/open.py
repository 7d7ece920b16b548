"""Opening a database: made and migrated where needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from newsletter.database.migrate import upgrade
from newsletter.errors import UnavailableError
from newsletter.store.engine import Store, connect, resolve_url

if TYPE_CHECKING:
    from sqlalchemy import URL

    from newsletter.settings.model import Settings


def open_store(settings: Settings) -> Store:
    """Open the database of these settings, creating and migrating it where needed.

    Raises:
        InputError: `database_url` is invalid.
        UnavailableError: The database cannot be reached or created.
    """
    return open_url(resolve_url(settings))


def open_url(url: URL) -> Store:
    """Open a database, creating and migrating it where needed. Raises: as `open_store`."""
    store = connect(url)
    try:
        migrate(store)
    except BaseException:
        store.close()
        raise
    return store


def migrate(store: Store) -> str | None:
    """Migrate a database to the current schema.

    Returns:
        The revision before; None if the database was empty.

    Raises:
        RefusedError: The database is newer than this program, or does not use UTF-8.
        UnavailableError: The database cannot be reached or created.
    """
    try:
        return upgrade(store.engine)
    except DBAPIError as error:
        raise UnavailableError(
            f"cannot open the database {store.name}: {str(error.orig).strip()}",
            fix="check database_url, the disk, and that the server is running",
        ) from None
