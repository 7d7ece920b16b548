"""A list as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from sqlalchemy import Row, select

from newsletter.audience.lists import attribute_names, list_id
from newsletter.audience.tables import subscriber, subscription, suppression

if TYPE_CHECKING:
    from newsletter.store.engine import Store

_COLUMNS = ("email", "first_name", "last_name", "language", "time_zone", "state")
_AT_A_TIME = 5000


def export_csv(store: Store, list_name: str, out: TextIO) -> int:
    """Write every subscriber of a list, with state, suppression reasons and attributes.

    A cell that a spreadsheet would run as a formula (it starts with ``=``, ``+``, ``-``, ``@``,
    tab or carriage return) gets a ``'`` in front (OWASP, CSV Injection).

    Args:
        store: The database.
        list_name: The list.
        out: Where to write; open it with ``newline=""`` if it is a file.

    Returns:
        The number of subscribers written.

    Raises:
        InputError: The list does not exist.
    """
    writer = csv.writer(out)
    number = 0
    with store.read() as connection:
        which = list_id(connection, list_name)
        attributes = attribute_names(connection, list_name)
        writer.writerow(map(escape_formula, (*_COLUMNS, "suppressed", *attributes)))
        query = (
            select(subscriber, subscription.c.state, suppression.c.reason)
            .join(subscription, subscription.c.subscriber_id == subscriber.c.id)
            .outerjoin(suppression, suppression.c.address_hash == subscriber.c.address_hash)
            .where(subscription.c.list_id == which)
            .order_by(subscriber.c.id, suppression.c.reason)
        )
        rows = connection.execution_options(yield_per=_AT_A_TIME).execute(query)
        for person, reasons in _by_person(rows):
            cells = [person._mapping[name] for name in _COLUMNS]
            cells += [reasons, *(person.attributes.get(name, "") for name in attributes)]
            writer.writerow([escape_formula(str(cell)) for cell in cells])
            number += 1
    return number


def escape_formula(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula."""
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _by_person(rows: Iterable[Row[Any]]) -> Iterable[tuple[Row[Any], str]]:
    person: Row[Any] | None = None
    reasons: list[str] = []
    for row in rows:
        if person is not None and row.id != person.id:
            yield person, " ".join(reasons)
            reasons = []
        person = row
        reasons += [row.reason] if row.reason else []
    if person is not None:
        yield person, " ".join(reasons)
