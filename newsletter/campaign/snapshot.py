"""audience -> delivery rows: everyone on the list, and the reason of everyone who is skipped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
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

from newsletter.audience.model import SubscriptionState, SuppressionReason
from newsletter.audience.segments.model import Condition
from newsletter.audience.segments.sql import where
from newsletter.audience.tables import (
    import_member,
    mailing_list,
    subscriber,
    subscription,
    suppression,
)
from newsletter.delivery.ledger.outcomes import OutcomeCounts, taken_or_uncertain
from newsletter.delivery.ledger.tables import campaign, delivery
from newsletter.errors import InputError
from newsletter.render.model import CompiledIssue
from newsletter.store.engine import analyze

SUPPRESSED_FIRST = (
    SuppressionReason.COMPLAINED,
    SuppressionReason.BOUNCED,
    SuppressionReason.UNSUBSCRIBED,
    SuppressionReason.ERASED,
    SuppressionReason.MANUAL,
)


@dataclass(frozen=True, slots=True)
class AudienceSelection:
    """The subscribers a campaign is for: a list, or the rows of one file imported into it.

    ``batch`` names the import whose rows they are; empty means the whole list. ``condition`` is
    the segment of these, if not all are meant.
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
    """How many are in a fixed audience, and how many of them get each variant, by its index."""

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
        at: When it is to begin (Unix seconds), if that is later than now: whose pause is over by
            then is not left out.
        again: Whether people who already have this issue (or may) get it once more.

    Raises:
        InputError: There is no such list, or nobody is on it.
    """
    sent = None
    if not again and _went_out_before(connection, compiled.slug, campaign_id):
        sent = _already_sent(compiled.slug, campaign_id)
    skipped = _reason(max(at, time.time()), sent)
    people = _people(connection, campaign_id, audience, compiled, skipped)
    connection.execute(insert(delivery).from_select([c.name for c in delivery.c], people))
    # The next queries would plan for an empty table.
    analyze(connection, delivery)
    # Nothing was tried yet: these are the campaign's counts, and nobody need count them again.
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
        where_to_be = " and in the segment" if audience.segment else ""
        raise InputError(f"nobody is on the list {audience.list_name!r}{where_to_be}")
    total, queued = reasons.total(), reasons.pop("", 0)
    outcomes = OutcomeCounts(audience=total, queued=queued, skipped=dict(sorted(reasons.items())))
    return SnapshotCounts(outcomes, dict(variants))


def skips(connection: Connection, audience: AudienceSelection) -> dict[str, int]:
    """How many of an audience there are by why they would be skipped; ``""``: they would not.

    Raises:
        InputError: There is no such list.
    """
    reason = _reason(time.time()).label("reason")
    people = _of(select(reason), audience, _list_id(connection, audience)).subquery()
    query = select(people.c.reason, func.count()).group_by(people.c.reason)
    return {row.reason: row[1] for row in connection.execute(query)}


def joined_since_snapshot(
    connection: Connection, campaign_id: int, audience: AudienceSelection
) -> int:
    """How many are active in an audience and not in a campaign's frozen one."""
    frozen = exists().where(
        delivery.c.campaign_id == campaign_id, delivery.c.email_key == subscriber.c.email_key
    )
    everyone = select(func.count()).select_from(subscriber)
    query = _of(everyone, audience, _list_id(connection, audience)).where(
        subscription.c.state == SubscriptionState.ACTIVE, ~frozen
    )
    return int(connection.execute(query).scalar_one())


def _list_id(connection: Connection, audience: AudienceSelection) -> int:
    found = connection.execute(
        select(mailing_list.c.id).where(mailing_list.c.name == audience.list_name)
    ).scalar()
    if found is None:
        raise InputError(
            f"there is no list {audience.list_name!r}",
            fix="`send.py subscribers lists` shows them; `send.py subscribers import` makes one",
        )
    return int(found)


def _people(
    connection: Connection,
    campaign_id: int,
    audience: AudienceSelection,
    compiled: CompiledIssue,
    skipped: ColumnElement[str],
) -> Select[Any]:
    columns: dict[str, ColumnElement[Any]] = {
        **{column.name: column for column in subscriber.c},
        "subscriber_uid": subscriber.c.uid,
        "campaign_id": literal(campaign_id),
        "position": func.row_number().over(order_by=subscriber.c.id),
        "variant": _variant(compiled),
        "skipped": skipped,
    }
    chosen = select(*(columns[c.name].label(c.name) for c in delivery.c))
    return _of(chosen, audience, _list_id(connection, audience))


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


def _reason(at: float, already_sent: ColumnElement[bool] | None = None) -> ColumnElement[str]:
    """Why somebody may not be mailed, the first reason of several; empty for who may."""
    ranks = {reason: rank for rank, reason in enumerate(SUPPRESSED_FIRST)}
    first = (
        select(func.min(case(ranks, value=suppression.c.reason)))
        .where(suppression.c.address_hash == subscriber.c.address_hash)
        .scalar_subquery()
    )
    others: list[tuple[ColumnElement[bool], str]] = [
        (subscription.c.state == SubscriptionState.UNSUBSCRIBED, "unsubscribed"),
        (subscription.c.state == SubscriptionState.PENDING, "unconfirmed"),
        (subscriber.c.paused_until > at, "paused"),
    ]
    if already_sent is not None:
        others.append((already_sent, "already-sent"))
    suppressed = case({rank: str(reason) for reason, rank in ranks.items()}, value=first)
    return func.coalesce(suppressed, case(*others, else_=""))


def _went_out_before(connection: Connection, slug: str, campaign_id: int) -> bool:
    other = exists().where(campaign.c.slug == slug, campaign.c.id != campaign_id)
    return bool(connection.execute(select(other)).scalar_one())


def _already_sent(slug: str, campaign_id: int) -> ColumnElement[bool]:
    earlier = delivery.alias("earlier")
    return exists().where(
        earlier.c.email_key == subscriber.c.email_key,
        earlier.c.campaign_id == campaign.c.id,
        campaign.c.slug == slug,
        campaign.c.id != campaign_id,
        taken_or_uncertain(earlier),
    )


def _variant(compiled: CompiledIssue) -> ColumnElement[int]:
    topics = sorted(frozenset().union(*(variant.topics for variant in compiled.variants)))
    if not topics:
        return literal(0)
    follows = {topic: _follows(topic) for topic in topics}
    return case(
        *(
            (and_(*_exactly(variant.topics, topics, follows)), index)
            for index, variant in enumerate(compiled.variants)
        ),
        else_=0,
    )


def _exactly(
    chosen: frozenset[str], topics: Sequence[str], follows: dict[str, ColumnElement[bool]]
) -> list[ColumnElement[bool]]:
    return [follows[topic] if topic in chosen else ~follows[topic] for topic in topics]


def _follows(topic: str) -> ColumnElement[bool]:
    member = subscription.alias(f"topic_{topic.replace('-', '_')}")
    topic_list = mailing_list.alias(f"list_{topic.replace('-', '_')}")
    return exists().where(
        member.c.subscriber_id == subscriber.c.id,
        member.c.list_id == topic_list.c.id,
        member.c.state == SubscriptionState.ACTIVE,
        topic_list.c.name == topic,
    )
