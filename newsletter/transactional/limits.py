"""Rate limits for requests, counted in the database, so that all processes share them.

The generic cell rate algorithm (ITU-T I.371): one number for each limit and visitor. Visitors are
stored as keyed hashes, and only until their limit has expired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from newsletter.audience.keys import derive
from newsletter.delivery.ledger.tables import rate
from newsletter.store.upsert import insert_new

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from newsletter.audience.keys import Keys

_PREFIX = "visitor:"


@dataclass(frozen=True, slots=True)
class Limit:
    """``burst`` at once, then one every ``period`` seconds."""

    name: str
    burst: int
    period: float


CONFIRMATION_BY_DAY = Limit("letter-day", 1, 86_400.0)
CONFIRMATION_BY_MONTH = Limit("letter-month", 3, 10 * 86_400.0)
"""Confirmations to one address, so that nobody can flood it in somebody else's name.

The names are part of the hash: renaming them would reset what was counted before an upgrade.
"""
CONFIRMATIONS = (CONFIRMATION_BY_DAY, CONFIRMATION_BY_MONTH)
LINK_BY_READER = Limit("link", 3, 8 * 3_600.0)
"""Links that one subscriber asks for on the preferences page: three a day, so that nobody with a
forwarded link to that page can flood them, either.
"""


def take(connection: Connection, limit: Limit, who: str, keys: Keys, now: float) -> float:
    """Count one request.

    Args:
        connection: A write transaction.
        limit: The limit.
        who: The visitor or address.
        keys: For its hash.
        now: Unix seconds.

    Returns:
        0.0, or the seconds to wait; then the request is not counted.
    """
    # Expired ones are all dropped here: nothing about a visitor stays longer than its limit.
    connection.execute(delete(rate).where(rate.c.name.startswith(_PREFIX), rate.c.tat < now))
    name = _name(limit, who, keys)
    insert_new(connection, rate, {"name": name, "tat": now})
    mine = rate.c.name == name
    found = connection.execute(select(rate.c.tat).where(mine).with_for_update()).scalar_one()
    # A clock that was set back must not lock anybody out for longer than the limit itself allows.
    due = min(max(found, now), now + limit.burst * limit.period)
    wait = due - now - (limit.burst - 1) * limit.period
    if wait > 0:
        return float(wait)
    connection.execute(update(rate).where(mine).values(tat=due + limit.period))
    return 0.0


def take_all(
    connection: Connection, limits: Sequence[Limit], who: str, keys: Keys, now: float
) -> bool:
    """Count one request in every limit or, if one is used up, in none.

    Args: as `take`.

    Returns:
        Whether it was counted.
    """
    for index, limit in enumerate(limits):
        if take(connection, limit, who, keys, now):
            for taken in limits[:index]:
                give_back(connection, taken, who, keys)
            return False
    return True


def give_back(connection: Connection, limit: Limit, who: str, keys: Keys) -> None:
    """Uncount one request that had no effect."""
    mine = rate.c.name == _name(limit, who, keys)
    connection.execute(update(rate).where(mine).values(tat=rate.c.tat - limit.period))


def mailbox_of(key: str) -> str:
    """The mailbox that an address key probably leads to: large providers ignore dots and plus tags.

    Good enough for counting: two subscribers with the same result only share a limit.
    """
    local, _, domain = key.rpartition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{domain}"


def _name(limit: Limit, who: str, keys: Keys) -> str:
    state = derive(keys.signing, b"visitor", 16)
    state.update(f"{limit.name} {who}".encode())
    return _PREFIX + state.hexdigest()
