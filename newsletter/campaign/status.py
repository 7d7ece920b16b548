"""What became of everyone: counts that add up to the audience, always."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from newsletter.deliver import Tally, tally
from newsletter.errors import InputError
from newsletter.store.schema import campaign


@dataclass(frozen=True, slots=True)
class Status:
    """One campaign and its counts."""

    campaign_id: int
    slug: str
    audience: str
    state: str
    digest: str
    tally: Tally

    @property
    def has_problems(self) -> bool:
        """Whether any delivery failed or is uncertain."""
        return bool(self.tally.failed or self.tally.uncertain)

    def as_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        counts = self.tally
        return {
            "campaign": self.campaign_id,
            "issue": self.slug,
            "list": self.audience,
            "state": self.state,
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
        raise InputError(f"there is no campaign {campaign_id}", fix="see `send.py status`")
    return Status(
        row.id, row.slug, row.audience, row.state, row.digest, tally(connection, campaign_id)
    )


def all_statuses(connection: Connection) -> list[Status]:
    """Every campaign, newest first."""
    ids = connection.execute(select(campaign.c.id).order_by(campaign.c.id.desc())).scalars()
    return [status(connection, campaign_id) for campaign_id in ids.all()]
