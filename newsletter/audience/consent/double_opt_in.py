"""Double opt-in: what a confirmed sign-up changes, and what an unconfirmed one may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from newsletter.audience.address import address_hash, address_key
from newsletter.audience.consent.action_links import find_link, redeem
from newsletter.audience.key_check import check_suppression_key_within
from newsletter.audience.mailability import mailed_lists
from newsletter.audience.model import LinkAction
from newsletter.audience.subscribers import Consent, add, find, subscribe
from newsletter.audience.suppression import keeps_out, reasons
from newsletter.audience.tables import subscriber

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from newsletter.audience.keys import Keys
    from newsletter.audience.model import ActionLink


def may_be_asked(connection: Connection, email: str, keys: Keys) -> bool:
    """Whether a confirmation may be mailed to an address.

    One who unsubscribed may come back by themselves. Who complained, bounced, was erased or was
    suppressed by hand is never written to, whoever types the address.

    Args:
        connection: A write transaction.

    Raises:
        RefusedError: The suppression key is not this database's.
    """
    check_suppression_key_within(connection, keys)
    return not keeps_out(reasons(connection, address_hash(address_key(email), keys)))


def confirm_join(connection: Connection, link_id: int, keys: Keys, at: float) -> int | None:
    """Put the reader who pressed the button on the lists they asked for.

    Their earlier unsubscribe ends with it, and no other reason of suppression.

    Args:
        connection: A write transaction.
        at: Unix seconds.

    Returns:
        The subscriber's uid; None when the link was used before, or forgotten.

    Raises:
        RefusedError: The suppression key is not this database's.
    """
    check_suppression_key_within(connection, keys)
    link = redeem(connection, link_id, at)
    if link is None:
        return None
    person = add(connection, link.email, keys, at=at)
    _keep_language(connection, person, link.details["language"])
    evidence = {"asked_at": link.created_at, "wording": link.details["wording"]}
    consent = Consent(link.details["source"], at, link.details["wording_version"], evidence)
    for name in link.details["lists"]:
        subscribe(connection, person, name, consent, confirmed_by_reader=True)
    return int(person.uid)


def is_joined(connection: Connection, link_id: int) -> ActionLink | None:
    """The used request of a reader who is on all the lists that they asked for by it, and may be
    mailed; None of every other.
    """
    link = find_link(connection, link_id, used=True)
    if link is None or link.action is not LinkAction.JOIN:
        return None
    person = find(connection, link.email)
    mailed = mailed_lists(connection, person.id) if person else frozenset()
    return link if person and set(link.details["lists"]) <= mailed else None


def _keep_language(connection: Connection, person: Row[tuple[object, ...]], language: str) -> None:
    connection.execute(
        update(subscriber)
        .where(subscriber.c.id == person.id, subscriber.c.language == "")
        .values(language=language)
    )
