"""The audience snapshot: a delivery row for everyone on the list, with the reason for each skip."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    select,
)

from newsletter.audience.mailability import skip_reason
from newsletter.audience.model import SubscriptionState
from newsletter.audience.segments.model import Condition
from newsletter.audience.segments.sql import where
from newsletter.audience.tables import (
    import_member,
    mailing_list,
    subscriber,
    subscription,
)
from newsletter.delivery.ledger.outcomes import OutcomeCounts, taken_or_uncertain
from newsletter.delivery.ledger.tables import campaign, delivery
from newsletter.errors import InputError
from newsletter.render.model import CompiledIssue
from newsletter.store.engine import analyze


@dataclass(frozen=True, slots=True)
class AudienceSelection:
    """The subscribers a campaign is for: a list, or the rows of one file imported into it.

    ``batch`` names the import whose rows they are; empty means the whole list. ``condition``
    narrows them to a segment.
    """

    list_name: str
    batch: str = ""
    condition: Condition | None = None

    @property
    def segment(self) -> str:
        """The segment's canonical text; empty for none."""
        return "" if self.condition is None else str(self.condition)


@dataclass(frozen=True, slots=True)
class SnapshotCounts:
    """The counts of a snapshot, and how many recipients receive each variant, by its index."""

    outcomes: OutcomeCounts
    variants: Mapping[int, int]


def take_snapshot(
    connection: Connection,
    campaign_id: int,
    audience: AudienceSelection,
    compiled: CompiledIssue,
    *,
    again: bool,
    at: float = 0.0,
) -> SnapshotCounts:
    """Write one delivery row for everyone, in one statement.

    Args:
        connection: A write transaction.
        at: When it starts (Unix seconds), if later than now: a subscriber's pause that is over by
            then does not count.
        again: Whether people who received this issue, or may have, receive it again.

    Raises:
        InputError: There is no such list, or nobody is on it.
    """
    already_sent = None
    others = exists().where(campaign.c.slug == compiled.slug, campaign.c.id != campaign_id)
    # Only if there are earlier campaigns: the lookup costs a second per 100,000 subscribers.
    if not again and connection.execute(select(others)).scalar_one():
        earlier = delivery.alias("earlier")
        already_sent = exists().where(
            earlier.c.email_key == subscriber.c.email_key,
            earlier.c.campaign_id == campaign.c.id,
            campaign.c.slug == compiled.slug,
            campaign.c.id != campaign_id,
            taken_or_uncertain(earlier),
        )
    when = max(at, time.time())
    columns: dict[str, ColumnElement[Any]] = {
        **{column.name: column for column in subscriber.c},
        "subscriber_uid": subscriber.c.uid,
        "campaign_id": literal(campaign_id),
        "position": func.row_number().over(order_by=subscriber.c.id),
        "variant": _variant(compiled),
        "skipped": skip_reason(subscriber.c.address_hash, when, already_sent=already_sent),
    }
    names = [column.name for column in delivery.c]
    chosen = select(*(columns[name].label(name) for name in names))
    recipients = _of(chosen, audience, _list_id(connection, audience))
    connection.execute(insert(delivery).from_select(names, recipients))
    # Otherwise the next queries would be planned for an empty table.
    analyze(connection, delivery)
    # Nothing was tried yet, so these are the campaign's counts and need not be counted again.
    reasons: Counter[str] = Counter()
    variants: Counter[int] = Counter()
    for skipped_as, variant, number in connection.execute(
        select(delivery.c.skipped, delivery.c.variant, func.count())
        .where(delivery.c.campaign_id == campaign_id)
        .group_by(delivery.c.skipped, delivery.c.variant)
    ):
        reasons[skipped_as] += number
        if not skipped_as:
            variants[variant] += number
    if not reasons:
        segment = " and in the segment" if audience.segment else ""
        raise InputError(f"nobody is on the list {audience.list_name!r}{segment}")
    total, queued = reasons.total(), reasons.pop("", 0)
    outcomes = OutcomeCounts(audience=total, queued=queued, skipped=dict(sorted(reasons.items())))
    return SnapshotCounts(outcomes, dict(variants))


def skips(connection: Connection, audience: AudienceSelection) -> dict[str, int]:
    """How many of an audience would be skipped, by reason; ``""`` counts those who would not.

    Raises:
        InputError: There is no such list.
    """
    reason = skip_reason(subscriber.c.address_hash, time.time()).label("reason")
    reasons = _of(select(reason), audience, _list_id(connection, audience)).subquery()
    query = select(reasons.c.reason, func.count()).group_by(reasons.c.reason)
    return {row.reason: row[1] for row in connection.execute(query)}


def joined_since_snapshot(
    connection: Connection, campaign_id: int, audience: AudienceSelection
) -> int:
    """How many of an audience could be mailed but are not in a campaign's snapshot."""
    # By address, not by number: a subscriber who was erased and joined again has another one.
    in_snapshot = exists().where(
        delivery.c.campaign_id == campaign_id, delivery.c.email_key == subscriber.c.email_key
    )
    everyone = select(func.count()).select_from(subscriber)
    query = _of(everyone, audience, _list_id(connection, audience)).where(
        ~in_snapshot, skip_reason(subscriber.c.address_hash, time.time()) == ""
    )
    return int(connection.execute(query).scalar_one())


def _list_id(connection: Connection, audience: AudienceSelection) -> int:
    found = connection.execute(
        select(mailing_list.c.id).where(mailing_list.c.name == audience.list_name)
    ).scalar()
    if found is None:
        raise InputError(
            f"there is no list {audience.list_name!r}",
            fix="see `./send.py subscribers lists`, or create it: `./send.py subscribers import`",
        )
    return int(found)


def _of(query: Select[Any], audience: AudienceSelection, list_id: int) -> Select[Any]:
    query = query.join_from(
        subscriber, subscription, subscription.c.subscriber_id == subscriber.c.id
    ).where(subscription.c.list_id == list_id)
    if audience.condition is not None:
        query = query.where(where(audience.condition, time.time()))
    if audience.batch:
        query = query.where(
            exists().where(
                import_member.c.batch == audience.batch,
                import_member.c.subscriber_id == subscriber.c.id,
            )
        )
    return query


def _variant(compiled: CompiledIssue) -> ColumnElement[int]:
    """The index of the variant for exactly the topics that a subscriber follows."""
    topics = sorted(frozenset().union(*(variant.topics for variant in compiled.variants)))
    if not topics:
        return literal(0)
    follows = {}
    for topic in topics:
        member = subscription.alias(f"topic_{topic.replace('-', '_')}")
        topic_list = mailing_list.alias(f"list_{topic.replace('-', '_')}")
        follows[topic] = exists().where(
            member.c.subscriber_id == subscriber.c.id,
            member.c.list_id == topic_list.c.id,
            member.c.state == SubscriptionState.ACTIVE,
            topic_list.c.name == topic,
        )
    exactly = [
        and_(*(follows[each] if each in variant.topics else ~follows[each] for each in topics))
        for variant in compiled.variants
    ]
    return case(*((condition, index) for index, condition in enumerate(exactly)), else_=0)
