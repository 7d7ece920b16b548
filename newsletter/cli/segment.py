"""--segment EXPR: part of a list, and the command that counts it."""

from __future__ import annotations

from collections.abc import Callable

import click

from newsletter.cli.context import CliContext, json_option, pass_context
from newsletter.cli.output import print_json


def segment_option(command: Callable[..., None]) -> Callable[..., None]:
    """``--segment EXPR``: only the subscribers in this part of the list."""
    return click.option(
        "--segment",
        metavar="EXPR",
        help="Select matching subscribers, like 'city = Vienna'; see docs/segments.md",
    )(command)


def require_readable(segment: str | None) -> None:
    """Refuse a segment that cannot be parsed before anything else is done.

    Raises:
        UsageError: It cannot be parsed.
    """
    if segment is not None:
        from newsletter.audience.segments.parse import parse_segment

        parse_segment(segment)


@click.command(
    short_help="Count a list, or a segment of it.",
    epilog="""\b
Examples:
  ./send.py subscribers count --list readers
  ./send.py subscribers count --list readers --segment 'city in (Vienna, Graz) and not list = trial'
  ./send.py subscribers count --list readers --segment 'joined within 30 days' --json
""",
)
@click.option("--list", "list_name", required=True, help="Count this list.")
@segment_option
@json_option
@pass_context
def count(cli: CliContext, list_name: str, segment: str | None, as_json: bool) -> None:
    """Count a list or a segment of it, and how many of these subscribers can be mailed.

    Everyone on the list counts, including people who unsubscribed or have not confirmed yet;
    `subscribers lists` shows them by state.
    """
    import time

    from newsletter.audience.lists import list_id
    from newsletter.audience.segments.relative_dates import relative_dates
    from newsletter.campaign.selection import select_audience
    from newsletter.campaign.snapshot import skips

    require_readable(segment)
    with cli.app() as app:
        # Before the segment, whose error would not name a misspelled list.
        with app.store.read() as connection:
            list_id(connection, list_name)
        audience = select_audience(app.store, list_name, segment)
        with app.store.read() as connection:
            skipped = skips(connection, audience)
    matching, mailable = sum(skipped.values()), skipped.pop("", 0)
    condition = audience.condition
    # Relative dates are written out, so that nobody has to guess which day they mean.
    means = str(relative_dates(condition, time.time())) if condition else ""
    if as_json:
        print_json(
            {
                "list": list_name,
                "segment": audience.segment or None,
                "means": means or None,
                "matching": matching,
                "mailable": mailable,
                "skipped": skipped,
            }
        )
        return
    where = f" where {audience.segment}" if audience.segment else ""
    click.echo(f"{matching:,} on the list {list_name}{where}")
    if means != audience.segment:
        click.echo(f"  today that is: {means} (days in UTC)")
    for reason, number in sorted(skipped.items()):
        click.echo(f"  not mailed, {reason}: {number:,}")
    click.echo(f"  can be mailed: {mailable:,}")
