"""report: who approved and sent a campaign, and its delivery results."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from newsletter.cli.context import CliContext, campaign_argument, json_option, pass_context
from newsletter.cli.output import print_json, say
from newsletter.errors import UsageError


@click.command(
    short_help="Report who approved and sent a campaign, and its results.",
    epilog="""\b
Examples:
  ./send.py report 3
  ./send.py report 3 --html report.html
  ./send.py report 3 --csv > deliveries.csv
""",
)
@campaign_argument
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print one row per delivery, for spreadsheets.")
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write one self-contained page to view, print and keep.",
)
@pass_context
def report(
    cli: CliContext, campaign: int, as_json: bool, as_csv: bool, html_file: Path | None
) -> None:
    """Report who approved and sent a campaign, and its delivery results.

    Counts add up to the audience, and feedback adds up to the accepted: delivered, bounced by
    class, or nothing reported. Complaints and unsubscribes are counted, too. The page of --html
    names no reader; the other formats list failed and uncertain deliveries with the address and
    the server's reply. Opens and clicks are not tracked, so there are none to report.
    """
    if as_json + as_csv + (html_file is not None) > 1:
        raise UsageError("choose only one of --json, --csv and --html")
    with cli.app() as app, app.store.read() as connection:
        if as_csv:
            from newsletter.campaign.report.csv_rows import write_csv

            write_csv(connection, campaign, sys.stdout)
            return
        from newsletter.campaign.report.build import build_report as look_up

        found = look_up(connection, campaign)
    if as_json:
        print_json(found.as_json())
    elif html_file:
        from newsletter.campaign.report.page import report_page, write_page

        write_page(report_page(found, cli.settings), html_file)
        say(f"Wrote {html_file}. It names no reader.")
    else:
        from newsletter.campaign.report.text import report_text

        click.echo(report_text(found), nl=False)
