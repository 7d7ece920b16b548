"""db: upgrade, copy, backup, restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import CliContext, json_option, pass_context
from newsletter.cli.output import counted, print_json, say
from newsletter.cli.progress import rows_bar

if TYPE_CHECKING:
    from newsletter.store.engine import Store


@click.group(short_help="Upgrade, back up, restore or move the database.")
def db() -> None:
    """Upgrade, back up, restore or move the database."""


@db.command(epilog="Example: ./send.py db upgrade")
@json_option
@pass_context
def upgrade(cli: CliContext, as_json: bool) -> None:
    """Upgrade the database, and print its revision before and after.

    Every command does this by itself; this one is for deployments.
    """
    from newsletter.database.migrate import HEAD
    from newsletter.database.open import migrate
    from newsletter.jobs.setup import prepare
    from newsletter.store.engine import connect, resolve_url

    name = _as_written(cli.settings.database_url)
    store = connect(resolve_url(cli.settings), cli.command)
    try:
        before = migrate(store)
        # The job queue has its own tables, which are not part of the migrations.
        prepare(store)
    finally:
        store.close()
    if as_json:
        print_json({"database": name, "from": before, "to": HEAD})
    elif before == HEAD:
        click.echo(f"{name} is at revision {HEAD}: nothing to do")
    else:
        click.echo(f"{name}: {before or 'empty'} → {HEAD}")


@db.command(
    short_help="Copy everything into another, empty database.",
    epilog="""\b
Examples:
  ./send.py db copy --to postgresql://newsletter@db.clinic.example/newsletter
  ./send.py db copy --to sqlite:///var/moved.db

Keep the password in ~/.pgpass or PGPASSWORD: other users of this machine can see command lines.
""",
)
@click.option("--to", "target", required=True, metavar="URL", help="Copy to this empty database.")
@json_option
@pass_context
def copy(cli: CliContext, target: str, as_json: bool) -> None:
    """Copy everything into another, empty database, and verify every row.

    Refused while a campaign is sending, and while `serve`, a worker or anything else has one of
    the two open. The database in use is not changed.
    """
    from newsletter.database.copy import copy as copy_rows
    from newsletter.database.restore_target import open_target
    from newsletter.errors import InputError
    from newsletter.store.engine import is_same, resolve_url

    url = resolve_url(cli.settings, target)
    if is_same(url, resolve_url(cli.settings)):
        raise InputError("--to names the database in use", fix="name another, empty one")
    with (
        _existing(cli, alone=True) as source,
        open_target(url, cli.command) as other,
        rows_bar("Copying") as progress,
    ):
        rows = copy_rows(source, other, progress)
    if as_json:
        print_json({"rows": rows})
        return
    _show(rows)
    say(f"Copied and verified. To use it, set database_url to {_as_written(target)}")
    say("Send from only one of the two: neither knows what the other sends.")


@db.command(
    short_help="Back up everything into one new file.",
    epilog="Example: ./send.py db backup backups/newsletter-$(date +%F).db",
)
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@pass_context
def backup(cli: CliContext, file: Path, as_json: bool) -> None:
    """Back up everything, as of this moment, into one new file; sending may continue.

    The keys are not included: without NEWSLETTER_SUPPRESSION_KEY nothing can be sent after a
    restore.
    """
    from newsletter.database.backup import backup as write

    with _existing(cli) as store, rows_bar("Backing up") as progress:
        rows = write(store, file, progress)
    if as_json:
        print_json({"file": str(file), "rows": rows})
        return
    _show(rows)
    say(f"Backed up to {file}. Back up the keys separately: they are not included.")


@db.command(
    short_help="Restore a backup into an empty database.",
    epilog="""\b
Examples:
  ./send.py db restore backups/newsletter-2026-05-01.db
  ./send.py db restore backups/newsletter-2026-05-01.db --to postgresql://localhost/newsletter
""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--to", "target", default="", metavar="URL", help="Restore to this one. [database_url]"
)
@json_option
@pass_context
def restore(cli: CliContext, file: Path, target: str, as_json: bool) -> None:
    """Restore a backup into an empty SQLite or PostgreSQL database; nothing is overwritten.

    Refused while `serve`, a worker or anything else has that database open: stop them first. A
    campaign that was sending comes back paused.
    """
    from newsletter.database.backup import restore as bring_back
    from newsletter.database.restore_target import open_target
    from newsletter.store.engine import resolve_url

    url = resolve_url(cli.settings, target)
    with open_target(url, cli.command) as store, rows_bar("Restoring") as progress:
        restored = bring_back(file, store, cli.settings.var, progress)
    if as_json:
        print_json({"rows": restored.rows, "paused": list(restored.paused)})
    else:
        _show(restored.rows)
        say(f"Restored into {_as_written(target or cli.settings.database_url)}.")
    say("People who unsubscribed after this backup are on their lists again: suppress them first.")
    for number in restored.paused:
        say(
            f"Campaign {number} was sending and is paused now: people mailed after the backup "
            f"count as queued and would be mailed twice. Run `./send.py cancel {number}` unless "
            "you know that nothing was sent since."
        )


@contextmanager
def _existing(cli: CliContext, *, alone: bool = False) -> Iterator[Store]:
    """Open the configured database, without creating it: an empty one has nothing to copy."""
    from newsletter.database.open import open_url
    from newsletter.errors import InputError
    from newsletter.store.engine import resolve_url, sqlite_path

    url = resolve_url(cli.settings)
    path = sqlite_path(url)
    if path and not path.exists():
        raise InputError("there is no database yet", file=path, fix="check database_url")
    store = open_url(url, cli.command, alone=alone)
    try:
        yield store
    finally:
        store.close()


def _as_written(url: str) -> str:
    from sqlalchemy import make_url

    from newsletter.store.engine import shown

    return shown(make_url(url))


def _show(rows: dict[str, int]) -> None:
    """Print the rows of the tables that people know; ``--json`` has every table."""
    counts = (
        counted(rows["subscriber"], "subscriber"),
        counted(rows["mailing_list"], "list"),
        counted(rows["campaign"], "campaign"),
        counted(rows["delivery"], "delivery", "deliveries"),
    )
    click.echo(", ".join(counts))
