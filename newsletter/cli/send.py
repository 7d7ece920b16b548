"""send: the command that mails a list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.campaign_view import show_plan, show_status, show_variants
from newsletter.cli.columns import answering, column_option
from newsletter.cli.desk import (
    CommandLine,
    by_option,
    issue_argument,
    json_option,
    pass_line,
    print_json,
    say,
)
from newsletter.cli.schedule import Countdown, called_off
from newsletter.cli.segment import require_readable, segment_option
from newsletter.cli.send_job import Job, refuse_blockers
from newsletter.cli.sending_view import sending_view
from newsletter.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from newsletter.campaign.desk import Desk
    from newsletter.campaign.freeze import Audience
    from newsletter.campaign.opening import Opened
    from newsletter.campaign.status import Status


@click.command(
    epilog="""\b
Examples:
  send.py send issues/neck-muscles-and-migraine.md --csv subscribers.example.csv
  send.py send issues/spring-news.md --list readers
  send.py send issues/spring-news.md --list readers --live
  send.py send issues/spring-news.md --list readers --live --confirm 12406
  send.py send issues/spring-news.md --list readers --segment 'city = Vienna'
  send.py send issues/spring-news.md --list readers --live --detach
  send.py send issues/spring-news.md --list readers --live --at "2026-12-01 09:00"

