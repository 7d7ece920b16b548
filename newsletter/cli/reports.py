"""report: who answers for a campaign, and what became of everyone."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from newsletter.cli.context import (
    CliContext,
    campaign_argument,
    json_option,
    pass_context,
    print_json,
    say,
)
from newsletter.errors import UsageError


@click.command(
    short_help="Who approved and sent a campaign, and what came of it.",
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
    help="Write one self-contained page to look at, print and keep.",
)
@pass_context
def report(
    cli: CliContext, campaign: int, as_json: bool, as_csv: bool, html_file: Path | None
) -> None:
    """Who approved and sent a campaign, and what became of everyone.

    Counts add up to the audience, and what came back adds up to the accepted: delivered, bounced
    by class, or nothing reported. Complaints and leaving are counted, too. The page of --html
    names no reader; the other forms list failed and uncertain deliveries with address and what the
    other side said. Nobody is watched: there are no opens and no clicks to report.
    """
    if as_json + as_csv + (html_file is not None) > 1:
        raise UsageError("--json, --csv and --html are three forms of one report: choose one")
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
        say(f"Written to {html_file}. It names no reader.")
    else:
        from newsletter.campaign.report.text import report_text

        click.echo(report_text(found), nl=False)
