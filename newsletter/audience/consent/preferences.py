"""What subscribers change by themselves, with a link from their mail."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.consent.action_links import forget_links
from newsletter.audience.key_check import check_suppression_key_within
from newsletter.audience.lists import ensure_list
from newsletter.audience.mailability import mailed_lists
from newsletter.audience.model import SubscriptionState, SuppressionReason
from newsletter.audience.subscribers import Consent, Subscriber, find, record, subscribe
from newsletter.audience.suppression import lift, reasons
from newsletter.audience.tables import mailing_list, subscriber, subscription

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys


def reader(connection: Connection, uid: int) -> Subscriber | None:
    """The subscriber with this uid."""
    row = connection.execute(select(subscriber).where(subscriber.c.uid == uid)).first()
    return Subscriber._make(row) if row else None


def active_lists(connection: Connection, person: Subscriber) -> frozenset[str]:
    """The lists on which a subscription is active."""
    return frozenset(active_titles(connection, person))


def active_titles(connection: Connection, person: Subscriber) -> dict[str, str]:
    """The same, with the title of each by its name; a list without a title has its name."""
    query = (
        select(mailing_list.c.name, mailing_list.c.title)
        .join(subscription, subscription.c.list_id == mailing_list.c.id)
        .where(
            subscription.c.subscriber_id == person.id,
            subscription.c.state == SubscriptionState.ACTIVE,
        )
        .order_by(mailing_list.c.name)
    )
    return {row.name: row.title or row.name for row in connection.execute(query)}


def gets_mail(connection: Connection, uid: int) -> bool:
    """Whether any list mails a subscriber; a pause does not count, since it ends by itself."""
    person = reader(connection, uid)
    return person is not None and bool(mailed_lists(connection, person.id))


def choose(
    connection: Connection,
    person: Subscriber,
    wanted: Collection[str],
    offered: Collection[str],
    consent: Consent,
) -> None:
    """Join and leave single lists; each change is recorded.

    Args:
        connection: A write transaction.
        person: From `reader`.
        wanted: The lists they ticked.
        offered: The lists they were shown; others stay as they are.
        consent: The source of the choice.
    """
    now = active_lists(connection, person)
    for name in offered:
        if name in wanted and name not in now:
            # Pending first: `subscribe` leaves an unsubscribed state alone, and here the subscriber
            # has asked. A suppression of the address stays.
            ensure_list(connection, name, consent.at)
            _set_state(connection, person, name, SubscriptionState.PENDING, consent.at)
            subscribe(connection, person, name, consent)
        elif name not in wanted and name in now:
            _set_state(connection, person, name, SubscriptionState.UNSUBSCRIBED, consent.at)
            record(connection, person.uid, name, "left-list", consent)


def _set_state(
    connection: Connection, person: Subscriber, name: str, state: SubscriptionState, at: float
) -> None:
    which = select(mailing_list.c.id).where(mailing_list.c.name == name).scalar_subquery()
    connection.execute(
        update(subscription)
        .where(subscription.c.subscriber_id == person.id, subscription.c.list_id == which)
        .values(state=state, updated_at=at)
    )


def pause(connection: Connection, person: Subscriber, until: float, consent: Consent) -> None:
    """Pause all mail to a subscriber until then (Unix seconds); 0 ends a pause."""
    _update(connection, person, {"paused_until": until, "updated_at": consent.at})
    record(connection, person.uid, "", "paused" if until else "pause-ended", consent)


def change_address(
    connection: Connection, person: Subscriber, email: str, keys: Keys, consent: Consent
) -> bool | None:
    """Change a subscriber's address to one that its reader has confirmed.

    The confirmation ends an earlier unsubscribe of the new address; every other suppression of
    either address stays with that address. Links mailed to the old address are deleted: its next
    owner must not move or erase somebody else's data.

    Unsubscribing locks the same row (`find_subscribers` in
    `newsletter.audience.consent.unsubscribe`), so it happens either before, and is seen here, or
    after, and ends mail to the new address.

    Args:
        connection: A write transaction.
        person: From `reader`; perhaps out of date.

    Returns:
        False if another subscriber has that address, None if this one has unsubscribed or was
        erased in the meantime; then nothing changes.

    Raises:
        InputError: The address is invalid.
        RefusedError: The suppression key is not this database's.
    """
    check_suppression_key_within(connection, keys)
    email = check_address(email)
    query = select(subscriber).where(subscriber.c.id == person.id).with_for_update()
    now = connection.execute(query).first()
    # The unsubscribe would stay behind with the old address.
    if now is None or SuppressionReason.UNSUBSCRIBED in reasons(connection, now.address_hash):
        return None
    # Two people may share a mailbox; merging them would give one the other's lists.
    holder = find(connection, email)
    if holder is not None and holder.id != person.id:
        return False
    key = address_key(email)
    hashed = address_hash(key, keys)
    values = {"email": email, "email_key": key, "address_hash": hashed, "updated_at": consent.at}
    _update(connection, person, values)
    # Its reader has just confirmed it, as with a sign-up.
    lift(connection, hashed, SuppressionReason.UNSUBSCRIBED)
    forget_links(connection, person.uid)
    record(connection, person.uid, "", "address-changed", consent)
    return True


def _update(connection: Connection, person: Subscriber, values: Mapping[str, Any]) -> None:
    connection.execute(update(subscriber).where(subscriber.c.id == person.id).values(**values))
