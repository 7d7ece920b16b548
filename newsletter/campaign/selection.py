"""Which subscribers a send is for: a list, a part of it, or the rows of a file."""

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
    """What the recipients' merge fields can be filled from, before the file is imported.

    Raises:
        InputError: The file cannot be used.
        UsageError: The file may be of people who unsubscribed.
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
        InputError: The file, or without ``skip_invalid`` a row of it, cannot be used.
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
    """The subscribers of a list, or of the part of it that a segment names.

    Args:
        segment: An expression as in docs/segments.md; None for the whole list.
        batch: The import that has these rows; empty for all.

    Raises:
        UsageError: The segment cannot be read, can be read in two ways, or names a list or an
            attribute that does not exist.
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
    # A campaign that was begun with these words must be found by them, whatever today's rules are.
    if unfinished is None:
        require_clear(segment, condition)
    return AudienceSelection(list_name, batch, condition)
