"""Inserting new rows only, and many at once, on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def insert_into(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what to do about conflicts.

    Args:
        dialect: ``connection.dialect.name``. PostgreSQL's is loaded only if used.
    """
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_on_postgresql

        return insert_on_postgresql(table)
    from sqlalchemy.dialects.sqlite import insert

    return insert(table)


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert one row, unless it violates a unique key.

    Returns:
        Whether it is new.
    """
    statement = insert_into(connection.dialect.name, table).on_conflict_do_nothing()
    # SQLAlchemy asks for the count only of UPDATE and DELETE, unless told to.
    counted = statement.execution_options(preserve_rowcount=True)
    return connection.execute(counted, row).rowcount == 1


def insert_new_all(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], name: str
) -> list[Any]:
    """Insert rows, except those that violate a unique key.

    Returns:
        The value in column ``name`` of each row that is new.
    """
    if not rows:
        return []
    statement = insert_into(connection.dialect.name, table).on_conflict_do_nothing()
    return list(connection.execute(statement.returning(table.c[name]), rows).scalars())


def insert_many(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    unique: str = "",
    ignore_known: bool = False,
) -> None:
    """Insert rows of values as the driver takes them (JSON already text).

    Args:
        connection: Within a write transaction.
        table: The table.
        names: The columns, in the order of each row's values.
        rows: The values.
        unique: A unique column: rows whose value already exists are skipped.
        ignore_known: Skip rows that violate any unique key.
    """
    if not rows:
        return
    statement = insert_into(connection.dialect.name, table).values(dict.fromkeys(names))
    if unique or ignore_known:
        statement = statement.on_conflict_do_nothing(index_elements=[unique] if unique else None)
    # Straight to the driver: SQLAlchemy's handling of each row takes longer than its insert.
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(names))
    values: Any = rows
    if compiled.positiontup:
        order = [names.index(name) for name in compiled.positiontup]
        if order != list(range(len(names))):
            values = [tuple(row[i] for i in order) for row in rows]
    else:
        values = [dict(zip(names, row, strict=True)) for row in rows]
    connection.exec_driver_sql(str(compiled), values)
