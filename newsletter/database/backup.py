"""Backups: a SQLite file of our tables, from either kind of database and for either kind."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, select, update

from newsletter.database.copy import copy
from newsletter.database.migrate import HEAD, current
from newsletter.database.open import migrate
from newsletter.database.restore_target import flush
from newsletter.database.tables import metadata
from newsletter.delivery.ledger.states import AT_REST, CampaignState, ChunkState, transition
from newsletter.delivery.ledger.tables import campaign, chunk
from newsletter.errors import InputError, RefusedError
from newsletter.queues.outgoing import release_all
from newsletter.store.copy import Progress
from newsletter.store.engine import Store, sqlite_store
from newsletter.store.private_files import private_file
from newsletter.store.snapshot import write_snapshot

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: rows by table, and the campaigns that were sending and are paused now."""

    rows: dict[str, int]
    paused: tuple[int, ...]


def backup(store: Store, path: Path, progress: Progress | None = None) -> dict[str, int]:
    """Keep the database in a file that only its owner can read; sending may go on meanwhile.

    Args:
        store: The database.
        path: A new file; it is there whole or not at all.
        progress: Called now and then, from PostgreSQL only: a SQLite file is copied in one go.

    Returns:
        Rows by table.

    Raises:
        InputError: The file exists, or its folder does not.
        UnavailableError: The disk is full, or the database went away.
    """
    if path.exists():
        raise InputError("the file exists", file=path, fix="name a new one: none is overwritten")
    if not path.parent.is_dir():
        raise InputError("there is no such folder", file=path.parent, fix="make it first")
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        part = Path(folder) / path.name
        part.touch(mode=0o600)
        write_snapshot(store, part, progress, prepare=migrate)
        rows = _finish(part)
        part.rename(path)
    flush(path.parent)
    return rows


def restore(path: Path, target: Store, scratch: Path, progress: Progress | None = None) -> Restored:
    """Bring a backup into an empty database.

    A campaign that was sending comes back paused: what it sent after the backup was made is not
    known, so that only a person can decide whether it goes on. A confirmation that was waiting is
    sent, perhaps for the second time: a missing one would keep its reader off the list.

    Args:
        path: The backup; it is not changed.
        target: Migrated and empty.
        scratch: A folder for a private copy of the file.
        progress: Called now and then.

    Raises:
        InputError: The file is missing, damaged or no backup of ours.
        RefusedError: The backup is of a newer program, or the target holds something.
    """
    if not path.is_file():
        raise InputError("there is no such file", file=path)
    with private_file(scratch) as copied:
        _take(path, copied)
        source = sqlite_store(copied)
        try:
            _bring_up_to_date(source, path)
            with source.write() as connection:
                paused = _pause(connection, source.now(connection))
            return Restored(copy(source, target, progress), paused)
        finally:
            source.close()


def _finish(part: Path) -> dict[str, int]:
    """Make it one file for good, with nothing beside it, and count what it holds."""
    with closing(sqlite3.connect(part)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        rows = {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608
            for name in metadata.tables
        }
    flush(part)
    return rows


def _take(path: Path, copied: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copied)) as target,
        ):
            source.backup(target)
            (first,) = target.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        first = str(error)
    if first != "ok":
        raise InputError(
            f"this is no whole backup: {first}",
            file=path,
            fix="take another; `./send.py db backup` makes them",
        )


def _bring_up_to_date(source: Store, path: Path) -> None:
    if not {"alembic_version", "subscriber", "campaign"} <= set(
        inspect(source.engine).get_table_names()
    ):
        raise InputError("this is a database, and not one of ours", file=path)
    revision = current(source.engine) or ""
    if revision > HEAD:
        raise RefusedError(
            f"{path} is a backup of a newer program (revision {revision}, this one knows {HEAD})",
            fix="restore it with that program",
        )
    migrate(source)


def _pause(connection: Connection, now: float) -> tuple[int, ...]:
    busy = connection.execute(
        select(campaign.c.id).where(campaign.c.state.not_in(AT_REST)).order_by(campaign.c.id)
    ).scalars()
    paused = tuple(busy)
    note = "restored from a backup: what was sent after it was made is not known"
    for campaign_id in paused:
        transition(
            connection, campaign_id, CampaignState.PAUSED, by="db restore", now=now, note=note
        )
    # Whoever held a lease holds it in the database that was backed up, not in this one.
    leased = chunk.c.state == ChunkState.LEASED
    connection.execute(update(chunk).where(leased).values(lease_until=0))
    release_all(connection)
    return paused
