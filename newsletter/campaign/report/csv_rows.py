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

    ``reason`` is why somebody was skipped, or the class of a refusal. Cells that a spreadsheet
    would run as formulas get a ``'`` in front. ``reported`` is the end that an accepted delivery
    came to, ``bounce`` its class.

    Args:
        out: Where to; opened with ``newline=""`` if it is a file.

    Raises:
        InputError: There is no such campaign.
    """
    status(connection, campaign_id)
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    reported = _Beside(ends(connection, campaign_id))
    complaints = _Beside((position, "yes") for position in complaining(connection, campaign_id))
    for fate in delivery_outcomes(connection, campaign_id):
        end = reported.at(fate.position) or ("", "")
        cells = (*_cells(fate), *end, *(complaints.at(fate.position) or ("",)))
        writer.writerow([escape_formula(str(cell)) for cell in cells])


class _Beside:
    """Rows that begin with a position, read beside all positions, in the same order."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows = iter(rows)
        self._next = next(self._rows, None)

    def at(self, position: int) -> tuple[Any, ...] | None:
        """What stands beside a position; None if there is nothing."""
        if self._next is None or self._next[0] != position:
            return None
        found, self._next = self._next[1:], next(self._rows, None)
        return found


def _cells(fate: DeliveryOutcome) -> tuple[object, ...]:
    skipped = fate.state is DeliveryState.SKIPPED
    reason = fate.reply if skipped else ""
    if fate.state in {DeliveryState.DEFERRED, DeliveryState.FAILED}:
        reason = classify(fate.code, fate.status, fate.reply)
    return (
        fate.position,
        fate.email,
        fate.state,
        reason,
        "" if fate.code is None else fate.code,
        fate.status,
        "" if skipped else fate.reply,
        fate.attempts,
        iso(fate.at) or "",
    )
