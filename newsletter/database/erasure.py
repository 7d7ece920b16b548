"""Erase a subscriber from every table (GDPR article 17)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, Text, cast, delete, literal, select, update

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.key_check import check_suppression_key_within
from newsletter.audience.model import SuppressionReason
from newsletter.audience.subscribers import Consent, events_of_no_subscriber, find, record
from newsletter.audience.suppression import suppress
from newsletter.audience.tables import consent_event, import_member, mailed_link, subscriber
from newsletter.campaign.subscriber_history import sent_to
from newsletter.delivery.ledger.tables import delivery
from newsletter.feedback.tables import event
from newsletter.queues.outgoing import forget_address

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.store.engine import Store


def erase(store: Store, email: str, keys: Keys, *, by: str) -> bool:
    """Delete everything about a subscriber (GDPR article 17); a keyed hash stays to suppress them.

    Consent events keep the opaque uid and lose their evidence. Past deliveries lose address, name
    and attributes, and keep the hash by which a queued one is skipped. Feedback events lose their
    payload. Mail waiting to be sent to them is deleted, with its links.

    Args:
        by: Who erases, for the record.

    Returns:
        Whether anything was stored about the address. It is suppressed in either case.

    Raises:
        InputError: The address is invalid.
        RefusedError: The suppression key is not this database's.
    """
    key = address_key(check_address(email))
    hashed = address_hash(key, keys)
    with store.write() as connection:
        check_suppression_key_within(connection, keys)
        at = store.now(connection)
        suppress(connection, hashed, SuppressionReason.ERASED, by, at)
        person = find(connection, key)
        theirs = sent_to(connection, key, person and person.uid)
        sent = connection.execute(select(delivery.c.address_hash).where(theirs)).scalars()
        reports = event.c.address_hash.in_({hashed, *sent}) & (event.c.payload != b"")
        requests = mailed_link.c.email_key == key
        # The rows stay, so that counts do; their keys are unique in a campaign, and tell nothing.
        anonymous = (
            update(delivery)
            .where(theirs)
            .values(
                email="",
                email_key=literal(f"erased-{secrets.token_hex(16)}-").concat(
                    cast(delivery.c.position, Text)
                ),
                first_name="",
                last_name="",
                attributes={},
            )
        )
        forgotten = (
            connection.execute(anonymous).rowcount
            + connection.execute(update(event).where(reports).values(payload=b"")).rowcount
            + connection.execute(delete(mailed_link).where(requests)).rowcount
            + forget_address(connection, key, person.uid if person else 0)
            + _forget_evidence(connection, events_of_no_subscriber(hashed))
        )
        if person is None:
            return forgotten > 0
        connection.execute(delete(mailed_link).where(mailed_link.c.subscriber_uid == person.uid))
        _forget_evidence(connection, consent_event.c.subscriber_uid == person.uid)
        record(connection, person.uid, "", "erased", Consent(by, at))
        connection.execute(delete(import_member).where(import_member.c.subscriber_id == person.id))
        connection.execute(delete(subscriber).where(subscriber.c.id == person.id))
        return True


def _forget_evidence(connection: Connection, theirs: ColumnElement[bool]) -> int:
    found = connection.execute(update(consent_event).where(theirs).values(evidence={}))
    return found.rowcount
