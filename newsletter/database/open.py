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


def open_store(settings: Settings, command: str = "") -> Store:
    """Open the database of these settings, creating and migrating it where needed.

    Args:
        command: What to call this process when others have to wait for it: ``serve``.

    Raises:
        InputError: `database_url` is not the URL of a database.
        GoneError: The file was there and is not any more.
        UnavailableError: The database cannot be reached or made, or somebody needs it alone.
    """
    return open_url(resolve_url(settings), command)


def open_url(url: URL, command: str = "", *, alone: bool = False) -> Store:
    """Open a database, creating and migrating it where needed.

    Args:
        command: As `open_store`.
        alone: Whether nobody else may have it open meanwhile.

    Raises:
        RefusedError: It is wanted alone, and others have it open.
        InputError: As `open_store`.
        UnavailableError: As `open_store`.
    """
    return migrated(connect(url, command, alone=alone))


def migrated(store: Store) -> Store:
    """Bring a database up to date, or close it. Raises: as `migrate`."""
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
