"""Migrations: run by themselves when a database is behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from newsletter.errors import RefusedError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Engine

HEAD = "0001"
"""The newest revision. Known here so that start-up need not load Alembic to find nothing to do."""


def upgrade(engine: Engine) -> None:
    """Bring a database to `HEAD`; an empty one gets every table.

    Raises:
        RefusedError: The database is newer than this program.
    """
    revision = current(engine)
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        raise RefusedError(
            f"the database is at revision {revision}, this program knows {HEAD}",
            fix="run the newer program",
        )
    from alembic import command

    with engine.connect() as connection:
        connection.execution_options(write=True)
        with connection.begin():
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def current(engine: Engine) -> str | None:
    """The revision a database is at, or None when it is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(
            text("SELECT version_num FROM alembic_version")
        ).scalar()
        return found


def alembic_config() -> Config:
    """Alembic's settings, without a file of their own."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
