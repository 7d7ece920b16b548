"""Lifting a suppression that the subscriber did not ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.key_check import check_suppression_key_within
from newsletter.audience.model import SuppressionReason
from newsletter.audience.subscribers import NOBODY, Consent, find, of_no_subscriber, record
from newsletter.audience.suppression import lift, reasons
from newsletter.audience.tables import suppression

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.store.engine import Store


LIFTABLE = (SuppressionReason.MANUAL, SuppressionReason.BOUNCED)
"""What an operator decided and what a mail server reported: both may be mistaken."""


@dataclass(frozen=True, slots=True)
class Unsuppressed:
    """The reasons that were ``lifted``, and those ``standing`` in the way of mail."""

    lifted: frozenset[SuppressionReason]
    standing: frozenset[SuppressionReason]


def unsuppress_address(
    store: Store, address: str, keys: Keys, *, by: str, reason: str
) -> Unsuppressed:
    """Lift manual suppressions and bounces of an address; what the subscriber asked for stays.

    Each is recorded as a consent event, with the note of the suppression.

    Args:
        by: Who decided, for the record.
        reason: Why, for the record.

    Raises:
        InputError: The address is invalid.
        RefusedError: The suppression key is not this database's.
    """
    key = address_key(check_address(address))
    hashed = address_hash(key, keys)
    with store.write() as connection:
        check_suppression_key_within(connection, keys)
        person = find(connection, key)
        nobody = of_no_subscriber(hashed) if person is None else {}
        liftable = connection.execute(
            select(suppression.c.reason, suppression.c.source, suppression.c.at)
            .where(suppression.c.address_hash == hashed, suppression.c.reason.in_(LIFTABLE))
            .order_by(suppression.c.at)
            .with_for_update()
        ).all()
        # The suppression's row is deleted: what it said is kept with the event.
        for lifted, source, at in liftable:
            lift(connection, hashed, SuppressionReason(lifted))
            evidence = {
                "reason": reason,
                "lifted": lifted,
                "was": source,
                "suppressed_at": at,
                **nobody,
            }
            consent = Consent(by, store.now(connection), evidence=evidence)
            record(connection, person.uid if person else NOBODY, "", "unsuppressed", consent)
        return Unsuppressed(
            frozenset(SuppressionReason(row.reason) for row in liftable),
            reasons(connection, hashed),
        )
