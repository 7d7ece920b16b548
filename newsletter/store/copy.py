"""Copies rows between databases, and verifies the copy by checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, Table, exists, func, insert, select, text
from sqlalchemy.exc import DataError, IntegrityError

from newsletter.errors import InputError, RefusedError
from newsletter.store.metadata import metadata

if TYPE_CHECKING:
    from newsletter.store.engine import Store

Progress = Callable[[int, int], None]
"""Called with the steps done and the total; each row counts once to copy and once to verify."""

BATCH = 2000


@dataclass(frozen=True, slots=True)
class _Content:
    """A table's content as a count and a checksum that do not depend on the order of its rows."""

    rows: int = 0
    checksum: int = 0

    def plus(self, rows: Sequence[Row[Any]]) -> _Content:
        """The content with these rows added."""
        digests = (hashlib.blake2b(repr(tuple(row)).encode(), digest_size=16) for row in rows)
        # A sum, since the order of rows differs between the databases; modulo, to stay small.
        total = sum(int.from_bytes(each.digest(), "big") for each in digests)
        return _Content(self.rows + len(rows), (self.checksum + total) % (1 << 128))


def copy_rows(
    source: Store,
    reading: Connection,
    target: Store,
    writing: Connection,
    progress: Progress | None,
) -> dict[str, int]:
    """Copy every row of every table of the shared metadata.

    Args:
        source: The database that ``reading`` reads, from one snapshot.
        target: A database with empty tables; ``writing`` is its write transaction.
        progress: Called every few thousand rows.

    Returns:
        Rows by table.

    Raises:
        InputError: A row does not fit, or the copy differs from what was read.
        RefusedError: The target is not empty.
    """
    _require_empty(target, writing)
    total = sum(
        reading.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    )
    steps = _Steps(2 * total, progress)
    read = {}
    for table in metadata.sorted_tables:
        content = _Content()
        with reading.execute(_everything(table)) as result:
            for rows in result.partitions():
                try:
                    writing.execute(insert(table), [dict(row._mapping) for row in rows])
                except (DataError, IntegrityError) as error:
                    # Only the first line: the others quote the row, which is personal data.
                    reason = str(error.orig).partition("\n")[0]
                    message = f"a row of the table {table.name} does not fit: {reason}"
                    raise InputError(message) from None
                content = content.plus(rows)
                steps.add(len(rows))
        read[table.name] = content
    if writing.dialect.name == "postgresql":
        _settle_postgres(writing)
    # Read back: a driver may store a value and return another (floats, time zones, encodings).
    for table in metadata.sorted_tables:
        _verify(writing, table, read[table.name], steps)
    return {name: content.rows for name, content in read.items()}


class _Steps:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self.total = total
        self._done = 0
        self._progress = progress

    def add(self, number: int) -> None:
        self._done += number
        if self._progress:
            self._progress(self._done, self.total)


def _require_empty(target: Store, connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # So that nobody else fills it while we copy.
        connection.execute(text(f"LOCK TABLE {_names(connection)} IN EXCLUSIVE MODE"))
    for table in metadata.sorted_tables:
        if connection.execute(select(exists().select_from(table))).scalar_one():
            raise RefusedError(
                f"the database {target.name} is not empty: the table {table.name} has rows",
                fix="choose an empty database; nothing is ever overwritten or merged",
            )


def _verify(connection: Connection, table: Table, expected: _Content, steps: _Steps) -> None:
    found = _Content()
    with connection.execute(_everything(table)) as result:
        for rows in result.partitions():
            found = found.plus(rows)
            steps.add(len(rows))
    if found != expected:
        raise InputError(
            f"the copy of the table {table.name} differs: {expected.rows:,} rows were read, "
            f"{found.rows:,} written, or their contents are not the same; nothing was kept"
        )


def _everything(table: Table) -> Select[Any]:
    return select(table).execution_options(yield_per=BATCH)


def _settle_postgres(connection: Connection) -> None:
    """Number new rows after the copied ones, and update the planner's statistics."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            last = select(func.max(column)).scalar_subquery()
            connection.execute(select(func.setval(sequence, last)).where(last.is_not(None)))
    connection.execute(text(f"ANALYZE {_names(connection)}"))


def _names(connection: Connection) -> str:
    quote = connection.dialect.identifier_preparer.format_table
    return ", ".join(quote(table) for table in metadata.sorted_tables)
