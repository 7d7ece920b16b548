"""test: one message, to addresses named one by one."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from newsletter.cli.context import CliContext, issue_argument, pass_context, say


@click.command(
    short_help="Send one [TEST] message to addresses that you name.",
    epilog="Example: send.py test issues/spring-news.md --to office@clinic.example",
)
@issue_argument
@click.option(
    "--to", "addresses", multiple=True, required=True, help="An address; repeat for more."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="With the outbox: where to. [var/outbox/test]"
)
@pass_context
def test(cli: CliContext, issue: Path, addresses: tuple[str, ...], out: Path | None) -> None:
    """Send one [TEST] message to addresses named here, never to a list.

    It goes by the configured transport; its links are proof links, which change nothing.
    """
    from newsletter.campaign.build import build
    from newsletter.campaign.test_send import send_test
    from newsletter.transports.registry import transport_kind

    with cli.app() as app:
        prepared = build(issue, app.settings)
        folder = out or app.settings.var / "outbox" / "test"
        outcomes = send_test(app, prepared.compiled, addresses, folder)
    for address, outcome in zip(addresses, outcomes, strict=True):
        click.echo(f"{address}: {outcome.result} {outcome.reply}".rstrip())
    if not transport_kind(app.settings).reaches_people(app.settings):
        say(f"Written to {folder}; nothing left this machine.")
    sys.exit(0 if all(o.result == "accepted" for o in outcomes) else 1)
