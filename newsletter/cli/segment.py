"""--segment EXPR: a part of a list; and how many it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import CliContext, json_option, pass_context, print_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from newsletter.campaign.snapshot import AudienceSelection
    from newsletter.store.engine import Store


def segment_option(command: Any) -> Any:
    """``--segment EXPR``: only who is in this part of the list."""
    return click.option(
        "--segment", metavar="EXPR", help="Only who matches, like 'city = Vienna'; docs/segments.md"
    )(command)


def require_readable(segment: str | None) -> None:
    """Refuse what is no segment before anything else is done.

    Raises:
        UsageError: It is none.
    """
    if segment is not None:
        from newsletter.audience.segments.parse import parse_segment

        parse_segment(segment)


def audience_of(
    store: Store, list_name: str, segment: str | None, batch: str = ""
) -> AudienceSelection:
    """The audience that ``--list`` and ``--segment`` name.

    Args:
        batch: The import whose rows alone are meant; empty for all.

    Raises:
        UsageError: The segment is none, can be read both ways, or names a list or an attribute
            that is not there.
    """
    from newsletter.audience.segments.parse import parse_segment
    from newsletter.audience.segments.relative_dates import require_clear
    from newsletter.audience.segments.validate import validate
    from newsletter.campaign.snapshot import AudienceSelection

    if segment is None:
        return AudienceSelection(list_name, batch)
    condition = parse_segment(segment)
    with store.read() as connection:
        validate(connection, segment, condition, list_name)
        # What was frozen before must be found again by its own words.
        if not _is_under_way(connection, list_name, str(condition)):
            require_clear(segment, condition)
    return AudienceSelection(list_name, batch, condition)


def _is_under_way(connection: Connection, list_name: str, segment: str) -> bool:
    from sqlalchemy import select

    from newsletter.delivery.ledger.states import ENDED
    from newsletter.delivery.ledger.tables import campaign

    query = select(campaign.c.id).where(
        campaign.c.audience == list_name,
        campaign.c.segment == segment,
        campaign.c.state.not_in(ENDED),
    )
    return connection.execute(query).first() is not None


@click.command(
    short_help="How many are on a list, or in a segment of it.",
    epilog="""\b
Examples:
  send.py subscribers count --list readers
  send.py subscribers count --list readers --segment 'city in (Vienna, Graz) and not list = trial'
  send.py subscribers count --list readers --segment 'joined within 30 days' --json
""",
)
@click.option("--list", "list_name", required=True, help="The list.")
@segment_option
@json_option
@pass_context
def count(cli: CliContext, list_name: str, segment: str | None, as_json: bool) -> None:
    """How many are on a list or in a segment of it, and how many of these can be mailed.

    Everybody on the list counts, also who left it or awaits confirmation; `subscribers lists`
    tells these apart.
    """
    from newsletter.audience.lists import list_id
    from newsletter.campaign.snapshot import skips

    require_readable(segment)
    with cli.app() as app:
        with app.store.read() as connection:
            list_id(connection, list_name)
        audience = audience_of(app.store, list_name, segment)
        with app.store.read() as connection:
            skipped = skips(connection, audience)
    matching, mailable = sum(skipped.values()), skipped.pop("", 0)
    means = _dated(audience)
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


def _dated(audience: AudienceSelection) -> str:
    """The segment with dates for days that are counted from today."""
    import time

    from newsletter.audience.segments.relative_dates import relative_dates

    return (
        "" if audience.condition is None else str(relative_dates(audience.condition, time.time()))
    )
