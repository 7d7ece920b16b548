"""subscribers: import, export, show, suppress, unsuppress, erase, lists."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.columns import column_option, explain_unmapped_columns
from newsletter.cli.context import CliContext, by_option, json_option, pass_context
from newsletter.cli.output import counted, print_json, say
from newsletter.cli.progress import import_bar
from newsletter.cli.segment import count
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.store.engine import Store


@click.group()
def subscribers() -> None:
    """Import, export, look up and suppress subscribers."""


@subscribers.command(
    "import",
    epilog="""\b
Examples:
  ./send.py subscribers import subscribers.example.csv --list readers --dry-run
  ./send.py subscribers import audience.csv --list readers --skip-invalid
  ./send.py subscribers import unsubscribes.csv --format sendgrid-unsubscribes
  ./send.py subscribers import crm.csv --column 'Newsletter=consent' --column 'Note=ignore'
""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--list", "list_name", default="", help="Import into this list. [the file's name]")
@click.option("--dry-run", is_flag=True, help="Show what would change; write only rejects.")
@click.option(
    "--skip-invalid", is_flag=True, help="Import the valid rows of a file with invalid ones."
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    help="Write rejected rows here, each with its reason. [FILE.rejects.csv]",
)
@click.option(
    "--format", "form", default="", metavar="NAME", help="Read this format. [from the header]"
)
@column_option
@json_option
@pass_context
def import_(  # noqa: PLR0913, PLR0917 -- one parameter an option
    cli: CliContext,
    file: Path,
    list_name: str,
    dry_run: bool,
    skip_invalid: bool,
    rejects: Path | None,
    form: str,
    uses: tuple[str, ...],
    as_json: bool,
) -> None:
    """Import a CSV file into a list. People who unsubscribed are never re-added.

    The whole file is checked before anything changes. Reads our columns (see
    subscribers.example.csv), common other names for them, and the merge fields declared in
    newsletter.toml. Any other column stops the import, since it may say who unsubscribed: it exits
    1, shows what the column holds, and prints the command that continues. The exports of
    Mailchimp, listmonk, Substack, Constant Contact and SendGrid are recognized by their headers,
    and people who unsubscribed there are suppressed here. For any other list of people who
    unsubscribed, use `--format unsubscribes`.
    """
    from newsletter.audience.importing.csv_formats import FORMATS
    from newsletter.audience.importing.importer import import_csv

    if form and form not in (names := [known.name for known in FORMATS]):
        raise UsageError(f"unknown format {form!r}", fix=f"use one of {', '.join(names)}")
    with explain_unmapped_columns(as_json=as_json), cli.app() as app, import_bar(file) as progress:
        report = import_csv(
            app.store,
            app.keys,
            file,
            list_name=list_name or file.stem,
            source="csv",
            dry_run=dry_run,
            skip_invalid=skip_invalid,
            rejects=rejects or file.with_suffix(".rejects.csv"),
            form=form,
            uses=uses,
            declared=app.settings.merge_fields,
            progress=progress,
        )
    if as_json:
        print_json(report.as_json())
    else:
        click.echo("\n".join((report.summary(), *report.notes())))
    if dry_run:
        say(f"Dry run: nothing changed{' except that file' if report.rejects else ''}.")


@subscribers.command(
    short_help="Export a list as CSV to standard output.",
    epilog="Example: ./send.py subscribers export --list readers > readers.csv",
)
@click.option("--list", "list_name", required=True, help="Export this list.")
@pass_context
def export(cli: CliContext, list_name: str) -> None:
    """Export a list as CSV to standard output, including states and suppressions.

    Cells that a spreadsheet would run as formulas are prefixed with a '.
    """
    from newsletter.audience.export import export_csv

    with cli.app() as app:
        export_csv(app.store, list_name, sys.stdout)


@subscribers.command(
    short_help="Show everything known about an address.",
    epilog="Example: ./send.py subscribers show reader01@mail.example",
)
@click.argument("address")
@json_option
@pass_context
def show(cli: CliContext, address: str, as_json: bool) -> None:
    """Show whether an address is mailed, and everything known about it.

    Times are UTC.
    """
    from newsletter.campaign.subscriber_history import show as look_up
    from newsletter.cli.subscriber_view import describe

    with cli.app() as app:
        known = look_up(app.store, address, app.keys)
    if as_json:
        print_json(known)
        return
    for line in describe(known):
        click.echo(line)


@subscribers.command(short_help="List all lists and their sizes.")
@json_option
@pass_context
def lists(cli: CliContext, as_json: bool) -> None:
    """List all lists, with the number of people in each state.

    `subscribers count` shows how many of a list can be mailed: an active subscriber may have
    bounced, for example.
    """
    from newsletter.audience.lists import list_states
    from newsletter.audience.model import SubscriptionState

    with cli.app() as app:
        found = list_states(app.store)
    if as_json:
        active = SubscriptionState.ACTIVE
        print_json({name: states.get(active, 0) for name, states in found.items()})
    elif not found:
        say("No lists yet. Start with: ./send.py subscribers import FILE --list NAME")
    else:
        for name, states in found.items():
            by_state = ", ".join(f"{states[state]:,} {state}" for state in sorted(states))
            people = counted(sum(states.values()), "person", "people")
            click.echo(f"{name}: {people}{f' ({by_state})' if by_state else ''}")


@subscribers.command(epilog='Example: ./send.py subscribers suppress x@y.example --reason "asked"')
@click.argument("address")
@click.option("--reason", required=True, help="Record why.")
@by_option
@pass_context
def suppress(cli: CliContext, address: str, reason: str, by: str) -> None:
    """Never mail an address again. `unsuppress` reverses this."""
    from newsletter.audience.subscribers import find
    from newsletter.audience.suppression import suppress_address

    with cli.app(by=by) as app:
        suppress_address(app.store, address, app.keys, note=f"{app.by}: {reason}")
        with app.store.read() as connection:
            known = find(connection, address) is not None
        hint = "" if known else f" No subscriber has it. {_check_spelling(app.store, address)}"
    say(f"Suppressed: skipped in every send, even after an import.{hint}")


@subscribers.command(
    epilog="""\b
Example:
  ./send.py subscribers unsuppress x@y.example --by maria --reason "a typing error of ours"
"""
)
@click.argument("address")
@click.option("--reason", required=True, help="Record why.")
@by_option
@pass_context
def unsuppress(cli: CliContext, address: str, reason: str, by: str) -> None:
    """Lift a suppression made by `suppress` or a bounce.

    A subscriber's own choice is never lifted: people who unsubscribed, complained or were erased
    stay suppressed. Exits 1 if such a reason remains, or if there was nothing to lift.
    """
    from newsletter.audience.unsuppress import unsuppress_address

    with cli.app(by=by) as app:
        done = unsuppress_address(app.store, address, app.keys, by=app.by, reason=reason)
    if done.lifted:
        why = " and ".join(sorted(done.lifted))
        say(f"{address} is no longer suppressed ({why}). This is on record.")
    else:
        say(f"{address} was not suppressed by hand or for a bounce: nothing changed.")
    if done.standing:
        reasons = ", ".join(sorted(done.standing))
        say(f"Still not mailed ({reasons}): the person's own choice, which cannot be lifted.")
    # A script must know whether the address can be mailed now.
    sys.exit(0 if done.lifted and not done.standing else 1)


@subscribers.command(
    short_help="Delete a person's data; they stay suppressed.",
    epilog="Example: ./send.py subscribers erase reader01@mail.example",
)
@click.argument("address")
@click.option("--yes", is_flag=True, help="Skip the prompt.")
@by_option
@pass_context
def erase(cli: CliContext, address: str, yes: bool, by: str) -> None:
    """Delete a person's data. A keyed hash stays, so that no import re-adds them.

    Exits 1 if nothing was known about the address. It is suppressed anyway, but the person who
    asked may be subscribed with another one.
    """
    from newsletter.database.erasure import erase as forget

    if not yes:
        click.confirm(f"Erase {address} permanently?", abort=True, err=True)
    with cli.app(by=by) as app:
        if forget(app.store, address, app.keys, by=app.by):
            say("Erased. The address stays suppressed.")
            return
        hint = _check_spelling(app.store, address)
    say(f"Nothing was known about {address}; it is suppressed from now on. {hint}")
    sys.exit(1)


def _check_spelling(store: Store, address: str) -> str:
    from newsletter.audience.similar_addresses import similar_addresses

    similar = similar_addresses(store, address)
    return "Check the spelling" + (f"; similar: {', '.join(similar)}." if similar else ".")


subscribers.add_command(count)
