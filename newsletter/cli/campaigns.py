"""status, pause, resume, cancel: a campaign while it runs and afterwards."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import (
    NUMBER,
    CliContext,
    by_option,
    campaign_argument,
    json_option,
    pass_context,
    print_json,
    say,
)
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.campaign.context import AppContext
    from newsletter.delivery.ledger.outcomes import OutcomeCounts
    from newsletter.delivery.ledger.states import CampaignState

LOOK_S = 1.0


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
    "--watch", is_flag=True, help="Follow it until it ends or rests. Ctrl-C stops looking."
)
@pass_context
def status(cli: CliContext, campaign: int | None, as_json: bool, watch: bool) -> None:
    """What became of everyone: counts that add up to the audience.

    Exits 1 when a delivery failed or is uncertain.
    """
    from newsletter.campaign.status import all_statuses
    from newsletter.campaign.status import status as one
    from newsletter.cli.campaign_view import show_status

    if watch:
        if campaign is None:
            raise UsageError("watch which campaign?", fix="./send.py status CAMPAIGN --watch")
        with cli.app() as app, suppress(KeyboardInterrupt):
            _watch(app, campaign)
    with cli.app() as app, app.store.read() as connection:
        found = all_statuses(connection) if campaign is None else [one(connection, campaign)]
    if as_json:
        objects = [item.as_json() for item in found]
        print_json(objects[0] if campaign is not None else {"campaigns": objects})
    elif not found:
        say("No campaign yet. Start with: ./send.py send ISSUE --list NAME")
    else:
        for item in found:
            show_status(item)
    sys.exit(1 if campaign is not None and found[0].has_problems else 0)


def _watch(app: AppContext, campaign_id: int) -> None:
    """Look again and again, and rest between for longer than looking took."""
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
            time.sleep(max(LOOK_S, 4 * (time.monotonic() - began)))


@click.command(
    short_help="Hold a campaign: the rest stays queued.", epilog="Example: ./send.py pause 3"
)
@campaign_argument
@by_option
@pass_context
def pause(cli: CliContext, campaign: int, by: str) -> None:
    """Hold a campaign: what was offered finishes, the rest stays queued."""
    from newsletter.delivery.ledger.states import CampaignState

    _halt(cli, campaign, CampaignState.PAUSED, by)
    say(f"To let it go on: ./send.py resume {campaign}, then its `send --live` again.")


@click.command(short_help="Let a paused campaign go on.", epilog="Example: ./send.py resume 3")
@campaign_argument
@by_option
@pass_context
def resume(cli: CliContext, campaign: int, by: str) -> None:
    """Let a paused campaign go on; run its `send --live` again to send.

    One that was paused before its time is scheduled again.
    """
    from newsletter.campaign.status import status as one
    from newsletter.delivery.ledger import states

    with cli.app(by=by) as app, app.store.write() as connection:
        now = app.store.now(connection)
        to = states.resume(connection, campaign, by=app.by, now=now)
        counts = one(connection, campaign).tally
    say(f"Campaign {campaign} is {to}: {_where_it_stands(counts)}.")
    say("Run its `send --live` again: that sends what is queued.")


@click.command(short_help="End a campaign for good.", epilog="Example: ./send.py cancel 3")
@campaign_argument
@by_option
@pass_context
def cancel(cli: CliContext, campaign: int, by: str) -> None:
    """End a campaign for good: who has it keeps it, nobody else gets it."""
    from newsletter.delivery.ledger.states import CampaignState

    _halt(cli, campaign, CampaignState.CANCELLED, by)


def _halt(cli: CliContext, campaign_id: int, to: CampaignState, by: str) -> None:
    from newsletter.campaign.control import halt

    with cli.app(by=by) as app:
        found, on_the_way = halt(app, campaign_id, to)
    counts = found.tally
    say(f"Campaign {campaign_id} is {to}: {_where_it_stands(counts)}.")
    if on_the_way:
        say(f"{on_the_way} of those queued are on their way this moment: see `./send.py status`.")


def _where_it_stands(counts: OutcomeCounts) -> str:
    """What had gone out, and what had not."""
    from newsletter.delivery.ledger.outcomes import CANCELLED

    further = {
        "may have gone out": counts.uncertain,
        "failed": counts.failed,
        "deferred": counts.deferred,
        "will not get it": counts.skipped.get(CANCELLED, 0),
    }
    found = [f"{number:,} {what}" for what, number in further.items() if number]
    return ", ".join([f"{counts.accepted:,} had gone out", *found, f"{counts.queued:,} queued"])
