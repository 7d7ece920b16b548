"""Every delivery of a campaign as one row of CSV, for a spreadsheet."""

from __future__ import annotations

import csv
from typing import TextIO

from sqlalchemy import Connection

from newsletter.audience.export import escape_formula
from newsletter.campaign.report import iso
from newsletter.campaign.status import status
from newsletter.deliver import Fate, Result, outcomes
from newsletter.deliver.replies import classify

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
)


def write_csv(connection: Connection, campaign_id: int, out: TextIO) -> None:
    """Write one row per delivery, by position, in flat memory.

    ``reason`` is why somebody was skipped, or the class of a refusal. Cells that a spreadsheet
    would run as formulas get a ``'`` in front.

    Args:
        out: Where to; opened with ``newline=""`` if it is a file.

    Raises:
        InputError: There is no such campaign.
    """
    status(connection, campaign_id)
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for fate in outcomes(connection, campaign_id):
        writer.writerow([escape_formula(str(cell)) for cell in _cells(fate)])


def _cells(fate: Fate) -> tuple[object, ...]:
    skipped = fate.state == "skipped"
    reason = fate.reply if skipped else ""
    if fate.state in {Result.DEFERRED, Result.FAILED}:
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
