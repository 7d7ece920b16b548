"""The way back from a suppression that no reader wished for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

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
"""What we decided, and what a mail server said: both may be mistaken."""


@dataclass(frozen=True, slots=True)
class Unsuppressed:
    """Which reasons were ``lifted``, and which keep mail away still."""

    lifted: frozenset[SuppressionReason]
    standing: frozenset[SuppressionReason]


def unsuppress_address(
    store: Store, address: str, keys: Keys, *, by: str, reason: str
) -> Unsuppressed:
    """Lift what a person decided by hand or a bounce brought about; what readers wished stays.

    Each is written down as a consent event, with the note that stood with the suppression.

    Args:
        by: Who decided, for the record.
        reason: Why, for the record.

    Raises:
        InputError: The address is none.
        RefusedError: The suppression key is not this database's.
    """
    key = address_key(check_address(address))
    hashed = address_hash(key, keys)
    with store.write() as connection:
        check_suppression_key_within(connection, keys)
        person = find(connection, key)
        nobody = of_no_subscriber(hashed) if person is None else {}
        before = _liftable(connection, hashed)
        for each in before:
            lift(connection, hashed, SuppressionReason(each.reason))
            was = {"lifted": each.reason, "was": each.source, "suppressed_at": each.at}
            evidence = {"reason": reason, **was, **nobody}
            consent = Consent(by, store.now(connection), evidence=evidence)
            record(connection, person.uid if person else NOBODY, "", "unsuppressed", consent)
        lifted = frozenset(SuppressionReason(each.reason) for each in before)
        return Unsuppressed(lifted, reasons(connection, hashed))


def _liftable(connection: Connection, hashed: bytes) -> Sequence[Any]:
    query = select(suppression.c.reason, suppression.c.source, suppression.c.at).where(
        suppression.c.address_hash == hashed, suppression.c.reason.in_(LIFTABLE)
    )
    return connection.execute(query.order_by(suppression.c.at).with_for_update()).all()
