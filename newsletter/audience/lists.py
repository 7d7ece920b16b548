"""Mailing lists: by name, and what is known of the people on them."""

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
    """The list of that name.

    Raises:
        InputError: There is none.
    """
    found = _find(connection, name)
    if found is None:
        raise InputError(
            f"there is no list {name!r}", fix="`./send.py subscribers lists` shows the lists"
        )
    return found


def ensure_list(connection: Connection, name: str, at: float) -> int:
    """The list of that name, made if need be.

    Raises:
        InputError: This is no name for a list.
    """
    require_list_name(name)
    if (found := _find(connection, name)) is None:
        insert_new(connection, mailing_list, {"name": name, "created_at": at})
        found = list_id(connection, name)
    return found


def require_list_name(name: str) -> None:
    """Refuse what is no name for a list.

    Raises:
        InputError: It is blank, too long, or holds control characters.
    """
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(f"a list's name has 1 to {LONGEST_NAME} printable characters")


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
    """Every list, and how many people are active on it."""
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
    """How many people are active on a list; an unknown list has none."""
    return list_counts(store).get(list_name, 0)


def columns(store: Store, list_name: str | None = None) -> frozenset[str]:
    """What merge fields can be filled from: names, and the attributes somebody on the list has."""
    with store.read() as connection:
        return frozenset({"first_name", "last_name", *attribute_names(connection, list_name)})


def list_names(store: Store) -> frozenset[str]:
    """Every list there is."""
    with store.read() as connection:
        return frozenset(connection.execute(select(mailing_list.c.name)).scalars())


def attribute_names(connection: Connection, list_name: str | None = None) -> list[str]:
    """The attributes that somebody on the list (None: anybody) has, in order."""
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
