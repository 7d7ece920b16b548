"""Backups: a SQLite file of all tables, made from and restored to either kind of database."""

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
    """What was restored: rows by table, and the campaigns that were sending and are now paused."""

    rows: dict[str, int]
    paused: tuple[int, ...]


def backup(store: Store, path: Path, progress: Progress | None = None) -> dict[str, int]:
    """Back the database up to a file that only its owner can read; sending may go on meanwhile.

    Args:
        store: The database.
        path: A new file; it appears complete or not at all.
        progress: Called now and then, for PostgreSQL only: a SQLite file is copied in one go.

    Returns:
        Rows by table.

    Raises:
        InputError: The file exists, or its folder does not exist.
        UnavailableError: The disk is full, or the database went away.
    """
    if path.exists():
        raise InputError("the file already exists", file=path, fix="choose a new name")
    if not path.parent.is_dir():
        raise InputError("the folder does not exist", file=path.parent, fix="create it first")
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        part = Path(folder) / path.name
        part.touch(mode=0o600)
        write_snapshot(store, part, progress, prepare=migrate)
        rows = _finish(part)
        part.rename(path)
    flush(path.parent)
    return rows


def restore(path: Path, target: Store, scratch: Path, progress: Progress | None = None) -> Restored:
    """Restore a backup into an empty database.

    A campaign that was sending comes back paused: what it sent after the backup is unknown, so only
    a person can decide whether it goes on. A waiting confirmation is sent, perhaps for the second
    time: without it, its reader would never get on the list.

    Args:
        path: The backup; it is not changed.
        target: Migrated and empty.
        scratch: A folder for a private copy of the file.
        progress: Called now and then.

    Raises:
        InputError: The file is missing, damaged or not a backup of this program.
        RefusedError: The backup is from a newer version, or the target is not empty.
    """
    if not path.is_file():
        raise InputError("the file does not exist", file=path)
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
            f"this is not a complete backup: {first}",
            file=path,
            fix="use another one; `./send.py db backup` makes them",
        )


def _bring_up_to_date(source: Store, path: Path) -> None:
    if not {"alembic_version", "subscriber", "campaign"} <= set(
        inspect(source.engine).get_table_names()
    ):
        raise InputError("this is the database of another program", file=path)
    revision = current(source.engine) or ""
    if revision > HEAD:
        raise RefusedError(
            f"{path} is a backup from a newer version (revision {revision}, this one has {HEAD})",
            fix="restore it with the newer version",
        )
    migrate(source)


def _pause(connection: Connection, now: float) -> tuple[int, ...]:
    busy = connection.execute(
        select(campaign.c.id).where(campaign.c.state.not_in(AT_REST)).order_by(campaign.c.id)
    ).scalars()
    paused = tuple(busy)
    note = "restored from a backup: what was sent after the backup is unknown"
    for campaign_id in paused:
        transition(
            connection, campaign_id, CampaignState.PAUSED, by="db restore", now=now, note=note
        )
    # Leases are held in the database that was backed up, not in this one.
    leased = chunk.c.state == ChunkState.LEASED
    connection.execute(update(chunk).where(leased).values(lease_until=0))
    release_all(connection)
    return paused
