"""subscribers: import, export, show, suppress, unsuppress, erase, lists."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.columns import answering, column_option
from newsletter.cli.context import CliContext, by_option, json_option, pass_context, print_json, say
from newsletter.cli.counted import counted
from newsletter.cli.progress import import_bar
from newsletter.cli.segment import count
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.store.engine import Store


@click.group()
def subscribers() -> None:
    """Who is on which list, and who must never be mailed."""


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
@click.option("--list", "list_name", default="", help="The list to join. [the file's name]")
@click.option("--dry-run", is_flag=True, help="Show what would change; writes only rejects.")
@click.option("--skip-invalid", is_flag=True, help="Take the good rows of a file with bad ones.")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    help="Where rejected rows go, with a reason each. [FILE.rejects.csv]",
)
@click.option(
    "--format", "form", default="", metavar="NAME", help="Whose export it is. [as its header says]"
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
    """Read a CSV file into a list. Nobody who left comes back by it.

    The whole file is checked before anything changes. Reads our columns (see
    subscribers.example.csv), also by some other names, and the merge fields that newsletter.toml
    declares. Any other column stops the import, since it may say that people left: it exits 1,
    shows what is in it, and prints the command that goes on. The exports of Mailchimp, listmonk,
    Substack, Constant Contact and SendGrid are known by their headers, and who left there is
    suppressed here. A list of your own of people who left needs `--format unsubscribes`.
    """
    from newsletter.audience.importing.csv_formats import FORMATS
    from newsletter.audience.importing.importer import import_csv

    if form and form not in (names := [one.name for one in FORMATS]):
        raise UsageError(f"no format {form!r}", fix=f"one of {', '.join(names)}")
    with answering(as_json=as_json), cli.app() as app, import_bar(file) as progress:
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
        say(f"Dry run: nothing changed{' but that file' if report.rejects else ''}.")


@subscribers.command(
    short_help="Write a list as CSV to standard output.",
    epilog="Example: ./send.py subscribers export --list readers > readers.csv",
)
@click.option("--list", "list_name", required=True, help="The list to write out.")
@pass_context
def export(cli: CliContext, list_name: str) -> None:
    """Write a list as CSV to standard output, states and suppressions included.

    Cells that a spreadsheet would run as formulas get a ' in front.
    """
    from newsletter.audience.export import export_csv

    with cli.app() as app:
        export_csv(app.store, list_name, sys.stdout)


@subscribers.command(
    short_help="All that is known of an address.",
    epilog="Example: ./send.py subscribers show reader01@mail.example",
)
@click.argument("address")
@json_option
@pass_context
def show(cli: CliContext, address: str, as_json: bool) -> None:
    """Whether mail goes to an address, and everything that is known of it.

    Times are UTC.
    """
    from newsletter.campaign.subscriber_history import show as look_up
    from newsletter.cli.subscriber_view import describe

    with cli.app() as app:
        known = look_up(app.store, address, app.keys)
    if as_json:
        print_json(known)
        return
    for told in describe(known):
        click.echo(told)


@subscribers.command(short_help="Every list, and how many are on it.")
@json_option
@pass_context
def lists(cli: CliContext, as_json: bool) -> None:
    """Every list, with how many people are on it, and how many of these are active.

    `subscribers count` says how many of a list can be mailed: who is active may have bounced, say.
    """
    from newsletter.audience.lists import list_states
    from newsletter.audience.model import SubscriptionState

    with cli.app() as app:
        found = list_states(app.store)
    if as_json:
        active = SubscriptionState.ACTIVE
        print_json({name: states.get(active, 0) for name, states in found.items()})
    elif not found:
        say("No list yet: ./send.py subscribers import FILE --list NAME")
    else:
        for name, states in found.items():
            told = ", ".join(f"{states[state]:,} {state}" for state in sorted(states))
            people = counted(sum(states.values()), "person", "people")
            click.echo(f"{name}: {people}{f' ({told})' if told else ''}")


@subscribers.command(epilog='Example: ./send.py subscribers suppress x@y.example --reason "asked"')
@click.argument("address")
@click.option("--reason", required=True, help="Why, for the record.")
@by_option
@pass_context
def suppress(cli: CliContext, address: str, reason: str, by: str) -> None:
    """Never mail an address again. `unsuppress` takes it back."""
    from newsletter.audience.subscribers import find
    from newsletter.audience.suppression import suppress_address

    with cli.app(by=by) as app:
        suppress_address(app.store, address, app.keys, note=f"{app.by}: {reason}")
        with app.store.read() as connection:
            known = find(connection, address) is not None
        doubt = "" if known else f" No reader here has it.{_is_it_right(app.store, address)}"
    say(f"Suppressed. It is skipped in every send, also after an import.{doubt}")


@subscribers.command(
    epilog="""\b
Example:
  ./send.py subscribers unsuppress x@y.example --by maria --reason "a typing error of ours"
"""
)
@click.argument("address")
@click.option("--reason", required=True, help="Why, for the record.")
@by_option
@pass_context
def unsuppress(cli: CliContext, address: str, reason: str, by: str) -> None:
    """Take back what `suppress` or a bounce did.

    No reader's own wish is lifted: who unsubscribed, complained or was erased stays away. Exits 1
    when such a reason stands, or when there was nothing to take back.
    """
    from newsletter.audience.unsuppress import unsuppress_address

    with cli.app(by=by) as app:
        done = unsuppress_address(app.store, address, app.keys, by=app.by, reason=reason)
    if done.lifted:
        why = " and ".join(sorted(done.lifted))
        say(f"{address} is no longer suppressed ({why}). That is on record.")
    else:
        say(f"{address} was suppressed neither by hand nor for a bounce: nothing changed.")
    if done.standing:
        say(f"No mail goes there: {', '.join(sorted(done.standing))}. That is not ours to lift.")
    sys.exit(0 if done.lifted and not done.standing else 1)


@subscribers.command(
    short_help="Delete what is known of a person; they stay off.",
    epilog="Example: ./send.py subscribers erase reader01@mail.example",
)
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@by_option
@pass_context
def erase(cli: CliContext, address: str, yes: bool, by: str) -> None:
    """Delete what is known of a person; a keyed hash stays, so that no import brings them back.

    Exits 1 when nothing was known of the address. It is suppressed all the same, but the person
    who asked may be known by another.
    """
    from newsletter.database.erasure import erase as forget

    if not yes:
        click.confirm(f"Erase {address} for good?", abort=True, err=True)
    with cli.app(by=by) as app:
        if forget(app.store, address, app.keys, by=app.by):
            say("Erased. The address stays suppressed.")
            return
        right = _is_it_right(app.store, address)
    say(f"Nothing was known of {address}; it is suppressed from now on.{right}")
    sys.exit(1)


def _is_it_right(store: Store, address: str) -> str:
    from newsletter.audience.similar_addresses import similar_addresses

    near = similar_addresses(store, address)
    return " Is the address right?" + (f" There is {' and '.join(near)}." if near else "")


subscribers.add_command(count)
