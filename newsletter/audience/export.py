"""A list as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, TextIO

from sqlalchemy import select

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
        # One row for each reason, ordered by subscriber: the rows of one are adjacent.
        for _, group in groupby(rows, key=attrgetter("id")):
            person, *others = group
            reasons = " ".join(row.reason for row in (person, *others) if row.reason)
            cells = [person._mapping[name] for name in _COLUMNS]
            cells += [reasons, *(person.attributes.get(name, "") for name in attributes)]
            writer.writerow([escape_formula(str(cell)) for cell in cells])
            number += 1
    return number


def escape_formula(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula."""
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
