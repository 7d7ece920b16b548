"""Copies every row of one database to an empty one: all or nothing, verified at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, exists, select

from newsletter.database.tables import metadata
from newsletter.delivery.ledger.states import AT_REST, ChunkState
from newsletter.delivery.ledger.tables import campaign, chunk
from newsletter.errors import InputError, RefusedError
from newsletter.queues.outgoing import is_under_way
from newsletter.store.copy import Progress, copy_rows

if TYPE_CHECKING:
    from newsletter.store.engine import Store


def copy(source: Store, target: Store, progress: Progress | None = None) -> dict[str, int]:
    """Copy every row of every table, in one transaction and from one snapshot.

    Args:
        source: Only read; others may keep writing to it.
        target: Migrated and empty.
        progress: Called every few thousand rows.

    Returns:
        Rows by table.

    Raises:
        InputError: The source is empty, or has a row that the target cannot store.
        RefusedError: The target is not empty, or a campaign is sending; nothing was copied.
        UnavailableError: A database went away; nothing was copied.
    """
    with source.read() as reading, target.write() as writing:
        _require_rest(source, reading)
        if not any(
            reading.execute(select(exists().select_from(table))).scalar_one()
            for table in metadata.sorted_tables
        ):
            raise InputError(f"the database {source.name} is empty: there is nothing to copy")
        rows = copy_rows(source, reading, target, writing, progress)
        with source.read() as later:
            _require_rest(source, later)
    return rows


def _require_rest(source: Store, connection: Connection) -> None:
    """Two databases with one campaign under way would mail its readers twice."""
    busy = connection.execute(
        select(campaign.c.id, campaign.c.state).where(campaign.c.state.not_in(AT_REST))
    ).first()
    if busy is not None:
        raise RefusedError(
            f"campaign {busy.id} is {busy.state}",
            fix=f"run `./send.py pause {busy.id}`, then try again",
        )
    leased = (chunk.c.state == ChunkState.LEASED, chunk.c.lease_until > source.now(connection))
    if connection.execute(select(exists().where(*leased))).scalar_one():
        raise RefusedError(
            "a paused campaign may still be handing over its last messages",
            fix="wait two minutes, then try again",
        )
    if is_under_way(connection, source.now(connection)):
        raise RefusedError(
            "a confirmation or welcome message is being sent",
            fix="stop `serve` and `worker`, wait two minutes, then try again",
        )
