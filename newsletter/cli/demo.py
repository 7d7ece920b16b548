"""demo: the whole workflow from end to end, with nothing to configure."""

from __future__ import annotations

import click

from newsletter.cli.context import CliContext, make_private, pass_context
from newsletter.cli.output import relative, say


@click.command(
    short_help="Run the whole workflow on sample data, on this machine.",
    epilog="\b\nExamples:\n  ./send.py demo\n  ./send.py demo --no-serve",
)
@click.option(
    "--no-serve", is_flag=True, help="Run everything, print where the files are, and exit."
)
@click.option("--port", type=int, default=0, help="Serve the page on this port. [a free one]")
@click.option("--no-open", is_flag=True, help="Print the address without opening a browser.")
@pass_context
def demo(cli: CliContext, no_serve: bool, port: int, no_open: bool) -> None:
    """Run the whole workflow on the sample issue, ending in a mailbox on this machine.

    Checks, renders, approves and sends it over SMTP on loopback; unsubscribes one reader with one
    click, and shows that the next send skips them.
    """
    from newsletter.cli.demonstration import Demonstration
    from newsletter.web.http.server import free_port
    from newsletter.web.http.server import serve as run

    make_private(cli.settings.var)
    port = port or free_port()
    show = Demonstration(cli.settings, port)
    for step in show.steps():
        click.echo(f"{step.title}\n    {step.outcome}")
    click.echo("\nFiles")
    for name, path in show.places().items():
        click.echo(f"    {name:<10} {relative(path)}")
    if no_serve:
        show.close()
        return
    say()
    try:
        run(show.app(), port=port, browser=not no_open)
    finally:
        show.close()
