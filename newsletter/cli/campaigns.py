"""status, pause, resume, cancel, retry, uncertain: a campaign while it runs and afterwards."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import (
    NUMBER,
    CliContext,
    by_option,
    campaign_argument,
    json_option,
    pass_context,
)
from newsletter.cli.output import counted, print_json, say
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.campaign.context import AppContext
    from newsletter.delivery.ledger.outcomes import OutcomeCounts, UncertainDelivery
    from newsletter.delivery.ledger.states import CampaignState

LOOK_S = 1.0
reason_option = click.option("--reason", default="", help="Record why.")


@click.command(
    epilog="""\b
Examples:
  ./send.py status
  ./send.py status 3 --json
  ./send.py status 3 --watch
"""
)
@click.argument("campaign", type=NUMBER, required=False)
@json_option
@click.option(
    "--watch", is_flag=True, help="Watch until it finishes or pauses. Ctrl-C stops watching."
)
@pass_context
def status(cli: CliContext, campaign: int | None, as_json: bool, watch: bool) -> None:
    """Show delivery results: counts that add up to the audience.

    Exits 1 if a delivery failed or is uncertain.
    """
    from newsletter.campaign.status import all_statuses
    from newsletter.campaign.status import status as one
    from newsletter.cli.campaign_view import show_status

    if watch:
        if campaign is None:
            raise UsageError("--watch needs a campaign", fix="./send.py status CAMPAIGN --watch")
        with cli.app() as app, suppress(KeyboardInterrupt):
            _watch(app, campaign)
    with cli.app() as app, app.store.read() as connection:
        found = all_statuses(connection) if campaign is None else [one(connection, campaign)]
    if as_json:
        objects = [item.as_json() for item in found]
        print_json(objects[0] if campaign is not None else {"campaigns": objects})
    elif not found:
        say("No campaigns yet. Start with: ./send.py send ISSUE --list NAME")
    else:
        for item in found:
            show_status(item)
    sys.exit(1 if campaign is not None and found[0].has_problems else 0)


def _watch(app: AppContext, campaign_id: int) -> None:
    """Show the counts until the campaign no longer sends."""
    from newsletter.campaign.status import status as one
    from newsletter.cli.progress import sending_bar
    from newsletter.delivery.ledger.states import CampaignState

    with sending_bar() as show:
        while True:
            began = time.monotonic()
            with app.store.read() as connection:
                found = one(connection, campaign_id)
            show(found.tally)
            if found.state not in {CampaignState.SCHEDULED, CampaignState.SENDING}:
                return
            # Counting a large campaign takes a while: watching must not slow down the send.
            time.sleep(max(LOOK_S, 4 * (time.monotonic() - began)))


@click.command(
    short_help="Pause a campaign; the rest stays queued.", epilog="Example: ./send.py pause 3"
)
@campaign_argument
@by_option
@pass_context
def pause(cli: CliContext, campaign: int, by: str) -> None:
    """Pause a campaign: messages being sent are finished, the rest stays queued."""
    from newsletter.delivery.ledger.states import CampaignState

    _halt(cli, campaign, CampaignState.PAUSED, by)
    say(f"To continue: ./send.py resume {campaign}, then its `send --live` again.")


@click.command(short_help="Resume a paused campaign.", epilog="Example: ./send.py resume 3")
@campaign_argument
@by_option
@pass_context
def resume(cli: CliContext, campaign: int, by: str) -> None:
    """Resume a paused campaign; run its `send --live` again to send.

    A campaign that was paused before its start time is scheduled again.
    """
    from newsletter.campaign.status import status as one
    from newsletter.delivery.ledger import states

    with cli.app(by=by) as app, app.store.write() as connection:
        now = app.store.now(connection)
        to = states.resume(connection, campaign, by=app.by, now=now)
        counts = one(connection, campaign).tally
    say(f"Campaign {campaign} is {to}: {_progress(counts)}.")
    say("Run its `send --live` again to send what is queued.")


@click.command(short_help="Cancel a campaign for good.", epilog="Example: ./send.py cancel 3")
@campaign_argument
@by_option
@pass_context
def cancel(cli: CliContext, campaign: int, by: str) -> None:
    """Cancel a campaign for good: mail already sent stays sent, nobody else receives it."""
    from newsletter.delivery.ledger.states import CampaignState

    _halt(cli, campaign, CampaignState.CANCELLED, by)


def _halt(cli: CliContext, campaign_id: int, to: CampaignState, by: str) -> None:
    from newsletter.campaign.control import halt

    with cli.app(by=by) as app:
        found, on_the_way = halt(app, campaign_id, to)
    counts = found.tally
    say(f"Campaign {campaign_id} is {to}: {_progress(counts)}.")
    if on_the_way:
        being = counted(on_the_way, "queued delivery is", "queued deliveries are")
        say(f"{being} being sent right now: see `./send.py status`.")


def _progress(counts: OutcomeCounts) -> str:
    """What was sent by now, and what was not, in words."""
    from newsletter.delivery.ledger.outcomes import CANCELLED

    further = {
        "uncertain": counts.uncertain,
        "failed": counts.failed,
        "deferred": counts.deferred,
        "will not receive it": counts.skipped.get(CANCELLED, 0),
    }
    found = [f"{number:,} {what}" for what, number in further.items() if number]
    return ", ".join([f"{counts.accepted:,} accepted", *found, f"{counts.queued:,} queued"])


@click.command(
    epilog="""\b