Running a live send again continues it; nobody gets the issue twice.
"""
)
@issue_argument
@click.option("--list", "list_name", default="", help="The list to send to.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path),
    help="Import this file into --list (default: the file's name) and send to its rows.",
)
@column_option
@segment_option
@click.option("--skip-invalid", is_flag=True, help="With --csv: leave bad rows out.")
@click.option("--live", is_flag=True, help="Really send. Without it: a dry run.")
@click.option("--confirm", type=int, metavar="N", help="How many will get it, instead of asking.")
@click.option(
    "--at", metavar="WHEN", help="When to begin: 2026-12-01T09:00 here, or with an offset."
)
@click.option("--detach", is_flag=True, help="Leave the sending to `worker`, and end at once.")
@click.option("--again", default="", metavar="REASON", help="Send also to who already has it.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where a dry run writes. [var/outbox/SLUG]"
)
@by_option
@json_option
@pass_line
def send(  # noqa: PLR0913, PLR0917 -- one parameter an option
    line: CommandLine,
    issue: Path,
    list_name: str,
    csv_file: Path | None,
    uses: tuple[str, ...],
    segment: str | None,
    skip_invalid: bool,
    live: bool,
    confirm: int | None,
    at: str | None,
    detach: bool,
    again: str,
    out: Path | None,
    by: str,
    as_json: bool,
) -> None:
    """Send an issue to a list. A dry run, unless --live."""
    if not (list_name or csv_file):
        raise UsageError("to whom?", fix="--list NAME or --csv FILE")
    if uses and not csv_file:
        raise UsageError("--column goes with --csv")
    if confirm is not None and not live:
        raise UsageError("--confirm goes with --live")
    if detach and not live:
        raise UsageError("--detach goes with --live")
    require_readable(segment)
    with answering(as_json=as_json), line.desk(by=by, live=live) as desk:
        list_name = list_name or (csv_file.stem if csv_file else "")
        job = Job(issue, list_name, csv_file, uses, segment, skip_invalid, again, detach)
        not_before = _when(at, live=live) if at else 0.0
        if live:
            result = _live(desk, job, confirm, not_before)
        else:
            result = _dry_run(desk, job, out, not_before)
    if as_json:
        print_json(result.as_json())
    else:
        show_status(result)
    left = result.tally.queued and not detach
    sys.exit(1 if result.has_problems or left else 0)


def _dry_run(desk: Desk, job: Job, out: Path | None, not_before: float) -> Status:
    """The same code as a live send, on a private copy of the database, into a folder."""
    from dataclasses import replace

    from newsletter.campaign import opening, sending
    from newsletter.campaign.freeze import by_variant
    from newsletter.deliver.transports.outbox import OutboxTransport
    from newsletter.store.scratch import scratch_copy

    folder = out or desk.settings.var / "outbox" / job.issue.stem
    with scratch_copy(desk.store, desk.settings) as store:
        copy = replace(desk, store=store)
        audience = job.audience(copy)
        prepared = job.prepare(copy, audience, live=False)
        opened = opening.open_campaign(
            copy,
            prepared.compiled,
            audience,
            again_reason=job.again,
            not_before=not_before,
            live=False,
        )
        if opened.continuing:
            say("No dry run: this issue is being sent to this list, or was. This is how far it is.")
            return opened.status
        with copy.store.read() as connection:
            variants = by_variant(connection, opened.status.campaign_id)
        with sending_view() as progress:
            result = sending.run(
                copy, opened, OutboxTransport(folder, fresh=True), proof=True, progress=progress
            )
    say(f"Dry run: nothing left this machine. {result.tally.accepted:,} messages in {folder}")
    show_variants(opened.compiled, variants)
    if prepared.blockers:
        count = len(prepared.blockers)
        say(f"A live send would be refused: {count} blocker(s). See: send.py check {job.issue}")
    elif prepared.findings:
        count = len(prepared.findings)
        say(f"There is something to look at ({count}). See: send.py check {job.issue}")
    return result.of_a_dry_run()


def _when(at: str, *, live: bool) -> float:
    import time

    from newsletter.campaign.schedule import parse_when, shown

    wanted = parse_when(at, time.time())
    say(f"To begin on {shown(wanted)}." if live else f"--live would begin on {shown(wanted)}.")
    return wanted


def _live(desk: Desk, job: Job, confirm: int | None, not_before: float) -> Status:
    from newsletter.campaign import approval, opening, schedule, sending
    from newsletter.campaign.freeze import Audience

    prepared = job.prepare(desk, Audience(job.list_name), live=False)
    refuse_blockers(prepared)
    with desk.store.read() as connection:
        approval.require(connection, desk.settings, prepared.compiled, job.list_name)
    audience = job.audience(desk)
    opened = opening.open_campaign(
        desk,
        prepared.compiled,
        audience,
        again_reason=job.again,
        not_before=not_before,
        live=True,
    )
    _say_who_joined_since(desk, audience, opened)
    if opened.status.state == "finished":
        say("This issue went out to this list already; nothing is left to send.")
        return opened.status
    outbox = desk.settings.var / "outbox" / f"campaign-{opened.status.campaign_id}"
    transport = sending.open_transport(desk.settings, outbox)
    _confirm_or_discard(desk, job, opened, confirm)
    if job.detach:
        return _detach(desk, opened, not_before)
    campaign_id = opened.status.campaign_id
    sending.start(desk, opened, not_before=not_before)
    with called_off(desk, opened, not_before):
        schedule.wait(desk.store, desk.settings, campaign_id, Countdown(campaign_id))
    with sending_view() as progress:
        result = sending.go_on(desk, opened, transport, proof=False, progress=progress)
    if result.tally.queued and result.state == "sending":
        say(f"{result.tally.queued:,} are still queued; the same command goes on with them.")
    return result


def _detach(desk: Desk, opened: Opened, not_before: float) -> Status:
    from newsletter.campaign import sending
    from newsletter.campaign.status import status

    campaign_id = opened.status.campaign_id
    sending.start(desk, opened, not_before=not_before)
    say(f"Campaign {campaign_id} is left to a worker: run `send.py worker` if none is running.")
    with desk.store.read() as connection:
        return status(connection, campaign_id)


def _say_who_joined_since(desk: Desk, audience: Audience, opened: Opened) -> None:
    from dataclasses import replace

    from newsletter.campaign.freeze import joined_since

    if not opened.continuing:
        return
    with desk.store.read() as connection:
        number = joined_since(connection, opened.status.campaign_id, replace(audience, batch=""))
    if number:
        who = f"on the list {audience.list_name}"
        who += " and in the segment" if audience.segment else ""
        say(
            f"{number} {who} joined after its audience was fixed, and are "
            "not in this campaign: to reach them, import them into a list of their own"
        )


def _confirm_or_discard(desk: Desk, job: Job, opened: Opened, confirm: int | None) -> None:
    from newsletter.campaign import opening, sending

    try:
        sheltered = sending.require_way_out(desk, opened)
        if not sheltered:
            refuse_blockers(job.prepare(desk, None, live=True))
        if opened.continuing:
            say(f"Going on with campaign {opened.status.campaign_id}.")
        else:
            _confirm(desk, opened, confirm)
    except BaseException:
        opening.discard(desk.store, opened)
        raise


def _confirm(desk: Desk, opened: Opened, confirm: int | None) -> None:
    """Show who will get it, and go on only when the number is right."""
    from newsletter.campaign.freeze import by_variant
    from newsletter.campaign.sending import where_to

    with desk.store.read() as connection:
        variants = by_variant(connection, opened.status.campaign_id)
    show_plan(opened, where_to(desk.settings), variants)
    if confirm is None:
        say(f"Type {opened.mailable} to send to so many people: ", end="")
        answer = sys.stdin.readline().strip()
        confirm = int(answer) if answer.isdecimal() else -1
    if confirm != opened.mailable:
        raise RefusedError(
            f"not confirmed: {opened.mailable} people would get it; nothing was sent",
            fix=f"--confirm {opened.mailable}",
        )
