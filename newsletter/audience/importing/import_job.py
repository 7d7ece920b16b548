"""The values that all batches of one import share."""

from __future__ import annotations

from dataclasses import dataclass
from json.encoder import encode_basestring as _json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from newsletter.audience.importing.staging import StagedRow
    from newsletter.audience.keys import Keys

CONSENT_COLUMNS = ("subscriber_uid", "list_name", "action", "source", "evidence", "at")


@dataclass(frozen=True, slots=True)
class ImportJob:
    """One file imported into one list. ``at`` is Unix seconds; ``batch`` identifies its rows."""

    keys: Keys
    list_name: str
    source: str
    file: str
    batch: str
    at: float

    def consent(self, uid: int, row: StagedRow) -> tuple[Any, ...]:
        """The consent event of one row, in the order of `CONSENT_COLUMNS`."""
        evidence = f'{{"file": {_json(self.file)}, "line": {row.line}}}'
        if row.evidence != "{}":
            evidence = evidence[:-1] + ", " + row.evidence[1:]
        return (uid, self.list_name, "imported", self.source, evidence, self.at)
