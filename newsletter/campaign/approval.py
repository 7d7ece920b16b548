"""Approval is bound to content: it is valid for one digest and one list, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, or_, select

from newsletter.campaign.build import BuiltIssue
from newsletter.campaign.context import AppContext
from newsletter.campaign.media import save_media
from newsletter.campaign.tables import approval, compiled_issue
from newsletter.check.model import Severity
from newsletter.errors import InputError, RefusedError
from newsletter.render.codec import deserialize, serialize
from newsletter.render.model import CompiledIssue
from newsletter.settings.model import Settings
from newsletter.store.engine import advisory_lock

ANY_AUDIENCE = "*"


@dataclass(frozen=True, slots=True)
class ApprovedIssue:
    """A compiled issue that enough people approved for one list.

    Only `require` makes one, so functions that take one need not check again: an approval is never
    withdrawn.
    """

    compiled: CompiledIssue
    list_name: str


def approve(
    app: AppContext,
    built: BuiltIssue,
    *,
    audience: str = ANY_AUDIENCE,
    waivers: Mapping[str, str] | None = None,
) -> int:
    """Record that a person approves exactly this content.

    Args:
        audience: The list it may go to; `ANY_AUDIENCE` for whichever is named when sending.
        waivers: Rule name to reason, for warnings that were judged and accepted.

    Returns:
        How many people have approved this digest by now.

    Raises:
        RefusedError: There is a blocker, or the author approves where two others are needed.
        InputError: A waiver does not name a warning that was found, or gives no reason.
    """
    waivers = dict(waivers or {})
    if built.blockers:
        count = len(built.blockers)
        # Blockers cannot be waived: an approval in spite of one could never be used.
        raise RefusedError(
            f"{count} {'blocker' if count == 1 else 'blockers'} must be fixed",
            file=built.issue.path,
            fix="see `./send.py check`, fix them, then approve",
        )
    warnings = {f.rule for f in built.findings if f.severity is Severity.WARNING}
    for rule, reason in waivers.items():
        if rule not in warnings:
            raise InputError(
                f"there is no warning named {rule}", fix="run `./send.py check` to list warnings"
            )
        if not reason.strip():
            raise InputError(
                f"the waiver of {rule} gives no reason", fix="write --waive RULE=REASON"
            )
    # Two approvals mean two people besides the author.
    if app.settings.approvals > 1 and app.by.casefold() == built.issue.meta.author.casefold():
        raise RefusedError(
            f"{app.by} wrote this issue, so two other people must approve it (approvals = 2)"
        )
    # Saved now: the files in the project may change before the send.
    for image in built.compiled.images:
        save_media(app.settings, image)
    with app.store.write() as connection:
        now = app.store.now(connection)
        keep(connection, built.compiled, now)
        connection.execute(
            insert(approval).values(
                digest=built.compiled.digest,
                audience=audience,
                approved_by=app.by,
                waivers=waivers,
                at=now,
            )
        )
        return len(approvers(connection, built.compiled.digest, audience))


def approvers(connection: Connection, digest: str, audience: str) -> list[str]:
    """Who has approved this digest for this audience, in order of their approval."""
    rows = connection.execute(
        select(approval.c.approved_by)
        .where(
            approval.c.digest == digest,
            or_(approval.c.audience == audience, approval.c.audience == ANY_AUDIENCE),
        )
        .order_by(approval.c.id)
    )
    names = [row.approved_by.strip() for row in rows]
    # One person counts once, however their name is capitalized; the first spelling is kept.
    return list({name.casefold(): name for name in reversed(names)}.values())[::-1]


def require(
    connection: Connection, settings: Settings, compiled: CompiledIssue, list_name: str
) -> ApprovedIssue:
    """Refuse unless enough people approved exactly this.

    Raises:
        RefusedError: Too few approvals of this digest for this list.
    """
    have = len(approvers(connection, compiled.digest, list_name))
    if have >= settings.approvals:
        return ApprovedIssue(compiled, list_name)
    earlier = connection.execute(
        select(compiled_issue.c.digest)
        .join(approval, approval.c.digest == compiled_issue.c.digest)
        .where(compiled_issue.c.slug == compiled.slug, approval.c.digest != compiled.digest)
    ).first()
    elsewhere = connection.execute(
        select(approval.c.audience).where(approval.c.digest == compiled.digest).distinct()
    ).scalars()
    what = "this issue is not approved"
    if have:
        what = f"this issue has {have} of the {settings.approvals} approvals it needs"
    others = ", ".join(sorted(name for name in elsewhere if name not in {list_name, ANY_AUDIENCE}))
    why = "; it has changed since it was approved" if earlier and not have else ""
    why = f" for {list_name}, only for {others}" if others and not have else why
    raise RefusedError(
        f"{what} (digest {compiled.digest[:12]}){why}",
        fix=f"have it reviewed, then run `./send.py approve` for {list_name}",
    )


def keep(connection: Connection, compiled: CompiledIssue, now: float) -> None:
    """Store a compiled issue under its digest, once."""
    # Two processes that store the same digest at once would violate the primary key.
    advisory_lock(connection, f"issue {compiled.slug}")
    known = connection.execute(
        select(compiled_issue.c.digest).where(compiled_issue.c.digest == compiled.digest)
    ).first()
    if known is None:
        # The whole issue, not its path: what was approved is what is sent, whatever changes later.
        connection.execute(
            insert(compiled_issue).values(
                digest=compiled.digest,
                slug=compiled.slug,
                payload=serialize(compiled),
                created_at=now,
            )
        )


def load(connection: Connection, digest: str) -> CompiledIssue:
    """The compiled issue that was stored under a digest."""
    payload = connection.execute(
        select(compiled_issue.c.payload).where(compiled_issue.c.digest == digest)
    ).scalar_one()
    return deserialize(payload)
