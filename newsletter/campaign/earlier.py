"""Earlier campaigns of an issue: which one to continue, and which block a new one."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from sqlalchemy import Connection, select

from newsletter.campaign.snapshot import AudienceSelection
from newsletter.delivery.ledger import states
from newsletter.delivery.ledger.outcomes import under_way
from newsletter.delivery.ledger.states import CampaignState
from newsletter.delivery.ledger.tables import campaign, campaign_event
from newsletter.errors import RefusedError
from newsletter.render.model import CompiledIssue


class EarlierCampaign(NamedTuple):
    """An earlier campaign of the same issue."""

    id: int
    list_name: str
    segment: str
    digest: str
    state: str
    again_reason: str
    created_at: float


def campaign_to_continue(
    connection: Connection,
    compiled: CompiledIssue,
    audience: AudienceSelection,
    again_reason: str,
    *,
    live: bool,
) -> EarlierCampaign | None:
    """The campaign to continue: the unfinished one, else the finished one of this digest.

    Args:
        live: Whether other sends of this issue block this one; they do not block a dry run.

    Raises:
        RefusedError: Another send of this issue must be finished or cancelled first.
    """
    rows = connection.execute(
        select(
            campaign.c.id,
            campaign.c.audience,
            campaign.c.segment,
            campaign.c.digest,
            campaign.c.state,
            campaign.c.again_reason,
            campaign.c.created_at,
        )
        .where(campaign.c.slug == compiled.slug)
        .order_by(campaign.c.id.desc())
    )
    earlier = [EarlierCampaign(*row) for row in rows]
    unfinished = [each for each in earlier if each.state in states.UNFINISHED]
    for each in unfinished:
        if each.list_name == audience.list_name and each.segment == audience.segment:
            # All recipients of one campaign receive the same text.
            if each.digest != compiled.digest:
                raise RefusedError(
                    f"campaign {each.id} of an earlier version of this issue is {each.state}",
                    fix=f"restore the earlier text to continue, or `./send.py cancel {each.id}`",
                )
            if again_reason and not each.again_reason:
                raise RefusedError(
                    f"campaign {each.id} of this issue is {each.state}: not everyone received it "
                    "yet",
                    fix=f"continue it without --again, or `./send.py cancel {each.id}`",
                )
            return each
        if each.list_name == audience.list_name and live:
            raise _overlaps(each, audience)
    if unfinished and live:
        each = unfinished[0]
        raise RefusedError(
            f"campaign {each.id} of this issue, to {each.list_name}, is {each.state}: people on "
            "both lists could receive it twice",
            fix=f"finish it first, or `./send.py cancel {each.id}`",
        )
    # Sending again to people who already received it is always a new campaign.
    if again_reason:
        return None
    # A finished campaign is not sent a second time; after an edit its recipients are skipped.
    wanted = (CampaignState.FINISHED, compiled.digest, audience.list_name, audience.segment)
    for each in earlier:
        if (each.state, each.digest, each.list_name, each.segment) == wanted:
            return each
    return None


def _overlaps(earlier: EarlierCampaign, audience: AudienceSelection) -> RefusedError:
    """The refusal to send to two parts of one list at once, which may share recipients."""

    def part(list_name: str, segment: str) -> str:
        return f"{list_name} where {segment}" if segment else f"all of {list_name}"

    segment = earlier.segment
    same = f"with --segment {shlex.quote(segment)}" if segment else "without --segment"
    return RefusedError(
        f"campaign {earlier.id} of this issue, to {part(earlier.list_name, segment)}, is "
        f"{earlier.state}; this is {part(audience.list_name, audience.segment)}: people in both "
        "could receive it twice",
        fix=f"continue it {same}, or `./send.py cancel {earlier.id}`",
    )


def require_landed(connection: Connection, slug: str) -> None:
    """Refuse while messages of a cancelled or finished campaign of this issue are under way.

    Raises:
        RefusedError: There are such messages.
    """
    # Some may turn out not to have been sent: a snapshot taken before that would skip their
    # recipients as if they had received the issue.
    ended = select(campaign.c.id).where(campaign.c.slug == slug, campaign.c.state.in_(states.ENDED))
    for number in connection.execute(ended).scalars().all():
        on_the_way = under_way(connection, number)
        if on_the_way:
            raise RefusedError(
                f"messages of campaign {number} of this issue are still being sent ({on_the_way})",
                fix="wait a minute or two until they have an outcome, then run this again",
            )


def begun_since(connection: Connection, slug: str, campaign_id: int, since: float) -> bool:
    """Whether another campaign of this issue was started since then (Unix seconds)."""
    query = (
        select(campaign.c.id)
        .join(campaign_event, campaign_event.c.campaign_id == campaign.c.id)
        .where(
            campaign.c.slug == slug,
            campaign.c.id != campaign_id,
            campaign_event.c.to_state.in_([CampaignState.SCHEDULED, CampaignState.SENDING]),
            campaign_event.c.at >= since,
        )
    )
    return connection.execute(query).first() is not None
