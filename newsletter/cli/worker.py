"""worker: send confirmed campaigns for as long as it runs."""

from __future__ import annotations

import asyncio

import click

from newsletter.cli.context import CliContext, pass_context
from newsletter.cli.output import say


@click.command(
    short_help="Send detached and scheduled campaigns, and retries.",
    epilog="""\b
Examples:
  ./send.py worker
  ./send.py worker --once
  ./send.py worker --concurrency 2

On PostgreSQL, any number of workers on any number of machines share the work; on SQLite there is
one. Stop it with Ctrl-C or SIGTERM at any time. See docs/scaling.md.
""",
)
@click.option("--once", is_flag=True, help="Send what is due now, and exit.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Send this many chunks at once, for many small campaigns; one uses every connection.",
)
@pass_context
def worker(cli: CliContext, once: bool, concurrency: int) -> None:
    """Send campaigns that were confirmed with --detach or --at, and their retries.

    Also sends confirmations and other mail that readers request, as `serve` does.
    """
    from newsletter.campaign.process import event_loop, stop_on_signals
    from newsletter.campaign.worker import Worker
    from newsletter.cli.logs import configure
    from newsletter.transactional.drain import Drain

    configure(cli.settings, service=True)
    with cli.app(live=True) as app, event_loop() as runner:

        async def work() -> None:
            stop = stop_on_signals()
            campaigns = Worker(app, tell=say, stop=stop)
            drain = Drain(app.store, app.keys, app.settings)
            if once:
                try:
                    await drain.once()
                finally:
                    await campaigns.once()
                return
            say(f"Worker on {app.store.name} over {app.settings.transport}; stop it with Ctrl-C.")
            draining = asyncio.create_task(drain.run(stop))
            try:
                await campaigns.run(concurrency=concurrency)
            finally:
                stop.set()
                await draining

        runner.run(work())
