"""Every delivery of a campaign as one row of CSV, for a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any, TextIO

from sqlalchemy import Connection

from newsletter.audience.export import escape_formula
from newsletter.campaign.report.build import iso
from newsletter.campaign.report.events import complaining, ends
from newsletter.campaign.status import status
from newsletter.delivery.ledger.outcomes import (
    DeliveryOutcome,
    DeliveryState,
    delivery_outcomes,
)
from newsletter.smtp_replies.classify import classify

COLUMNS = (
    "position",
    "address",
    "state",
    "reason",
    "code",
    "status",
    "reply",
    "attempts",
    "last_at",
    "reported",
    "bounce",
    "complained",
)


def write_csv(connection: Connection, campaign_id: int, out: TextIO) -> None:
    """Write one row per delivery, by position, in flat memory.

    ``reason`` is why a recipient was skipped, or the class of a refusal. Cells that a spreadsheet
    would run as formulas are prefixed with ``'``. ``reported`` is what was last reported about an
    accepted delivery, ``bounce`` the class if it bounced.

    Args:
        out: Write to this; a file must be opened with ``newline=""``.

    Raises:
        InputError: There is no such campaign.
    """
    status(connection, campaign_id)
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    # Merged while reading, in the order of positions: memory stays constant for any audience.
    reported = _Beside(ends(connection, campaign_id))
    complaints = _Beside((position, "yes") for position in complaining(connection, campaign_id))
    for outcome in delivery_outcomes(connection, campaign_id):
        end = reported.at(outcome.position) or ("", "")
        cells = (*_cells(outcome), *end, *(complaints.at(outcome.position) or ("",)))
        writer.writerow([escape_formula(str(cell)) for cell in cells])


class _Beside:
    """Rows that begin with a position, read along with all positions in the same order."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows = iter(rows)
        self._next = next(self._rows, None)

    def at(self, position: int) -> tuple[Any, ...] | None:
        """The rest of a position's row; None if it has none."""
        if self._next is None or self._next[0] != position:
            return None
        found, self._next = self._next[1:], next(self._rows, None)
        return found


def _cells(outcome: DeliveryOutcome) -> tuple[object, ...]:
    skipped = outcome.state is DeliveryState.SKIPPED
    reason = outcome.reply if skipped else ""
    if outcome.state in {DeliveryState.DEFERRED, DeliveryState.FAILED}:
        reason = classify(outcome.code, outcome.status, outcome.reply)
    return (
        outcome.position,
        outcome.email,
        outcome.state,
        reason,
        "" if outcome.code is None else outcome.code,
        outcome.status,
        "" if skipped else outcome.reply,
        outcome.attempts,
        iso(outcome.at) or "",
    )
