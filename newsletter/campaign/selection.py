"""Select the recipients of a send: a list, part of it, or the rows of a file."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.audience.lists import columns
from newsletter.audience.segments.parse import parse_segment
from newsletter.audience.segments.relative_dates import require_clear
from newsletter.audience.segments.validate import validate
from newsletter.campaign.context import AppContext
from newsletter.campaign.request import SendListener, SendRequest
from newsletter.campaign.snapshot import AudienceSelection
from newsletter.delivery.ledger.states import ENDED
from newsletter.delivery.ledger.tables import campaign
from newsletter.store.engine import Store


def known_columns(app: AppContext, request: SendRequest) -> frozenset[str]:
    """The columns that merge fields can be filled from, before the file is imported.

    Raises:
        InputError: The file cannot be used.
        UsageError: The file may list people who unsubscribed.
    """
    known = columns(app.store, request.list_name)
    if request.csv_file is None:
        return known
    # Imported here and below: most sends are to a list, and load no importer.
    from newsletter.audience.importing.importer import csv_columns

    return known | csv_columns(request.csv_file, app.settings.merge_fields, request.uses)


def choose_audience(
    app: AppContext, request: SendRequest, listener: SendListener
) -> AudienceSelection:
    """Import the file of a request, if there is one, and select its recipients.

    Raises:
        InputError: The file cannot be used, or a row is invalid and ``skip_invalid`` is not set.
        RefusedError: The suppression key is not this database's.
        UsageError: As `select_audience`.
    """
    if request.csv_file is None:
        return select_audience(app.store, request.list_name, request.segment)
    from newsletter.audience.importing.importer import import_csv

    with listener.importing(request.csv_file) as progress:
        report = import_csv(
            app.store,
            app.keys,
            request.csv_file,
            list_name=request.list_name,
            source="csv",
            skip_invalid=request.skip_invalid,
            rejects=request.csv_file.with_suffix(".rejects.csv"),
            uses=request.uses,
            declared=app.settings.merge_fields,
            progress=progress,
        )
    listener.imported(report)
    return select_audience(app.store, request.list_name, request.segment, batch=report.batch)


def select_audience(
    store: Store, list_name: str, segment: str | None, *, batch: str = ""
) -> AudienceSelection:
    """Select the subscribers of a list or of a segment of it.

    Args:
        segment: An expression as in docs/segments.md; None for the whole list.
        batch: Only the rows of this import; empty for all.

    Raises:
        UsageError: The segment cannot be parsed, is ambiguous, or names a list or an attribute
            that does not exist.
    """
    if segment is None:
        return AudienceSelection(list_name, batch)
    condition = parse_segment(segment)
    with store.read() as connection:
        validate(connection, segment, condition, list_name)
        unfinished = connection.execute(
            select(campaign.c.id).where(
                campaign.c.audience == list_name,
                campaign.c.segment == str(condition),
                campaign.c.state.not_in(ENDED),
            )
        ).first()
    # A campaign started with this expression must be found by it, whatever today's rules are.
    if unfinished is None:
        require_clear(segment, condition)
    return AudienceSelection(list_name, batch, condition)
