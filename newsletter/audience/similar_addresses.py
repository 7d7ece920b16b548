"""Addresses close to the one that was typed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from newsletter.audience.address import address_key, check_address
from newsletter.audience.tables import subscriber

if TYPE_CHECKING:
    from newsletter.store.engine import Store

# Typing errors in the first character are rare, and this leaves few addresses to compare.
_SAME_START = 1
_LENGTHS = 2
_MOST_COMPARED = 50_000
_ALIKE = 0.93
_SHOWN = 3


def similar_addresses(store: Store, email: str) -> list[str]:
    """The few subscribers' addresses most similar to this one, the most similar first.

    They start with the same character or have the same part before the ``@``, and have about the
    same length: with a million subscribers, comparing more would take too long.

    Raises:
        InputError: The address is invalid.
    """
    key = address_key(check_address(email))
    local = key.rpartition("@")[0] + "@"
    column = subscriber.c.email_key
    query = (
        select(column, subscriber.c.email)
        .where(
            column != key,
            func.length(column).between(len(key) - _LENGTHS, len(key) + _LENGTHS),
            or_(
                func.substr(column, 1, _SAME_START) == key[:_SAME_START],
                func.substr(column, 1, len(local)) == local,
            ),
        )
        .limit(_MOST_COMPARED)
    )
    with store.read() as connection:
        found = {row.email_key: row.email for row in connection.execute(query)}
    return [found[near] for near in get_close_matches(key, found, _SHOWN, _ALIKE)]