Examples:
  ./send.py retry 3
  ./send.py retry 3 --failed --by maria --reason "their mail server was down all day"
"""
)
@campaign_argument
@click.option("--failed", is_flag=True, help="Also requeue deliveries that failed for good.")
@by_option
@reason_option
@pass_context
def retry(cli: CliContext, campaign: int, failed: bool, by: str, reason: str) -> None:
    """Retry deferred deliveries now instead of when they are due.

    This command mails nobody: a worker does, or the campaign's `send --live` when run again.
    """
    from newsletter.campaign import control
    from newsletter.delivery.ledger.states import HELD

    if failed and not reason:
        raise UsageError("--failed needs a reason", fix="add --reason TEXT")
    with cli.app(by=by) as app:
        found = control.retry(app, campaign)
        deferred = found.tally.deferred
        put_back = control.retry_failed(app, campaign, reason) if failed else 0
    due = counted(deferred, "deferred delivery is", "deferred deliveries are")
    say(f"Campaign {campaign}: {due} due now.")
    if failed:
        say(f"Requeued {counted(put_back, 'failed delivery', 'failed deliveries')}.")
    if deferred or put_back:
        held = found.state in HELD
        first = f"It is {found.state}: `./send.py resume {campaign}`, then run" if held else "Run"
        say(f"{first} its `send --live` again to send them.")


@click.command(
    short_help="List and resolve uncertain deliveries.",
    epilog="""\b
Examples:
  ./send.py uncertain 3
  ./send.py uncertain 3 --resolve accepted --position 17 --position 18 --reason "both answered it"
  ./send.py uncertain 3 --resolve send-again --position 19 --reason "she says it never came"
  ./send.py uncertain 3 --resolve failed --all --reason "the relay's log has none of them"
""",
)
@campaign_argument
@click.option(
    "--resolve",
    "answer",
    type=click.Choice(["accepted", "failed", "send-again"]),
    help="Record this outcome. Without it, list uncertain deliveries.",
)
@click.option(
    "--position",
    "positions",
    type=int,
    multiple=True,
    help="Resolve this delivery; repeat for more.",
)
@click.option("--all", "all_of_them", is_flag=True, help="Resolve all that are uncertain now.")
@by_option
@reason_option
@json_option
@pass_context
def uncertain(  # noqa: PLR0913, PLR0917 -- one parameter an option
    cli: CliContext,
    campaign: int,
    answer: str | None,
    positions: tuple[int, ...],
    all_of_them: bool,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """List and resolve deliveries that may or may not have arrived.

    The connection was lost before the server replied. They are never sent again on a guess.
    Exits 1 while there are any.
    """
    from newsletter.campaign import control

    if positions and all_of_them:
        raise UsageError("choose either --all or --position")
    if answer and not ((positions or all_of_them) and reason):
        raise UsageError("--position (or --all) and --reason are required with --resolve")
    if (positions or all_of_them or reason) and not answer:
        raise UsageError(
            "--resolve is required", fix="add --resolve accepted, failed or send-again"
        )
    with cli.app(by=by) as app:
        if all_of_them:
            positions = tuple(each.position for each in control.uncertain(app, campaign))
        unknown = (
            control.resolve_uncertain(app, campaign, answer, positions, reason) if answer else ()
        )
        left = control.uncertain(app, campaign)
    if unknown:
        say(f"Not uncertain, left unchanged: {', '.join(map(str, unknown))}")
    if as_json:
        rows = [
            {
                "position": each.position,
                "address": each.email,
                "at": f"{datetime.fromtimestamp(each.at, UTC):%Y-%m-%dT%H:%M:%SZ}",
                "chunk": each.chunk_id,
                "known": _known(each),
            }
            for each in left
        ]
        print_json({"campaign": campaign, "uncertain": rows})
    else:
        _show_uncertain(campaign, left)
    if answer == "send-again":
        say("Run the campaign's `send --live` again to send them.")
    sys.exit(1 if left or unknown else 0)


def _show_uncertain(campaign: int, left: list[UncertainDelivery]) -> None:
    if not left:
        click.echo(f"Campaign {campaign}: no uncertain deliveries.")
        return
    number = counted(len(left), "delivery", "deliveries")
    click.echo(f"Campaign {campaign}: {number} may or may not have arrived.")
    for each in left:
        at = f"{datetime.fromtimestamp(each.at).astimezone():%Y-%m-%d %H:%M:%S}"
        click.echo(f"  {each.position:>7}  {each.email}  since {at}  chunk {each.chunk_id}")
        click.echo(f"           {_known(each)}")


def _known(delivery: UncertainDelivery) -> str:
    return delivery.known or "sending may have started; no reply was recorded"
