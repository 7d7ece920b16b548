"""The way back from a suppression by hand, and from no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.keys import check_suppression_key_within
from newsletter.audience.model import SuppressionReason
from newsletter.audience.subscribers import NOBODY, Consent, find, of_no_subscriber, record
from newsletter.audience.suppression import lift, reasons
from newsletter.store.schema import suppression

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.store import Store


@dataclass(frozen=True, slots=True)
class Unsuppressed:
    """Whether a suppression by hand was ``lifted``, and which reasons keep mail away still."""

    lifted: bool
    standing: frozenset[SuppressionReason]


def unsuppress_address(
    store: Store, address: str, keys: Keys, *, by: str, reason: str
) -> Unsuppressed:
    """Lift what a person decided by hand; what readers and mail servers said stays.

    It is written down as a consent event, with the note that stood with the suppression.

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
        before = _by_hand(connection, hashed)
        if before is not None and lift(connection, hashed, SuppressionReason.MANUAL):
            person = find(connection, key)
            evidence = {"reason": reason, **before}
            if person is None:
                evidence |= of_no_subscriber(hashed)
            consent = Consent(by, store.now(connection), evidence=evidence)
            record(connection, person.uid if person else NOBODY, "", "unsuppressed", consent)
        return Unsuppressed(before is not None, reasons(connection, hashed))


def _by_hand(connection: Connection, hashed: bytes) -> dict[str, Any] | None:
    """What is kept of the suppression by hand, if there is one."""
    query = select(suppression.c.source, suppression.c.at).where(
        suppression.c.address_hash == hashed, suppression.c.reason == SuppressionReason.MANUAL
    )
    found = connection.execute(query.with_for_update()).first()
    return found and {"was": found.source, "suppressed_at": found.at}
