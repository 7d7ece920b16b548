"""Migrations: run by themselves when a database is behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from newsletter.errors import RefusedError
from newsletter.store.engine import advisory_lock

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

_FOLDER = Path(__file__).parent / "migrations"
HEAD = max(path.name for path in (_FOLDER / "versions").glob("[0-9]*.py")).partition("_")[0]
"""The newest revision, by the names of the files: finding nothing to do need not load Alembic."""


def upgrade(engine: Engine) -> str | None:
    """Bring a database to `HEAD`; an empty one gets every table.

    Any number of processes may try at once: one does it, the others wait and find it done.

    Returns:
        The revision before; None if it was empty.

    Raises:
        RefusedError: The database is newer than this program, or cannot hold every character.
    """
    revision = current(engine)
    if revision == HEAD:
        return revision
    if revision is not None and revision > HEAD:
        raise RefusedError(
            f"the database is at revision {revision}, this program knows {HEAD}",
            fix="run the newer program",
        )
    from alembic import command

    with engine.connect() as connection:
        connection.execution_options(write=True)
        with connection.begin():
            advisory_lock(connection, "newsletter migrations")
            _require_utf8(connection)
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return revision


def current(engine: Engine) -> str | None:
    """The revision a database is at, or None when it is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(
            text("SELECT version_num FROM alembic_version")
        ).scalar()
        return found


def _require_utf8(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise RefusedError(
            f"the PostgreSQL database's encoding is {encoding}: not every name could be kept",
            fix="CREATE DATABASE newsletter ENCODING 'UTF8' TEMPLATE template0",
        )


def alembic_config() -> Config:
    """Alembic's settings, without a file of their own."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config
