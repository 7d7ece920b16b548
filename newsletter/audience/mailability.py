"""May a subscriber be mailed, and if not, why: the one answer, in SQL and in Python.

A subscriber may have several reasons not to be mailed; one is reported. The order of `SkipReason`
alone decides which: imports, counts, the audience snapshot, the check just before a message goes
out, and the view of one subscriber all use this module.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, case, func, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import ReturnTypeFromArgs

from newsletter.audience.model import SubscriptionState, SuppressionReason
from newsletter.audience.tables import mailing_list, subscriber, subscription, suppression

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler


class SkipReason(StrEnum):
    """Why a subscriber is not mailed; of several reasons, the first one here is reported.

    Erasure is first because nothing else may be told about that person, and an import must see it.
    Next is what they or their mail server said, before what the operator decided: lifting a manual
    suppression does not change those. What passes by itself is last.
    """

    ERASED = "erased"
    COMPLAINED = "complained"
    BOUNCED = "bounced"
    UNSUBSCRIBED = "unsubscribed"
    """From every list or from this one; also where they are no longer on it."""
    MANUAL = "manual"
    UNCONFIRMED = "unconfirmed"
    PAUSED = "paused"
    ALREADY_SENT = "already-sent"


_RANKS = {reason: rank for rank, reason in enumerate(SkipReason)}
_NO_REASON = len(_RANKS)


def first_reason(found: Iterable[str]) -> SkipReason | None:
    """The reason to report out of several; None if there are none."""
    return min(map(SkipReason, found), key=_RANKS.__getitem__, default=None)


def skip_reason(
    address_hash: ColumnElement[bytes],
    at: float | ColumnElement[float],
    *,
    already_sent: ColumnElement[bool] | None = None,
) -> ColumnElement[str]:
    """The same over rows of `subscriber` and `subscription`; empty for those who may be mailed.

    A subscriber or subscription missing from an outer join is a reason, too.

    Args:
        address_hash: Of the address to mail: the subscriber's, or the one a delivery was addressed
            to before they changed it.
        at: Unix seconds: a pause that is over by then does not count.
        already_sent: Whether they have, or may have, received this issue. Only the caller knows.
    """
    state = subscription.c.state
    conditions = {
        SkipReason.ERASED: subscriber.c.id.is_(None),
        SkipReason.UNSUBSCRIBED: or_(state.is_(None), state == SubscriptionState.UNSUBSCRIBED),
        SkipReason.UNCONFIRMED: state == SubscriptionState.PENDING,
        SkipReason.PAUSED: subscriber.c.paused_until > at,
    }
    if already_sent is not None:
        conditions[SkipReason.ALREADY_SENT] = already_sent
    # A reason unknown to this version (written by a newer one) suppresses, too.
    rank = case(
        {reason: _RANKS[SkipReason(reason)] for reason in SuppressionReason},
        value=suppression.c.reason,
        else_=_RANKS[SkipReason.MANUAL],
    )
    suppressed = (
        select(func.min(rank)).where(suppression.c.address_hash == address_hash).scalar_subquery()
    )
    found = [(conditions[reason], rank) for reason, rank in _RANKS.items() if reason in conditions]
    return case(
        {rank: reason.value for reason, rank in _RANKS.items()},
        value=_Least(func.coalesce(suppressed, _NO_REASON), case(*found, else_=_NO_REASON)),
        else_="",
    )


def reasons_by_list(
    connection: Connection, subscriber_id: int, at: float
) -> dict[str, SkipReason | None]:
    """Every list a subscriber was ever on, and why it does not mail them; None: it does.

    Args:
        at: Unix seconds.
    """
    query = (
        select(mailing_list.c.name, skip_reason(subscriber.c.address_hash, at).label("reason"))
        .select_from(subscriber)
        .join(subscription, subscription.c.subscriber_id == subscriber.c.id)
        .join(mailing_list, mailing_list.c.id == subscription.c.list_id)
        .where(subscriber.c.id == subscriber_id)
        .order_by(mailing_list.c.name)
    )
    return {
        name: SkipReason(reason) if reason else None for name, reason in connection.execute(query)
    }


def mailed_lists(connection: Connection, subscriber_id: int) -> frozenset[str]:
    """The lists that mail a subscriber, now or after a pause, which ends by itself."""
    found = reasons_by_list(connection, subscriber_id, at=math.inf)
    return frozenset(name for name, reason in found.items() if reason is None)


class _Least(ReturnTypeFromArgs[int]):
    """The smaller of two numbers: SQLite calls it ``min``."""

    inherit_cache = True
    name = "least"


@compiles(_Least, "sqlite")
def _least_on_sqlite(element: _Least, compiler: SQLCompiler, **options: object) -> str:
    return f"min{compiler.process(element.clause_expr, **options)}"
