"""send and test: the commands that mail. The order of a send is in `newsletter.campaign.run`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.columns import column_option, explain_unmapped_columns
from newsletter.cli.context import CliContext, by_option, issue_argument, json_option, pass_context
from newsletter.cli.output import counted, print_json, say
from newsletter.cli.segment import require_readable, segment_option
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.campaign.context import AppContext
    from newsletter.campaign.launch import PendingCampaign
    from newsletter.campaign.request import SendRequest
    from newsletter.campaign.status import Status


@click.command(
    epilog="""\b
Examples:
  ./send.py send issues/neck-muscles-and-migraine.md --csv subscribers.example.csv
  ./send.py send issues/spring-news.md --list readers
  ./send.py send issues/spring-news.md --list readers --live
  ./send.py send issues/spring-news.md --list readers --live --confirm 12406
  ./send.py send issues/spring-news.md --list readers --segment 'city = Vienna'
  ./send.py send issues/spring-news.md --list readers --live --detach
  ./send.py send issues/spring-news.md --list readers --live --at "2026-12-01 09:00"

Running a live send again continues it; nobody gets the issue twice.
"""
)
@issue_argument
@click.option("--list", "list_name", default="", help="Send to this list.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path),
    help="Import this file into --list (default: the file's name) and send to its rows only.",
)
@column_option
@segment_option
@click.option("--skip-invalid", is_flag=True, help="With --csv: leave out invalid rows.")
@click.option("--live", is_flag=True, help="Send for real. Without it: a dry run.")
@click.option("--confirm", type=int, metavar="N", help="Confirm N recipients without a prompt.")
@click.option(
    "--at", metavar="WHEN", help="Start then: 2026-12-01T09:00 local time, or with an offset."
)
@click.option("--detach", is_flag=True, help="Leave the sending to a worker, and exit at once.")
@click.option(
    "--again", default="", metavar="REASON", help="Also send to people who already received it."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write a dry run's messages here. [var/outbox/SLUG]",
)
@by_option
@json_option
@pass_context
def send(  # noqa: PLR0913, PLR0917 -- one parameter an option
    cli: CliContext,
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
        raise UsageError("no recipients given", fix="use --list NAME or --csv FILE")
    if uses and not csv_file:
        raise UsageError("--column works only with --csv")
    if confirm is not None and not live:
        raise UsageError("--confirm works only with --live")
    if detach and not live:
        raise UsageError("--detach works only with --live")
    require_readable(segment)
    from newsletter.campaign.request import SendRequest
    from newsletter.campaign.schedule import parse_when, shown

    with explain_unmapped_columns(as_json=as_json), cli.app(by=by, live=live) as app:
        not_before = parse_when(at, time.time()) if at else 0.0
        if at:
            would = "Starts" if live else "With --live it would start"
            say(f"{would} on {shown(not_before)}.")
        request = SendRequest(
            issue=issue,
            list_name=list_name or (csv_file.stem if csv_file else ""),
            csv_file=csv_file,
            uses=uses,
            segment=segment,
            skip_invalid=skip_invalid,
            again_reason=again,
            not_before=not_before,
            detach=detach,
        )
        result = _live(app, request, confirm) if live else _dry_run(app, request, out)
    if as_json:
        print_json(result.as_json())
    else:
        from newsletter.cli.campaign_view import show_status

        show_status(result)
    # With --detach, queued is what was asked for; without it, a script must know that not all
    # messages were sent.
    left = result.tally.queued and not detach
    sys.exit(1 if result.has_problems or left else 0)


def _live(app: AppContext, request: SendRequest, number: int | None) -> Status:
    """Send; ``number`` is the confirmation given as an option."""
    from newsletter.campaign.build import BlockedError
    from newsletter.campaign.request import SendEnd
    from newsletter.campaign.run import send_live
    from newsletter.check.report import format_findings
    from newsletter.cli.send_view import SendView, show_plan
    from newsletter.delivery.ledger.states import CampaignState
    from newsletter.transports.registry import transport_kind

    def confirm(pending: PendingCampaign) -> int | None:
        show_plan(pending, transport_kind(app.settings).describe(app.settings))
        if number is not None:
            return number
        people = counted(pending.mailable, "person", "people")
        say(f"Type {pending.mailable} to confirm sending to {people}: ", end="")
        answer = sys.stdin.readline().strip()
        return int(answer) if answer.isdecimal() else None

    try:
        result = send_live(app, request, confirm=confirm, listener=SendView())
    except BlockedError as error:
        # With file and line: the error itself only says how many there are.
        # With file and line, since the error alone says only how many there are.
        say(format_findings(error.blockers, color=sys.stderr.isatty()))
        raise
    status = result.status
    if result.end is SendEnd.ALREADY_SENT:
        say("This issue was already sent to this list; nothing is left to send.")
    elif result.end is SendEnd.DETACHED:
        campaign = f"Campaign {status.campaign_id}"
        say(f"{campaign} is waiting for a worker: run `./send.py worker` if none is running.")
    elif status.tally.queued and status.state == CampaignState.SENDING:
        say(f"{status.tally.queued:,} still queued: run the same command again to continue.")
    return status


def _dry_run(app: AppContext, request: SendRequest, out: Path | None) -> Status:
    from newsletter.campaign.run import dry_run
    from newsletter.cli.send_view import SendView, show_variants

    result = dry_run(app, request, listener=SendView(), out=out)
    # A dry run on the copy would only repeat what the campaign has done already.
    if result.pending.continuing:
        say("No dry run: this issue was already sent, at least in part, to this list. Its status:")
        return result.status
    written = result.status.tally.accepted
    say(f"Dry run: nothing left this machine. {written:,} messages in {result.folder}")
    show_variants(result.pending.compiled, result.pending.variants)
    if blockers := result.built.blockers:
        command = f"./send.py check {request.issue}"
        say(f"A live send would be refused: {counted(len(blockers), 'blocker')}. See: {command}")
    elif findings := result.built.findings:
        say(f"{counted(len(findings), 'finding')} to look at. See: ./send.py check {request.issue}")
    return result.status


@click.command(
    short_help="Send one [TEST] message to the given addresses.",
    epilog="Example: ./send.py test issues/spring-news.md --to office@clinic.example",
)
@issue_argument
@click.option(
    "--to", "addresses", multiple=True, required=True, help="Send to this address; repeat for more."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="With the file transport: write here. [var/outbox/test]",
)
@pass_context
def test(cli: CliContext, issue: Path, addresses: tuple[str, ...], out: Path | None) -> None:
    """Send one [TEST] message to the given addresses, never to a list.

    It uses the configured transport. Its links are proof links, which change nothing.
    """
    from newsletter.campaign.mailer import outbox_folder
    from newsletter.campaign.test_send import send_test
    from newsletter.transports.registry import transport_kind

    with cli.app() as app:
        folder = out or outbox_folder(app.settings, "test")
        outcomes = send_test(app, issue, addresses, folder)
    for address, outcome in zip(addresses, outcomes, strict=True):
        click.echo(f"{address}: {outcome.result} {outcome.reply}".rstrip())
    if not transport_kind(app.settings).reaches_people(app.settings):
        say(f"Written to {folder}; nothing left this machine.")
    sys.exit(0 if all(o.result == "accepted" for o in outcomes) else 1)
