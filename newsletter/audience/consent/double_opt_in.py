"""Double opt-in: who may be asked to confirm a sign-up, and what confirming changes."""

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
    from sqlalchemy import Connection

    from newsletter.audience.keys import Keys
    from newsletter.audience.model import ActionLink


def may_be_asked(connection: Connection, email: str, keys: Keys) -> bool:
    """Whether a confirmation may be mailed to an address.

    People who unsubscribed may come back by themselves. An address that complained, bounced, was
    erased or was manually suppressed is never mailed, whoever types it.

    Args:
        connection: A write transaction.

    Raises:
        RefusedError: The suppression key is not this database's.
    """
    check_suppression_key_within(connection, keys)
    return not keeps_out(reasons(connection, address_hash(address_key(email), keys)))


def confirm_join(connection: Connection, link_id: int, keys: Keys, at: float) -> int | None:
    """Put the reader who pressed the button on the lists they asked for.

    This ends an earlier unsubscribe, and no other reason for suppression.

    Args:
        connection: A write transaction.
        at: Unix seconds.

    Returns:
        The subscriber's uid; None if the link was used before or deleted.

    Raises:
        RefusedError: The suppression key is not this database's.
    """
    check_suppression_key_within(connection, keys)
    link = redeem(connection, link_id, at)
    if link is None:
        return None
    person = add(connection, link.email, keys, at=at)
    # Only if none is known: an imported language is the subscriber's own, a browser's is a guess.
    connection.execute(
        update(subscriber)
        .where(subscriber.c.id == person.id, subscriber.c.language == "")
        .values(language=link.details["language"])
    )
    evidence = {"asked_at": link.created_at, "wording": link.details["wording"]}
    consent = Consent(link.details["source"], at, link.details["wording_version"], evidence)
    for name in link.details["lists"]:
        subscribe(connection, person, name, consent, confirmed_by_reader=True)
    return person.uid


def is_joined(connection: Connection, link_id: int) -> ActionLink | None:
    """The used request behind a link, if its reader still gets mail from all lists it names."""
    link = find_link(connection, link_id, used=True)
    if link is None or link.action is not LinkAction.JOIN:
        return None
    person = find(connection, link.email)
    mailed = mailed_lists(connection, person.id) if person else frozenset()
    return link if person and set(link.details["lists"]) <= mailed else None
