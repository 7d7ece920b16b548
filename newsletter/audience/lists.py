"""Mailing lists: by name, with their sizes and attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, and_, func, select, true

from newsletter.audience.model import SubscriptionState
from newsletter.audience.tables import mailing_list, subscriber, subscription
from newsletter.errors import InputError
from newsletter.store.upsert import insert_new

if TYPE_CHECKING:
    from newsletter.store.engine import Store

LONGEST_NAME = 80


def list_id(connection: Connection, name: str) -> int:
    """The id of a list.

    Raises:
        InputError: There is no list with that name.
    """
    found = _find(connection, name)
    if found is None:
        raise InputError(
            f"there is no list {name!r}", fix="see the lists with `./send.py subscribers lists`"
        )
    return found


def ensure_list(connection: Connection, name: str, at: float) -> int:
    """The id of a list, created if needed.

    Raises:
        InputError: The name is invalid.
    """
    require_list_name(name)
    if (found := _find(connection, name)) is None:
        insert_new(connection, mailing_list, {"name": name, "created_at": at})
        found = list_id(connection, name)
    return found


def require_list_name(name: str) -> None:
    """Refuse an invalid name for a list.

    Raises:
        InputError: The name is blank, too long, or contains control characters.
    """
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(f"a list name must have 1 to {LONGEST_NAME} printable characters")


def list_states(store: Store) -> dict[str, dict[SubscriptionState, int]]:
    """Every list, and how many people are on it in which state."""
    query = (
        select(mailing_list.c.name, subscription.c.state, func.count())
        .outerjoin(subscription, subscription.c.list_id == mailing_list.c.id)
        .group_by(mailing_list.c.name, subscription.c.state)
        .order_by(mailing_list.c.name)
    )
    found: dict[str, dict[SubscriptionState, int]] = {}
    with store.read() as connection:
        for name, state, number in connection.execute(query):
            states = found.setdefault(name, {})
            if state is not None:
                states[SubscriptionState(state)] = number
    return found


def list_counts(store: Store) -> dict[str, int]:
    """Every list, with the number of active subscribers."""
    query = (
        select(mailing_list.c.name, func.count(subscription.c.subscriber_id))
        .outerjoin(
            subscription,
            and_(
                subscription.c.list_id == mailing_list.c.id,
                subscription.c.state == SubscriptionState.ACTIVE,
            ),
        )
        .group_by(mailing_list.c.id, mailing_list.c.name)
        .order_by(mailing_list.c.name)
    )
    with store.read() as connection:
        return {row.name: row[1] for row in connection.execute(query)}


def count(store: Store, list_name: str) -> int:
    """The number of active subscribers on a list; 0 for an unknown list."""
    return list_counts(store).get(list_name, 0)


def columns(store: Store, list_name: str | None = None) -> frozenset[str]:
    """What can fill merge fields: names, and the attributes that anybody on the list has."""
    with store.read() as connection:
        return frozenset({"first_name", "last_name", *attribute_names(connection, list_name)})


def list_names(store: Store) -> frozenset[str]:
    """The names of all lists."""
    with store.read() as connection:
        return frozenset(connection.execute(select(mailing_list.c.name)).scalars())


def attribute_names(connection: Connection, list_name: str | None = None) -> list[str]:
    """The attributes that anybody on the list (None: on any) has, sorted."""
    pairs = func.json_each(subscriber.c.attributes).table_valued("key")
    source = subscriber.join(pairs, true())
    query = select(pairs.c.key).distinct().order_by(pairs.c.key)
    if list_name is not None:
        source = source.join(subscription, subscription.c.subscriber_id == subscriber.c.id)
        source = source.join(mailing_list, mailing_list.c.id == subscription.c.list_id)
        query = query.where(mailing_list.c.name == list_name)
    query = query.select_from(source)
    return list(connection.execute(query).scalars())


def _find(connection: Connection, name: str) -> int | None:
    return connection.execute(select(mailing_list.c.id).where(mailing_list.c.name == name)).scalar()
