"""preview and serve: the two commands that open a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import CliContext, optional_issue_argument, pass_context, say

if TYPE_CHECKING:
    from newsletter.settings.model import Settings


@click.command(
    short_help="Look at an issue in the browser, as readers get it.",
    epilog="""\b
Examples:
  ./send.py preview
  ./send.py preview issues/neck-muscles-and-migraine.md --no-open
""",
)
@optional_issue_argument
@click.option("--port", type=int, default=0, help="[a free one]")
@click.option("--no-open", is_flag=True, help="Print the address; open no browser.")
@pass_context
def preview(cli: CliContext, issue: Path | None, port: int, no_open: bool) -> None:
    """Look at an issue as readers get it: wide, narrow, dark, without images, as text.

    The page follows the files: save, and it shows the new state. Its address opens in one browser
    only, the first: for another one, start the preview again.
    """
    from newsletter.campaign.build import build
    from newsletter.errors import InputError
    from newsletter.studio.preview import new_token, preview_app
    from newsletter.web.http.server import serve as run

    settings = cli.settings
    if issue is not None and not issue.is_file():
        raise InputError("no such article", file=issue, fix="`ls issues` shows what there is")
    token = new_token()
    app = preview_app(settings, issue, lambda path: build(path, settings), token)
    say("The address opens in one browser; for another, start this again.")
    run(app, port=port, path=f"/?token={token}", browser=not no_open)


@click.command(
    short_help="Answer readers: leaving, joining, the archive, pictures.",
    epilog="Example: ./send.py serve --port 8025",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=int, default=8025, show_default=True)
@pass_context
def serve(cli: CliContext, host: str, port: int) -> None:
    """Answer unsubscribe links and host the pictures, for as long as mail points here.

    Confirmations and other mail that readers ask for is sent from here, too, and by `worker`.
    Put a reverse proxy with https in front of it; see docs/operating.md.
    """
    from newsletter.cli.logs import configure
    from newsletter.web.http.server import serve as run
    from newsletter.web.public.app import public_app

    settings = cli.settings
    configure(settings, service=True)
    _try_messages(settings)
    with cli.app() as context:
        run(public_app(context.store, context.keys, context.settings), host, port)


def _try_messages(settings: Settings) -> None:
    """Say what is wrong with transactional mail; people must be able to leave all the same."""
    from newsletter.check.model import Severity
    from newsletter.check.report import format_findings
    from newsletter.errors import InputError
    from newsletter.transactional.checks import check_messages

    try:
        found = check_messages(settings)
    except InputError as error:
        say(f"error: {error}\nUntil that is fixed, nobody can join or be mailed a link.")
        return
    blockers = [finding for finding in found if finding.severity is Severity.BLOCKER]
    if blockers:
        say(format_findings(blockers, color=False))
        say("Readers get mail like that until it is fixed. Try: ./send.py check --letters")
