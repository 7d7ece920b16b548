"""CSV file -> private staging database: every row is checked before anything changes.

SQLite keeps an unnamed database in a file that is deleted as soon as it is opened: a killed import
leaves no addresses behind, and memory use stays constant.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from json.encoder import encode_basestring
from operator import itemgetter
from types import TracebackType
from typing import NamedTuple

from newsletter.audience.address import check_address, is_plain
from newsletter.audience.importing.answers import is_denial, read_consent, read_opt_out
from newsletter.audience.importing.csv_columns import Columns
from newsletter.audience.importing.csv_reader import CsvFile
from newsletter.audience.importing.json_column import unfold
from newsletter.audience.importing.rejects import Rejects
from newsletter.audience.model import ASKED_TO_LEAVE, ImportProblem, SuppressionReason
from newsletter.errors import InputError, UnavailableError

FIRST_PROBLEMS = 20
_PROGRESS_EVERY = 5000
_EARLIEST = 631_152_000.0
"""1990, in Unix seconds: a smaller number in an opt-out column is a count or a flag, not a time."""


class StagedRow(NamedTuple):
    """One valid row. ``attributes`` and ``evidence`` are JSON.

    ``left`` is the reason not to mail them (a `SuppressionReason`; empty: they may be mailed) and
    ``left_at`` since when; ``joined_at`` is when they joined according to the file. Both are Unix
    seconds. ``unclear`` is empty, or a column that should be a yes and is not, with its value on
    the second line: such a row is not added.
    """

    line: int
    email: str
    key: str
    first_name: str
    last_name: str
    language: str
    time_zone: str
    attributes: str
    evidence: str
    left: str
    left_at: float | None
    joined_at: float | None
    unclear: str


_INSERT = f"INSERT INTO staged VALUES ({', '.join('?' * len(StagedRow._fields))})"  # noqa: S608


class Staging:
    """The valid rows of one file; a context manager that deletes them at its end."""

    def __init__(self, file: CsvFile, columns: Columns, rejects: Rejects) -> None:
        self.file = file
        self.rows = 0
        self.rejected = 0
        self.duplicates = 0
        self.undated = 0
        self.problems: list[ImportProblem] = []
        self._now = time.time()
        self._columns = columns
        self._rejects = rejects
        self._database = sqlite3.connect("", isolation_level=None)
        # Nobody needs it after a crash: no journal, no flush, and at most 16 MB of memory.
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("PRAGMA cache_size=-16000")
        self._database.execute(f"CREATE TABLE staged ({', '.join(StagedRow._fields)})")
        self._database.execute("CREATE TABLE duplicate (line INTEGER PRIMARY KEY, first INTEGER)")

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def fill(self, progress: Callable[[int], None]) -> None:
        """Check and store every row of the file.

        Raises:
            UnavailableError: The disk is full.
        """
        with _needing_room():
            self._database.execute("BEGIN")
            self._database.executemany(_INSERT, self._good(progress))
            self._database.execute("COMMIT")

    def batches(self, size: int) -> Iterator[list[StagedRow]]:
        """The rows by address key, each key once: a row with an unsubscribe (one of their own
        asking first), else an unclear one, else the first.

        Raises:
            UnavailableError: The disk is full.
        """
        with _needing_room():
            cursor = self._database.execute(
                "SELECT * FROM staged ORDER BY key, left = '',"
                " left NOT IN ('unsubscribed', 'complained'), unclear = '', line"
            )
        key, first = "", 0
        while found := cursor.fetchmany(size):
            batch = []
            for row in found:
                if row[2] == key:
                    if not row[-1]:  # else the rejects file has it already
                        self._database.execute(
                            "INSERT INTO duplicate VALUES (?, ?)", (row[0], first)
                        )
                    self.duplicates += 1
                else:
                    first, key = row[0], row[2]
                    batch.append(row)
            yield list(map(StagedRow._make, batch))

    def write_duplicates(self) -> None:
        """Add the duplicates to the rejects file, as they are in the source."""
        found = self._database.execute("SELECT line, first FROM duplicate ORDER BY line")
        line, first = found.fetchone() or (0, 0)
        for number, cells, _ in self.file.rows() if line else ():
            if number == line:
                self._rejects.add(line, f"same address as in line {first}", cells)
                line, first = found.fetchone() or (0, 0)

    def _good(self, progress: Callable[[int], None]) -> Iterator[StagedRow]:
        read = _row_reader(self._columns, self._joined_at)
        for number, (line, cells, problem) in enumerate(self.file.rows(), start=1):
            self.rows = number
            if number % _PROGRESS_EVERY == 0:
                progress(number)
            try:
                if problem:
                    raise InputError(problem)
                row = read(line, cells)
                if row.unclear:
                    column, _, value = row.unclear.partition("\n")
                    reason = f"{column} is {value!r}, which is not a clear yes"
                    self._rejects.add(line, reason, cells)
                yield row
            except InputError as error:
                self.rejected += 1
                if len(self.problems) < FIRST_PROBLEMS:
                    place = str(self.file.path)
                    self.problems.append(ImportProblem(place, line, error.message))
                self._rejects.add(line, error.message, cells)

    def _joined_at(self, cell: str) -> float | None:
        """When somebody joined; None, and counted, if the cell is not a time in the past."""
        at = _seconds(cell)
        if at is not None and 0 < at <= self._now:
            return at
        self.undated += 1
        return None


@contextmanager
def _needing_room() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise UnavailableError(
            f"not enough disk space to sort the file: {error}",
            fix="free some disk space, or set SQLITE_TMPDIR to another folder",
        ) from None


def _row_reader(
    columns: Columns, when: Callable[[str], float | None]
) -> Callable[[int, list[str]], StagedRow]:
    width = columns.width
    # The cell after the last is blank: it is used for every column that the file lacks.
    wanted = (
        columns.email,
        columns.first_name,
        columns.last_name,
        columns.language,
        columns.time_zone,
        columns.left_at,
        columns.joined,
    )
    pick = itemgetter(*(index if index >= 0 else width for index in wanted))
    attributes = _json_writer(columns.attributes)
    evidence = _json_writer(columns.evidence)
    everyone = str(columns.format.everyone or "")
    joined_name = next((name for name, index in columns.evidence if index == columns.joined), "")
    judged = bool(columns.consent or columns.opt_out)

    def read(line: int, cells: list[str]) -> StagedRow:
        if len(cells) != width:
            if any(cell.strip() for cell in cells[width:]):
                raise InputError(
                    f"{len(cells)} cells for {width} columns: check for a missing quotation mark"
                )
            cells = cells[:width] + [""] * (width - len(cells[:width]))
        cells = [*cells, ""]
        if columns.json >= 0:
            cells = unfold(cells, width, columns.json, columns.keys)
        email, first, last, language, zone, left_at, joined = pick(cells)
        if not email:
            raise InputError("no email address")
        # Almost all addresses are plain, and the full check takes far longer.
        if not is_plain(email):
            email = check_address(email)
        left = everyone
        for rule, index in columns.leaving:
            if rule.matches(cells[index]):
                if rule.reason is None:
                    raise InputError(
                        f"its {rule.column} is {cells[index]!r}, "
                        "which is not consent to receive mail"
                    )
                left = str(rule.reason)
                break
        since = _seconds(left_at) if left and left_at else None
        unclear = ""
        if judged and not left:
            left, since, unclear = _judge(columns, cells)
        joined_at = when(joined) if joined else None
        if joined and joined_at is None and not left and is_denial(joined):
            unclear = unclear or f"{joined_name}\n{joined}"
        if columns.full_name >= 0:
            first, _, last = cells[columns.full_name].partition(" ")
        return StagedRow(
            line,
            email,
            email.lower(),
            first,
            last,
            language,
            zone,
            attributes(cells),
            evidence(cells),
            left,
            since,
            joined_at,
            unclear,
        )

    return read


def _judge(columns: Columns, cells: list[str]) -> tuple[str, float | None, str]:
    """Evaluate the columns that the operator said decide who is added.

    Returns:
        Why they must not be mailed, and since when; or the column that is not a clear yes.
    """
    unclear = ""
    reasons: dict[SuppressionReason, float | None] = {}
    for name, index, reason in columns.opt_out:
        answer = read_opt_out(cells[index], reason)
        if answer.left:
            at = _seconds(cells[index])
            dated = at is not None and _EARLIEST <= at <= time.time()
            reasons.setdefault(answer.left, at if dated else None)
        elif not answer.yes:
            unclear = unclear or f"{name}\n{cells[index]}"
    for name, index in columns.consent:
        answer = read_consent(cells[index])
        if answer.left:
            reasons.setdefault(answer.left, None)
        elif not answer.yes:
            unclear = unclear or f"{name}\n{cells[index]}"
    if not reasons:
        return "", None, unclear
    # What they asked for themselves comes first: only they can undo it.
    why = min(reasons, key=lambda reason: (reason not in ASKED_TO_LEAVE, reason))
    return str(why), reasons[why], ""


def _json_writer(places: tuple[tuple[str, int], ...]) -> Callable[[list[str]], str]:
    """Writes the cells that are not blank as one JSON object."""
    named = [(json.dumps(name, ensure_ascii=False) + ": ", index) for name, index in places]

    def write(cells: list[str]) -> str:
        pairs = [name + encode_basestring(cells[i]) for name, i in named if cells[i]]
        return "{" + ", ".join(pairs) + "}"

    return write if named else lambda _: "{}"


def _seconds(text: str) -> float | None:
    """Unix seconds (SendGrid), or an ISO 8601 date with or without a time; UTC by default."""
    try:
        if text.isascii() and text.isdecimal():
            return float(text) if len(text) < 12 else None
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
