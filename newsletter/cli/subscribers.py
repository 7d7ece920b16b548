"""subscribers: import, export, show, suppress, erase, lists."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from newsletter.cli.desk import CommandLine, by_option, json_option, pass_line, print_json, say
from newsletter.cli.progress import import_bar
from newsletter.cli.segment import count
from newsletter.errors import UsageError


@click.group()
def subscribers() -> None:
    """Who is on which list, and who must never be mailed."""


@subscribers.command(
    "import",
    epilog="""\b
Examples:
  send.py subscribers import subscribers.example.csv --list readers --dry-run
  send.py subscribers import audience.csv --list readers --skip-invalid
  send.py subscribers import unsubscribes.csv --format sendgrid-unsubscribes
""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--list", "list_name", default="", help="The list to join. [the file's name]")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option("--skip-invalid", is_flag=True, help="Take the good rows of a file with bad ones.")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    help="Where rejected rows go, with a reason each. [FILE.rejects.csv]",
)
@click.option(
    "--format", "form", default="", metavar="NAME", help="Whose export it is. [as its header says]"
)
@json_option
@pass_line
def import_(  # noqa: PLR0913, PLR0917 -- one parameter an option
    line: CommandLine,
    file: Path,
    list_name: str,
    dry_run: bool,
    skip_invalid: bool,
    rejects: Path | None,
    form: str,
    as_json: bool,
) -> None:
    """Read a CSV file into a list. Nobody who left comes back by it.

    The whole file is checked before anything changes. Reads our columns (see
    subscribers.example.csv); other columns become attributes. The exports of Mailchimp, listmonk,
    Substack, Constant Contact and SendGrid are known by their headers, and who left there is
    suppressed here.
    """
    from newsletter.audience import import_csv
    from newsletter.audience.formats import FORMATS

    if form and form not in (names := [one.name for one in FORMATS]):
        raise UsageError(f"no format {form!r}", fix=f"one of {', '.join(names)}")
    with line.desk() as desk, import_bar(file) as progress:
        report = import_csv(
            desk.store,
            desk.keys,
            file,
            list_name=list_name or file.stem,
            source="csv",
            dry_run=dry_run,
            skip_invalid=skip_invalid,
            rejects=rejects or file.with_suffix(".rejects.csv"),
            form=form,
            progress=progress,
        )
    if as_json:
        print_json(report.as_json())
    else:
        click.echo(report.summary())
    if dry_run:
        say("Dry run: nothing changed.")


@subscribers.command(
    short_help="Write a list as CSV to standard output.",
    epilog="Example: send.py subscribers export --list readers > readers.csv",
)
@click.option("--list", "list_name", required=True, help="The list to write out.")
@pass_line
def export(line: CommandLine, list_name: str) -> None:
    """Write a list as CSV to standard output, states and suppressions included.

    Cells that a spreadsheet would run as formulas get a ' in front.
    """
    from newsletter.audience import export_csv

    with line.desk() as desk:
        export_csv(desk.store, list_name, sys.stdout)


@subscribers.command(epilog="Example: send.py subscribers show reader01@mail.example")
@click.argument("address")
@json_option
@pass_line
def show(line: CommandLine, address: str, as_json: bool) -> None:
    """Everything that is known of one address."""
    from newsletter.audience import show as look_up

    with line.desk() as desk:
        known = look_up(desk.store, address, desk.keys)
    if as_json:
        print_json(known)
        return
    for told in describe(known):
        click.echo(told)


def describe(known: Mapping[str, Any]) -> Iterator[str]:
    """What `show` knows, line by line."""
    for name, value in known.items():
        if name in _DATED:
            for event in value:
                yield f"{_day(event['at'])}  {_DATED[name].format_map(event)}"
        elif name == "paused_until":
            yield f"{name}: {_day(value) if value else 'no'}"
        elif isinstance(value, Mapping):
            yield f"{name}: " + (", ".join(f"{k}: {v}" for k, v in value.items()) or "none")
        elif isinstance(value, list):
            yield f"{name}: " + (", ".join(map(str, value)) or "no")
        elif isinstance(value, bool):
            yield f"{name}: {'yes' if value else 'no'}"
        else:
            yield f"{name}: {_day(value) if name.endswith('_at') else value}"


_DATED = {
    "consent": "{action} {list_name} ({source})",
    "deliveries": "{issue}: {outcome}",
    "reports": "{kind}, {verdict} ({source})",
}
"""What has a time each, as a line."""


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


@subscribers.command()
@json_option
@pass_line
def lists(line: CommandLine, as_json: bool) -> None:
    """Every list, with how many people are active on it."""
    from newsletter.audience import list_counts

    with line.desk() as desk:
        counts = list_counts(desk.store)
    if as_json:
        print_json(counts)
    elif not counts:
        say("No list yet: send.py subscribers import FILE --list NAME")
    else:
        for name, number in counts.items():
            click.echo(f"{name}: {number:,} active")


@subscribers.command(epilog='Example: send.py subscribers suppress x@y.example --reason "asked"')
@click.argument("address")
@click.option("--reason", required=True, help="Why, for the record.")
@by_option
@pass_line
def suppress(line: CommandLine, address: str, reason: str, by: str) -> None:
    """Never mail an address again."""
    from newsletter.audience import suppress_address

    with line.desk(by=by) as desk:
        suppress_address(desk.store, address, desk.keys, note=f"{desk.by}: {reason}")
    say("Suppressed. It is skipped in every send, also after an import.")


@subscribers.command(
    short_help="Delete what is known of a person; they stay off.",
    epilog="Example: send.py subscribers erase reader01@mail.example",
)
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@by_option
@pass_line
def erase(line: CommandLine, address: str, yes: bool, by: str) -> None:
    """Delete what is known of a person; a keyed hash stays, so that no import brings them back."""
    from newsletter.audience import erase as forget

    if not yes:
        click.confirm(f"Erase {address} for good?", abort=True, err=True)
    with line.desk(by=by) as desk:
        forget(desk.store, address, desk.keys, by=desk.by)
    say("Erased. The address stays suppressed.")


subscribers.add_command(count)
