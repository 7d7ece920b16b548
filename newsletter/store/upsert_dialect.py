"""INSERT with ON CONFLICT, which both databases spell alike and SQLAlchemy keeps in two places."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.dialects import postgresql, sqlite


def insert_into(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can be told what to do about rows that are there already.

    Args:
        dialect: ``connection.dialect.name``. PostgreSQL's is loaded only where it is in use.
    """
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_on_postgresql

        return insert_on_postgresql(table)
    from sqlalchemy.dialects.sqlite import insert

    return insert(table)
