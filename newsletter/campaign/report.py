"""What a campaign was, who answers for it, and what became of everyone. No opens, no clicks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from newsletter.campaign import approval as approvals
from newsletter.campaign.status import Status, status
from newsletter.deliver import DomainCount, Fate, Refusals, Wait, figures
from newsletter.deliver.replies import ReplyClass, classify
from newsletter.store.schema import approval, campaign, campaign_event

TOP_DOMAINS = 20
SLOWEST_DOMAINS = 10
LISTED_PROBLEMS = 200
"""Failed and uncertain deliveries that a report lists; the CSV holds every one."""


@dataclass(frozen=True, slots=True)
class Approval:
    """Who vouched for the digest, and which warnings that person waived for which reason."""

    by: str
    at: float
    waivers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a campaign's state."""

    from_state: str
    to_state: str
    by: str
    note: str
    at: float


@dataclass(frozen=True, slots=True)
class Problem:
    """A delivery that failed or is uncertain, and what the refusal says."""

    fate: Fate
    kind: ReplyClass

    @property
    def said(self) -> str:
        """The other side's words in one line."""
        return figures.said(self.fate.code, self.fate.status, self.fate.reply)


@dataclass(frozen=True, slots=True)
class Report:
    """One campaign. Times are Unix seconds; lists are cut at the limits of this module.

    ``minutes`` holds how many were accepted in each minute, by its first second; ``attempts`` how
    many deliveries took how many attempts; ``domain_count`` how many recipient domains there are.
    """

    status: Status
    title: str
    transport: str
    created_by: str
    created_at: float
    finished_at: float | None
    again_reason: str
    approvals: Sequence[Approval]
    steps: Sequence[Step]
    domains: Sequence[DomainCount]
    domain_count: int
    minutes: Mapping[int, int]
    attempts: Mapping[int, int]
    waits: Sequence[Wait]
    refusals: Refusals
    problems: Sequence[Problem]

    @property
    def mailable(self) -> int:
        """Audience minus skipped."""
        return self.status.tally.audience - sum(self.status.tally.skipped.values())

    @property
    def policy_refusals(self) -> int:
        """Refusals that were about the sender: reputation, authentication, content."""
        return self.refusals.classes.get(ReplyClass.POLICY, 0)

    @property
    def unlisted_problems(self) -> int:
        """How many failed and uncertain deliveries are not listed."""
        counts = self.status.tally
        return counts.failed + counts.uncertain - len(self.problems)

    @property
    def started_at(self) -> float | None:
        """When sending began."""
        return next((step.at for step in self.steps if step.to_state == "sending"), None)

    def as_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints; times are ISO 8601 in UTC."""
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
            **self._figures(),
        }

    def _figures(self) -> dict[str, Any]:
        return {
            "domains": [
                {name: getattr(each, name) for name in DomainCount.__slots__}
                for each in self.domains
            ],
            "domain_count": self.domain_count,
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
            "problems": [_problem(each) for each in self.problems],
            "problems_not_listed": self.unlisted_problems,
        }


def report(connection: Connection, campaign_id: int) -> Report:
    """Everything a report tells, from one snapshot of the database.

    Raises:
        InputError: There is no such campaign.
    """
    known = status(connection, campaign_id)
    row = connection.execute(select(campaign).where(campaign.c.id == campaign_id)).one()
    domains, domain_count = figures.domains(connection, campaign_id, TOP_DOMAINS)
    return Report(
        status=known,
        title=approvals.load(connection, row.digest).title,
        transport=row.transport,
        created_by=row.created_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
        again_reason=row.again_reason,
        approvals=_approvals(connection, known),
        steps=_steps(connection, campaign_id),
        domains=domains,
        domain_count=domain_count,
        minutes=figures.accepted_by_minute(connection, campaign_id),
        attempts=figures.by_attempts(connection, campaign_id),
        waits=figures.waits(connection, campaign_id, SLOWEST_DOMAINS),
        refusals=figures.refusals(connection, campaign_id),
        problems=[
            Problem(fate, classify(fate.code, fate.status, fate.reply))
            for fate in figures.problems(connection, campaign_id, LISTED_PROBLEMS)
        ],
    )


def iso(at: float | None) -> str | None:
    """A time as ISO 8601 in UTC, to the second."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _approvals(connection: Connection, of: Status) -> list[Approval]:
    rows = connection.execute(
        select(approval)
        .where(
            approval.c.digest == of.digest,
            approval.c.audience.in_((of.audience, approvals.ANY_AUDIENCE)),
        )
        .order_by(approval.c.id)
    )
    return [Approval(row.approved_by, row.at, row.waivers) for row in rows]


def _steps(connection: Connection, campaign_id: int) -> list[Step]:
    rows = connection.execute(
        select(campaign_event)
        .where(campaign_event.c.campaign_id == campaign_id)
        .order_by(campaign_event.c.id)
    )
    return [Step(row.from_state, row.to_state, row.by, row.note, row.at) for row in rows]


def _problem(problem: Problem) -> dict[str, Any]:
    fate = problem.fate
    return {
        "position": fate.position,
        "address": fate.email,
        "state": fate.state,
        "code": fate.code,
        "status": fate.status,
        "reply": fate.reply,
        "class": problem.kind.value,
        "at": iso(fate.at),
    }
