"""A campaign's report: who approved and sent it, and its results. No opens, no clicks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from newsletter.campaign import approval as approvals
from newsletter.campaign.report.alerts import Alert, alerts
from newsletter.campaign.report.domains import Domains, domain_figures
from newsletter.campaign.report.events import Afterwards, afterwards, by_minute
from newsletter.campaign.report.model import Approval, DeliveryProblem, StateChange
from newsletter.campaign.status import Status, status
from newsletter.campaign.tables import approval
from newsletter.delivery.ledger import statistics
from newsletter.delivery.ledger.states import CampaignState
from newsletter.delivery.ledger.statistics import Refusals, Wait
from newsletter.delivery.ledger.tables import campaign, campaign_event
from newsletter.smtp_replies.classify import ReplyClass, classify

SLOWEST_DOMAINS = 10
LISTED_PROBLEMS = 200
"""Failed and uncertain deliveries that a report lists; the CSV holds every one."""


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """One campaign. Times are Unix seconds; lists are cut at the limits of this module.

    ``minutes`` holds how many were accepted in each minute, by its first second, and ``later`` the
    same for feedback, by kind; ``attempts`` how many deliveries took how many attempts.
    """

    status: Status
    title: str
    transport: str
    created_by: str
    created_at: float
    finished_at: float | None
    again_reason: str
    approvals: Sequence[Approval]
    steps: Sequence[StateChange]
    after: Afterwards
    domains: Domains
    minutes: Mapping[int, int]
    later: Mapping[str, Mapping[int, int]]
    attempts: Mapping[int, int]
    waits: Sequence[Wait]
    refusals: Refusals
    problems: Sequence[DeliveryProblem]

    @property
    def mailable(self) -> int:
        """Audience minus skipped."""
        return self.status.tally.mailable

    @property
    def alerts(self) -> Sequence[Alert]:
        """What to look at before the next send."""
        return alerts(self.steps, self.refusals, self.after, self.status.tally.accepted)

    @property
    def unreported(self) -> int:
        """Accepted deliveries without a report: neither delivered nor bounced."""
        return self.status.tally.accepted - self.after.delivered - self.after.all_bounced

    @property
    def unlisted_problems(self) -> int:
        """How many failed and uncertain deliveries are not listed."""
        counts = self.status.tally
        return counts.failed + counts.uncertain - len(self.problems)

    @property
    def started_at(self) -> float | None:
        """When sending began."""
        return next(
            (step.at for step in self.steps if step.to_state == CampaignState.SENDING), None
        )

    def as_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints; times are ISO 8601 in UTC."""
        after = self.after
        return {
            **self.status.as_json(),
            "title": self.title,
            "transport": self.transport,
            "created_by": self.created_by,
            "created_at": iso(self.created_at),
            "started_at": iso(self.started_at),
            "finished_at": iso(self.finished_at),
            "again_reason": self.again_reason,
            "approvals": [
                {"by": each.by, "at": iso(each.at), "waivers": dict(each.waivers)}
                for each in self.approvals
            ],
            "history": [
                {
                    "from": step.from_state,
                    "to": step.to_state,
                    "by": step.by,
                    "note": step.note,
                    "at": iso(step.at),
                }
                for step in self.steps
            ],
            "alerts": [each.as_json() for each in self.alerts],
            "delivered": after.delivered,
            "bounced": {kind.value: after.bounced.get(kind, 0) for kind in ReplyClass},
            "unreported": self.unreported,
            "complained": after.complained,
            "unsubscribed": after.unsubscribed,
            "unverified_events": after.unverified,
            "later_by_minute": {
                kind: {iso(start): count for start, count in sorted(minutes.items())}
                for kind, minutes in self.later.items()
            },
            "domains": [each.as_json() for each in self.domains.largest],
            "other_domains": self.domains.others and self.domains.others.as_json(),
            "domain_count": self.domains.count,
            "accepted_by_minute": {iso(start): count for start, count in self.minutes.items()},
            "attempts": dict(self.attempts),
            "slowest_domains": [
                {
                    "domain": each.domain,
                    "deliveries": each.deliveries,
                    "mean_seconds": round(each.mean),
                    "longest_seconds": round(each.longest),
                }
                for each in self.waits
            ],
            "refusals": {kind.value: count for kind, count in self.refusals.classes.items()},
            "policy_reply": self.refusals.policy_reply,
            "problems": [
                {
                    "position": each.fate.position,
                    "address": each.fate.email,
                    "state": each.fate.state,
                    "code": each.fate.code,
                    "status": each.fate.status,
                    "reply": each.fate.reply,
                    "class": each.kind.value,
                    "at": iso(each.fate.at),
                }
                for each in self.problems
            ],
            "problems_not_listed": self.unlisted_problems,
        }


def build_report(connection: Connection, campaign_id: int) -> CampaignReport:
    """Collect a report from one snapshot of the database.

    Raises:
        InputError: There is no such campaign.
    """
    known = status(connection, campaign_id)
    row = connection.execute(select(campaign).where(campaign.c.id == campaign_id)).one()
    after = afterwards(connection, campaign_id)
    approved = connection.execute(
        select(approval)
        .where(
            approval.c.digest == known.digest,
            approval.c.audience.in_((known.audience, approvals.ANY_AUDIENCE)),
        )
        .order_by(approval.c.id)
    )
    changes = connection.execute(
        select(campaign_event)
        .where(campaign_event.c.campaign_id == campaign_id)
        .order_by(campaign_event.c.id)
    )
    return CampaignReport(
        status=known,
        title=approvals.load(connection, row.digest).title,
        transport=row.transport,
        created_by=row.created_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
        again_reason=row.again_reason,
        approvals=[Approval(row.approved_by, row.at, row.waivers) for row in approved],
        steps=[
            StateChange(row.from_state, row.to_state, row.by, row.note, row.at) for row in changes
        ],
        after=after,
        domains=domain_figures(connection, campaign_id, known.tally, after),
        minutes=statistics.accepted_by_minute(connection, campaign_id),
        later=by_minute(connection, campaign_id),
        attempts=statistics.by_attempts(connection, campaign_id),
        waits=statistics.waits(connection, campaign_id, SLOWEST_DOMAINS),
        refusals=statistics.refusals(connection, campaign_id),
        problems=[
            DeliveryProblem(fate, classify(fate.code, fate.status, fate.reply))
            for fate in statistics.problems(connection, campaign_id, LISTED_PROBLEMS)
        ],
    )


def iso(at: float | None) -> str | None:
    """A time as ISO 8601 in UTC, to the second."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
