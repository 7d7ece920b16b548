"""Rows for every table of the schema, whichever those are: awkward values, keys that fit."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    Integer,
    LargeBinary,
    String,
    Table,
    insert,
    select,
    update,
)

from newsletter.delivery.ledger.tables import campaign
from newsletter.store.engine import Store
from newsletter.store.metadata import metadata

ROWS = 7
TEXTS = (
    "",
    "plain",
    "Krøll & Søn, „Ätzend“ 🧠",
    "e\u0301 beside é",
    "two\nlines\tand a tab\x01",
    "'; DROP TABLE subscriber; --",
    "שלום \u200fمرحبا",
)
OBJECTS: tuple[Any, ...] = (
    {},
    {"city": "Zürich"},
    {"z": 1, "a": 2},
    {"deep": [None, True, 1.5, {"é": "\u2028"}]},
    {"": ""},
    {"long": "x" * 5000},
    {"number": 2**53 + 1, "text": '"\\"'},
)
NUMBERS = (0.1, 1_790_000_000.123456, 1e-300, -1.5, 3.0, 1e300, 2.0**53 + 2)


def fill(store: Store) -> None:
    """Write rows into every table, parents first."""
    with store.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(insert(table), [row_of(table, index) for index in range(ROWS)])
        connection.execute(update(campaign).values(state="paused"))


def contents(store: Store) -> dict[str, list[str]]:
    """Every row of every table, types shown."""
    with store.read() as connection:
        return {
            table.name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            for table in metadata.sorted_tables
        }


def counts(store: Store) -> dict[str, int]:
    return {name: len(rows) for name, rows in contents(store).items()}


def row_of(table: Table, index: int) -> dict[str, Any]:
    return {column.name: _value(column, index) for column in table.columns}


def _value(column: Column[Any], index: int) -> Any:
    if column.nullable and index % 2:
        return None
    for key in column.foreign_keys:
        return _value(key.column, index)
    if isinstance(column.type, String):
        return f"{index}{TEXTS[index]}"[: column.type.length]
    return next(value for kind, value in _values(column, index) if isinstance(column.type, kind))


def _values(column: Column[Any], index: int) -> list[tuple[type, Any]]:
    return [
        (JSON, OBJECTS[index]),
        (LargeBinary, bytes([index, 0, 255, 128, 39])),
        (BigInteger, index * 1000 + 1 if column.primary_key else 2**63 - 1 - index),
        (Integer, index * 1000 + 1),
        (Double, NUMBERS[index]),
    ]
