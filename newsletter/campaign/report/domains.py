"""A campaign by recipient domain, without domains so small that they identify a reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from newsletter.campaign.report.events import Afterwards, DomainEvents, by_domain
from newsletter.delivery.ledger import statistics
from newsletter.delivery.ledger.outcomes import OutcomeCounts
from newsletter.delivery.ledger.statistics import DomainCount
from newsletter.delivery.ledger.tables import delivery

TOP_DOMAINS = 20
FEWEST = 5
"""Readers a domain must have to be named; smaller domains are counted together."""
_NONE = DomainEvents()


@dataclass(frozen=True, slots=True)
class DomainRow:
    """One domain; ``mailable`` counts everyone who was not skipped in the snapshot."""

    domain: str
    mailable: int
    accepted: int
    deferred: int
    failed: int
    uncertain: int
    delivered: int
    bounced: int
    complained: int

    def as_json(self) -> dict[str, Any]:
        """The row as an object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Domains:
    """The largest domains, all ``others`` together (``domain`` is empty), and how many there are.

    Every column adds up to the number of the whole campaign.
    """

    largest: Sequence[DomainRow] = ()
    others: DomainRow | None = None
    count: int = 0


def domain_figures(
    connection: Connection, campaign_id: int, counts: OutcomeCounts, after: Afterwards
) -> Domains:
    """The results by domain."""
    found, number = statistics.domains(connection, campaign_id, TOP_DOMAINS)
    events = by_domain(connection, campaign_id)
    largest = [
        _row(each, events.get(each.domain, _NONE)) for each in found if each.mailable >= FEWEST
    ]
    # The rest is computed by subtraction, so that every column adds up to the whole campaign.
    if len(largest) == number:
        return Domains(largest, None, number)
    mailable = connection.execute(
        select(func.count()).where(delivery.c.campaign_id == campaign_id, delivery.c.skipped == "")
    ).scalar_one()
    whole = DomainCount(
        "", mailable, counts.accepted, counts.deferred, counts.failed, counts.uncertain
    )
    all_events = DomainEvents(after.delivered, after.all_bounced, after.complained)
    return Domains(largest, _rest(_row(whole, all_events), largest), number)


def _row(count: DomainCount, events: DomainEvents) -> DomainRow:
    return DomainRow(
        count.domain,
        count.mailable,
        count.accepted,
        count.deferred,
        count.failed,
        count.uncertain,
        events.delivered,
        events.bounced,
        events.complained,
    )


def _rest(whole: DomainRow, largest: Sequence[DomainRow]) -> DomainRow:
    left = {
        name: getattr(whole, name) - sum(getattr(each, name) for each in largest)
        for name in DomainRow.__slots__
        if name != "domain"
    }
    return DomainRow("", **left)
