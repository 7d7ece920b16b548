"""Feedback on a campaign's mail, added up by the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Subquery,
    case,
    cast,
    distinct,
    func,
    literal,
    select,
)

from newsletter.audience.tables import consent_event
from newsletter.delivery.ledger.statistics import MINUTE, domain_of
from newsletter.delivery.ledger.tables import attempt, campaign, delivery
from newsletter.delivery.model import Result
from newsletter.feedback.event import EventKind
from newsletter.feedback.tables import event
from newsletter.smtp_replies.classify import ReplyClass

_BOUNCES = (EventKind.BOUNCED, EventKind.DROPPED)
_FINAL = (EventKind.DELIVERED, *_BOUNCES)
_LEFT = "unsubscribed"


@dataclass(frozen=True, slots=True)
class Afterwards:
    """Feedback on accepted mail, and what its readers did.

    An accepted delivery is ``delivered``, ``bounced`` or neither, by the last report about it, so
    that these and the unreported add up to the accepted. Complaints and unsubscribes are counted
    separately, once per reader. ``unverified`` reports name this campaign without proof.
    """

    delivered: int = 0
    bounced: Mapping[ReplyClass, int] = field(default_factory=dict)
    complained: int = 0
    unsubscribed: int = 0
    unverified: int = 0

    @property
    def all_bounced(self) -> int:
        """Bounces of every class."""
        return sum(self.bounced.values())


@dataclass(frozen=True, slots=True)
class DomainEvents:
    """Feedback on mail to one recipient domain."""

    delivered: int = 0
    bounced: int = 0
    complained: int = 0


def afterwards(connection: Connection, campaign_id: int) -> Afterwards:
    """Count all feedback, by the last report about each delivery."""
    last = _last_words(campaign_id)
    rows = connection.execute(
        select(last.c.end, last.c.verdict, func.count()).group_by(last.c.end, last.c.verdict)
    ).all()
    bounced = {ReplyClass(verdict): n for end, verdict, n in rows if end == "bounced"}
    complaints = select(func.count(distinct(event.c.position))).where(*_complaints(campaign_id))
    unverified = select(func.count()).where(
        event.c.campaign_id == campaign_id, event.c.verified == 0
    )
    leavers = select(func.count()).select_from(_leaving(campaign_id))
    return Afterwards(
        delivered=sum(number for end, _, number in rows if end == "delivered"),
        bounced=dict(sorted(bounced.items())),
        complained=connection.execute(complaints).scalar_one(),
        unsubscribed=connection.execute(leavers).scalar_one(),
        unverified=connection.execute(unverified).scalar_one(),
    )


def by_domain(connection: Connection, campaign_id: int) -> dict[str, DomainEvents]:
    """Delivered, bounced and complained for each domain with any feedback."""
    last, domain = _last_words(campaign_id), domain_of(connection)
    ended = connection.execute(
        select(domain, last.c.end, func.count())
        .select_from(last)
        .join(delivery, _same(last, campaign_id))
        .group_by(domain, last.c.end)
    ).all()
    delivered = {name: number for name, end, number in ended if end == "delivered"}
    bounced = {name: number for name, end, number in ended if end == "bounced"}
    complaints = select(event.c.position).where(*_complaints(campaign_id)).distinct().subquery()
    rows = connection.execute(
        select(domain, func.count())
        .select_from(complaints)
        .join(delivery, _same(complaints, campaign_id))
        .group_by(domain)
    )
    complained = {row[0]: row[1] for row in rows}
    return {
        name: DomainEvents(delivered.get(name, 0), bounced.get(name, 0), complained.get(name, 0))
        for name in delivered.keys() | bounced.keys() | complained.keys()
    }


def by_minute(connection: Connection, campaign_id: int) -> dict[str, dict[int, int]]:
    """How many were delivered, bounced, complained and unsubscribed in each minute.

    Minutes are Unix seconds at their start.
    """
    complaints = (
        select(literal("complained").label("end"), func.min(event.c.at).label("at"))
        .where(*_complaints(campaign_id))
        .group_by(event.c.position)
        .subquery()
    )
    made = select(campaign.c.created_at).where(campaign.c.id == campaign_id)
    earliest = int(connection.execute(made).scalar_one()) // MINUTE
    found: dict[str, dict[int, int]] = {
        kind: {} for kind in ("delivered", "bounced", "complained", "unsubscribed")
    }
    for table in (_last_words(campaign_id), complaints, _leaving(campaign_id)):
        minute = cast(table.c.at, BigInteger) // MINUTE
        rows = connection.execute(
            select(table.c.end, minute, func.count()).group_by(table.c.end, minute)
        )
        for end, of_minute, number in rows:
            # Other hosts' clocks may be slow: nothing is reported before the campaign existed.
            start = max(of_minute, earliest) * MINUTE
            found[end][start] = found[end].get(start, 0) + number
    return found


def ends(connection: Connection, campaign_id: int) -> Iterator[tuple[int, str, str]]:
    """Position, last report and bounce class of each delivery with a report, by position."""
    last = _last_words(campaign_id)
    bounce = case((last.c.end == "bounced", last.c.verdict), else_="")
    rows = connection.execution_options(yield_per=1000).execute(
        select(last.c.position, last.c.end, bounce).order_by(last.c.position)
    )
    return ((position, end, bounce) for position, end, bounce in rows)


def complaining(connection: Connection, campaign_id: int) -> Iterator[int]:
    """The positions of recipients who complained, in order."""
    query = select(event.c.position).where(*_complaints(campaign_id)).distinct()
    rows = connection.execution_options(yield_per=1000).execute(query.order_by(event.c.position))
    return iter(rows.scalars())


def _last_words(campaign_id: int) -> Subquery:
    """The last report about each accepted delivery; of two at the same time, the bounce counts."""
    was_accepted = (
        select(attempt.c.position)
        .where(
            attempt.c.campaign_id == campaign_id,
            attempt.c.position == event.c.position,
            attempt.c.result == Result.ACCEPTED,
        )
        .exists()
    )
    is_delivered = event.c.kind == EventKind.DELIVERED
    end = case((is_delivered, "delivered"), else_="bounced")
    order = (event.c.at.desc(), case((is_delivered, 1), else_=0), event.c.id)
    # A notice of delay is superseded by a delivery, and a delivery by a bounce that follows it.
    number = func.row_number().over(partition_by=event.c.position, order_by=order)
    words = (
        select(
            event.c.position, end.label("end"), event.c.verdict, event.c.at, number.label("place")
        )
        .where(
            event.c.campaign_id == campaign_id,
            event.c.verified == 1,
            event.c.kind.in_(_FINAL),
            was_accepted,
        )
        .subquery("words")
    )
    return (
        select(words.c.position, words.c.end, words.c.verdict, words.c.at)
        .where(words.c.place == 1)
        .subquery("last_words")
    )


def _complaints(campaign_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        event.c.campaign_id == campaign_id,
        event.c.verified == 1,
        event.c.kind == EventKind.COMPLAINED,
    )


def _leaving(campaign_id: int) -> Subquery:
    """When each reader unsubscribed whose token or provider names this campaign."""
    return (
        select(literal(_LEFT).label("end"), func.min(consent_event.c.at).label("at"))
        .where(
            consent_event.c.action == _LEFT,
            consent_event.c.evidence["campaign_id"].as_integer() == campaign_id,
        )
        .group_by(consent_event.c.subscriber_uid)
        .subquery()
    )


def _same(positions: Subquery, campaign_id: int) -> ColumnElement[bool]:
    return (delivery.c.campaign_id == campaign_id) & (delivery.c.position == positions.c.position)
