"""Migrations: run automatically when a database is out of date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from newsletter.errors import RefusedError
from newsletter.store.engine import advisory_lock

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Engine

_FOLDER = Path(__file__).parent / "migrations"
HEAD = max(path.name for path in (_FOLDER / "versions").glob("[0-9]*.py")).partition("_")[0]
"""The newest revision, from the file names: most runs have nothing to do and skip Alembic."""


def upgrade(engine: Engine) -> str | None:
    """Migrate a database to `HEAD`; an empty one gets every table.

    Any number of processes may try at once: one does it, the others wait and find it done.

    Returns:
        The revision before; None if the database was empty.

    Raises:
        RefusedError: The database is newer than this program, or does not use UTF-8.
    """
    revision = current(engine)
    if revision == HEAD:
        return revision
    if revision is not None and revision > HEAD:
        raise RefusedError(
            f"the database is at revision {revision}, newer than this program's {HEAD}",
            fix="run the newer version of the program",
        )
    from alembic import command

    with engine.connect() as connection:
        connection.execution_options(write=True)
        with connection.begin():
            # Alembic has no lock of its own: two processes would both create the tables.
            advisory_lock(connection, "newsletter migrations")
            if connection.dialect.name == "postgresql":
                encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
                if encoding != "UTF8":
                    raise RefusedError(
                        f"the PostgreSQL database uses the encoding {encoding}, which cannot "
                        "store every name",
                        fix="CREATE DATABASE newsletter ENCODING 'UTF8' TEMPLATE template0",
                    )
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return revision


def current(engine: Engine) -> str | None:
    """The revision of a database, or None if it is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(
            text("SELECT version_num FROM alembic_version")
        ).scalar()
        return found


def alembic_config() -> Config:
    """Alembic's settings, without an ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config
