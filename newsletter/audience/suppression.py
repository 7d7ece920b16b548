"""Addresses that must never be mailed, as keyed hashes: reason by reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.key_check import check_suppression_key_within
from newsletter.audience.model import SuppressionReason
from newsletter.audience.tables import suppression
from newsletter.store.upsert import insert_new, insert_new_all

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from newsletter.audience.keys import Keys
    from newsletter.store.engine import Store


def suppress(
    connection: Connection,
    hashed: bytes,
    reason: SuppressionReason,
    source: str,
    at: float,
) -> bool:
    """Add one reason never to mail an address; the first date and source of a reason stay.

    Args:
        connection: A write transaction.
        hashed: `address_hash` of the address.
        reason: Why.
        source: Who or what reported it; no personal data.
        at: Unix seconds.

    Returns:
        Whether the reason is new.
    """
    row = {"address_hash": hashed, "reason": reason, "source": source, "at": at}
    # Several processes may report the same at once: the first one is on record.
    return insert_new(connection, suppression, row)


def suppress_all(
    connection: Connection,
    reason: SuppressionReason,
    found: Sequence[tuple[bytes, str, float]],
) -> set[bytes]:
    """The same for many addresses, as (hash, source, Unix seconds).

    Returns:
        The hashes for which the reason is new.
    """
    rows = [
        {"address_hash": hashed, "reason": reason, "source": source, "at": at}
        # In one order, so that two writers of many rows cannot deadlock.
        for hashed, source, at in sorted(found)
    ]
    return set(map(bytes, insert_new_all(connection, suppression, rows, "address_hash")))


def lift(connection: Connection, hashed: bytes, reason: SuppressionReason) -> bool:
    """Remove one reason, and no other.

    Returns:
        Whether it was there.
    """
    found = connection.execute(
        delete(suppression).where(
            suppression.c.address_hash == hashed, suppression.c.reason == reason
        )
    )
    return found.rowcount == 1


def reasons(connection: Connection, hashed: bytes) -> frozenset[SuppressionReason]:
    """Every reason why an address must not be mailed; empty if it may be."""
    query = select(suppression.c.reason).where(suppression.c.address_hash == hashed)
    return frozenset(map(SuppressionReason, connection.execute(query).scalars()))


def keeps_out(found: Collection[SuppressionReason]) -> bool:
    """Whether any reason is one that the subscriber cannot end by signing up again."""
    return bool(set(found) - {SuppressionReason.UNSUBSCRIBED})


def suppress_address(store: Store, address: str, keys: Keys, *, note: str) -> bool:
    """Suppress an address manually.

    Args:
        note: Who decided and why, for the record.

    Returns:
        Whether it was not manually suppressed before.

    Raises:
        InputError: The address is invalid.
        RefusedError: The suppression key is not this database's.
    """
    hashed = address_hash(address_key(check_address(address)), keys)
    with store.write() as connection:
        check_suppression_key_within(connection, keys)
        return suppress(connection, hashed, SuppressionReason.MANUAL, note, store.now(connection))
