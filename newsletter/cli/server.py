"""preview and serve: the two commands that serve pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import CliContext, optional_issue_argument, pass_context
from newsletter.cli.output import say

if TYPE_CHECKING:
    from newsletter.settings.model import Settings


@click.command(
    short_help="Preview an issue in the browser, as readers receive it.",
    epilog="""\b
Examples:
  ./send.py preview
  ./send.py preview issues/neck-muscles-and-migraine.md --no-open
""",
)
@optional_issue_argument
@click.option("--port", type=int, default=0, help="Listen on this port. [a free one]")
@click.option("--no-open", is_flag=True, help="Print the address without opening a browser.")
@pass_context
def preview(cli: CliContext, issue: Path | None, port: int, no_open: bool) -> None:
    """Preview an issue as readers receive it: wide, narrow, dark, without images, as text.

    The page reloads when a file is saved. Its address works only in the browser that opens it
    first: to use another one, start the preview again.
    """
    from newsletter.campaign.build import build
    from newsletter.errors import InputError
    from newsletter.studio.preview import new_token, preview_app
    from newsletter.web.http.server import serve as run

    settings = cli.settings
    if issue is not None and not issue.is_file():
        raise InputError("no such issue", file=issue, fix="run `ls issues` to see which exist")
    token = new_token()
    app = preview_app(settings, issue, lambda path: build(path, settings), token)
    say("The address works in one browser; to use another, start the preview again.")
    run(app, port=port, path=f"/?token={token}", browser=not no_open)


@click.command(
    short_help="Serve readers: unsubscribe, sign-up, archive, images.",
    epilog="Example: ./send.py serve --port 8025",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen on this address.")
@click.option("--port", type=int, default=8025, show_default=True, help="Listen on this port.")
@pass_context
def serve(cli: CliContext, host: str, port: int) -> None:
    """Serve unsubscribe links, sign-up, the archive and images, for as long as mail points here.

    Also sends confirmations and other mail that readers request, as `worker` does. Put a reverse
    proxy with https in front of it; see docs/operating.md.
    """
    from newsletter.cli.logs import configure
    from newsletter.web.http.server import serve as run
    from newsletter.web.public.app import public_app

    settings = cli.settings
    configure(settings, service=True)
    _report_message_problems(settings)
    with cli.app() as context:
        run(public_app(context.store, context.keys, context.settings), host, port)


def _report_message_problems(settings: Settings) -> None:
    """Print what is wrong with transactional mail.

    Serving starts anyway: people must be able to unsubscribe.
    """
    from newsletter.check.model import Severity
    from newsletter.check.report import format_findings
    from newsletter.errors import InputError
    from newsletter.transactional.checks import check_messages

    try:
        found = check_messages(settings)
    except InputError as error:
        say(f"error: {error}\nUntil this is fixed, nobody can sign up or be mailed a link.")
        return
    blockers = [finding for finding in found if finding.severity is Severity.BLOCKER]
    if blockers:
        say(format_findings(blockers, color=False))
        say("Until this is fixed, readers receive such mail. See: ./send.py check --letters")
