"""The status of a campaign: counts that add up to the audience, always."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from newsletter.delivery.ledger.outcomes import OutcomeCounts, count_outcomes
from newsletter.delivery.ledger.states import SYSTEM, CampaignState, ChunkKind, ChunkState
from newsletter.delivery.ledger.tables import campaign, campaign_event, chunk
from newsletter.errors import InputError


@dataclass(frozen=True, slots=True)
class Status:
    """One campaign and its counts.

    ``note`` says why it is in its state; ``held``: it paused by itself. ``not_before`` is when a
    scheduled campaign starts, ``next_retry`` when the next deferred delivery is due (Unix
    seconds). ``segment`` is the part of the list it is for; empty for all of it. ``dry_run``: what
    counts as accepted would be sent, and the number belongs to a deleted copy of the database.
    """

    campaign_id: int
    slug: str
    audience: str
    state: str
    digest: str
    tally: OutcomeCounts
    note: str = ""
    held: bool = False
    not_before: float | None = None
    next_retry: float | None = None
    segment: str = ""
    dry_run: bool = False

    @property
    def has_problems(self) -> bool:
        """Whether any delivery failed or is uncertain, or the campaign paused by itself."""
        return bool(self.tally.failed or self.tally.uncertain or self.held)

    def of_a_dry_run(self) -> Status:
        """The same status, marked as what would happen."""
        return replace(self, state="dry-run", dry_run=True)

    def as_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        counts = self.tally
        return {
            "campaign": None if self.dry_run else self.campaign_id,
            "issue": self.slug,
            "list": self.audience,
            "segment": self.segment or None,
            "state": self.state,
            "note": self.note,
            "not_before": _iso(self.not_before),
            "next_retry": _iso(self.next_retry),
            "digest": self.digest,
            "audience": counts.audience,
            "accepted": counts.accepted,
            "deferred": counts.deferred,
            "failed": counts.failed,
            "uncertain": counts.uncertain,
            "queued": counts.queued,
            "skipped": dict(counts.skipped),
        }


def status(connection: Connection, campaign_id: int) -> Status:
    """One campaign's counts.

    Raises:
        InputError: There is no such campaign.
    """
    row = connection.execute(select(campaign).where(campaign.c.id == campaign_id)).first()
    if row is None:
        raise InputError(f"there is no campaign {campaign_id}", fix="see `./send.py status`")
    # The note of the last change to this state says why the campaign is in it.
    last = connection.execute(
        select(campaign_event)
        .where(campaign_event.c.campaign_id == campaign_id, campaign_event.c.to_state == row.state)
        .order_by(campaign_event.c.id.desc())
        .limit(1)
    ).first()
    due: float | None = connection.execute(
        select(func.min(chunk.c.due_at)).where(
            chunk.c.campaign_id == campaign_id,
            chunk.c.kind == ChunkKind.RETRY,
            chunk.c.state == ChunkState.READY,
        )
    ).scalar()
    return Status(
        row.id,
        row.slug,
        row.audience,
        row.state,
        row.digest,
        count_outcomes(connection, campaign_id),
        note=last.note if last else "",
        held=bool(last and last.by == SYSTEM and row.state == CampaignState.PAUSED),
        not_before=row.not_before if row.state == CampaignState.SCHEDULED else None,
        next_retry=due,
        segment=row.segment,
    )


def _iso(at: float | None) -> str | None:
    return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def all_statuses(connection: Connection) -> list[Status]:
    """Every campaign, newest first."""
    ids = connection.execute(select(campaign.c.id).order_by(campaign.c.id.desc())).scalars()
    return [status(connection, campaign_id) for campaign_id in ids.all()]
