"""retry and uncertain: what a person does about deliveries that did not simply go out."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import (
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
    from newsletter.delivery.ledger.outcomes import UncertainDelivery

reason_option = click.option("--reason", default="", help="Why; kept in the record.")


@click.command(
    epilog="""\b
Examples:
  ./send.py retry 3
  ./send.py retry 3 --failed --by maria --reason "their mail server was down all day"
"""
)
@campaign_argument
@click.option("--failed", is_flag=True, help="Put those that failed for good back, once more.")
@by_option
@reason_option
@pass_context
def retry(cli: CliContext, campaign: int, failed: bool, by: str, reason: str) -> None:
    """Try deferred deliveries now instead of when they are due.

    Nobody is mailed by this command: the campaign's `send --live`, run again, or a worker does it.
    """
    from newsletter.campaign import control
    from newsletter.delivery.ledger.states import HELD

    if failed and not reason:
        raise UsageError("why should what failed for good be tried again?", fix="--reason TEXT")
    with cli.app(by=by) as app:
        found = control.retry(app, campaign)
        deferred = found.tally.deferred
        put_back = control.retry_failed(app, campaign, reason) if failed else 0
    say(f"Campaign {campaign}: {deferred} deferred are due now.")
    if failed:
        say(f"{put_back} that had failed are queued again.")
    if deferred or put_back:
        held = found.state in HELD
        first = f"It is {found.state}: `./send.py resume {campaign}`, then run" if held else "Run"
        say(f"{first} its `send --live` again: that sends them.")


@click.command(
    short_help="List deliveries that may have arrived or not; settle them.",
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
    help="What became of them. Without it: list them.",
)
@click.option("--position", "positions", type=int, multiple=True, help="Which; repeat for more.")
@click.option("--all", "all_of_them", is_flag=True, help="All that are uncertain now.")
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
    """Deliveries that may or may not have arrived: the connection died before the reply.

    They are never sent again on a guess. Exits 1 while there are any.
    """
    from newsletter.campaign import control

    if positions and all_of_them:
        raise UsageError("all of them, or these?", fix="either --position N or --all")
    if answer and not ((positions or all_of_them) and reason):
        fix = "--position N, or --all, and --reason TEXT"
        raise UsageError("which ones, and how do you know?", fix=fix)
    if (positions or all_of_them or reason) and not answer:
        raise UsageError("what became of them?", fix="--resolve accepted, failed or send-again")
    with cli.app(by=by) as app:
        if all_of_them:
            positions = tuple(each.position for each in control.uncertain(app, campaign))
        unknown = (
            control.resolve_uncertain(app, campaign, answer, positions, reason) if answer else ()
        )
        left = control.uncertain(app, campaign)
    if unknown:
        say(f"Not uncertain, so left as they are: {', '.join(map(str, unknown))}")
    if as_json:
        print_json({"campaign": campaign, "uncertain": [_as_json(each) for each in left]})
    else:
        _show(campaign, left)
    if answer == "send-again":
        say("Run the campaign's `send --live` again: that sends them.")
    sys.exit(1 if left or unknown else 0)


def _show(campaign: int, left: list[UncertainDelivery]) -> None:
    if not left:
        click.echo(f"Campaign {campaign}: nothing is uncertain.")
        return
    click.echo(f"Campaign {campaign}: {len(left):,} may or may not have arrived.")
    for each in left:
        at = f"{datetime.fromtimestamp(each.at).astimezone():%Y-%m-%d %H:%M:%S}"
        click.echo(f"  {each.position:>7}  {each.email}  since {at}  chunk {each.chunk_id}")
        click.echo(f"           {_known(each)}")


def _as_json(doubt: UncertainDelivery) -> dict[str, object]:
    return {
        "position": doubt.position,
        "address": doubt.email,
        "at": f"{datetime.fromtimestamp(doubt.at, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "chunk": doubt.chunk_id,
        "known": _known(doubt),
    }


def _known(doubt: UncertainDelivery) -> str:
    return doubt.known or "it was begun, or may have been; no reply is on record"
