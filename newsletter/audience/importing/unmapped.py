"""Columns of unknown meaning: what they contain, and a guess at what they are."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsletter.audience.importing.column_uses import column_names
from newsletter.audience.importing.csv_columns import Columns, json_column, map_columns, with_keys
from newsletter.audience.importing.json_column import find_keys, unfold
from newsletter.audience.importing.senses import Guess, guess, is_about_bounces, is_yes_or_no
from newsletter.audience.importing.value_counts import DIFFERENT, Tally
from newsletter.audience.model import ColumnUse, ValueCount
from newsletter.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from newsletter.audience.importing.csv_reader import CsvFile

_SHOWN = 3
_KEPT = 10
_COUNTS = 40_000
"""Different values counted in all columns together: bounds the memory."""
_LONGEST = 20
"""Characters of a value that are shown."""
_WIDEST = 60
_MEANINGS = {
    ColumnUse.CONSENT: "only rows with a clear yes are added; a clear no is suppressed",
    ColumnUse.OPT_OUT: "a yes, a number or a date means no mail: the row is suppressed",
    ColumnUse.IGNORE: "the column is not stored",
    ColumnUse.ATTRIBUTE: "the column is stored; to store it always, declare [merge_fields.NAME]",
}


@dataclass(frozen=True, slots=True)
class Unmapped:
    """One column.

    ``column`` is its name in ``--column``, ``values`` are its most common values, ``others`` says
    whether there are more. ``guess`` is its likely use: suggested by the value ``because``, or by
    its name where that is empty.
    """

    column: str
    values: tuple[ValueCount, ...]
    others: bool
    guess: ColumnUse
    because: str = ""

    @property
    def option(self) -> str:
        """The option to add if the guess is right."""
        return f"--column {shlex.quote(f'{self.column}={self.guess}')}"

    @property
    def shown_guess(self) -> str:
        """The guess, with what may surprise the operator about it."""
        if self.because:
            return f"{self.guess}, because of {self.because[:_LONGEST]!r}"
        return f"{self.guess}: yes means no mail" if self.guess is ColumnUse.OPT_OUT else self.guess

    @property
    def shown_values(self) -> str:
        """The few most common values, in one line."""
        shown = (
            replace(one, value=f"{one.value[:_LONGEST]}…") if len(one.value) > _LONGEST else one
            for one in self.values[:_SHOWN]
        )
        told = ", ".join(map(str, shown))
        return told + (", …" if self.others or len(self.values) > _SHOWN else "")


class UnmappedColumnsError(InputError):
    """Nothing is imported until the operator says what these columns are.

    ``command`` has the options to add if all guesses are right; the command line completes it.
    """

    def __init__(self, path: Path, line: int, columns: Sequence[Unmapped]) -> None:
        count = "1 column is" if len(columns) == 1 else f"{len(columns):,} columns are"
        super().__init__(f"{count} unknown, so nothing was imported", file=path, line=line)
        self.columns = tuple(columns)
        self.command = " ".join(one.option for one in columns)

    def __str__(self) -> str:
        rows = [("column", "most common values", "guess")]
        rows += [(one.column, one.shown_values, one.shown_guess) for one in self.columns]
        widths = [min(_WIDEST, max(len(row[i]) for row in rows)) for i in (0, 1)]
        table = [f"  {a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in rows]
        meanings = [f"  {use}: {means}" for use, means in _MEANINGS.items()]
        return "\n".join(
            [
                super().__str__(),
                *table,
                "A column can be:",
                *meanings,
                "If the guesses are right, run this command; otherwise correct it first:",
                f"  {self.command}",
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            "error": self.message,
            "file": str(self.file),
            "line": self.line,
            "columns": [asdict(one) for one in self.columns],
            "command": self.command,
        }


def known_columns(
    file: CsvFile, form: str, *, uses: Sequence[str], declared: Collection[str]
) -> Columns:
    """The columns of a file, if the meaning of each is known.

    Args:
        file: The file.
        form: As `map_columns` takes it, like ``uses`` and ``declared``.

    Raises:
        UnmappedColumnsError: Some are unknown.
        InputError, UsageError: As `map_columns`.
    """
    header = (file.header, file.path, file.header_line, form)
    index = json_column(*header, uses=uses)
    keys = find_keys(file, index) if index >= 0 else ()
    columns = map_columns(*header, uses=uses, declared=declared, keys=keys)
    found = _survey(file, columns) if columns.unknown else ()
    if found:
        raise UnmappedColumnsError(file.path, file.header_line, found)
    return columns


def _survey(file: CsvFile, columns: Columns) -> list[Unmapped]:
    """What the unknown columns contain; one without a name and without values is left out."""
    cells = with_keys(file.header, columns.keys)
    different = max(_KEPT, min(DIFFERENT, _COUNTS // len(columns.unknown)))
    tallies = {index: Tally(different) for index in columns.unknown}
    for _, own, problem in file.rows():
        if problem:
            continue
        try:
            json = columns.json
            row = unfold(own, columns.width, json, columns.keys) if json >= 0 else own
        except InputError:
            # Bad JSON rejects its row later; here it only has no values to show.
            continue
        for index, tally in tallies.items():
            tally.add(row[index] if index < len(row) else "")
    tallies = {i: tally for i, tally in tallies.items() if cells[i].strip() or tally.values()}
    names = column_names(cells)
    guesses = _guesses(columns, cells, tallies)
    return [
        Unmapped(names[i], tally.commonest(_KEPT), tally.different > _KEPT, *guesses[i])
        for i, tally in tallies.items()
    ]


def _guesses(
    columns: Columns, cells: Sequence[str], tallies: Mapping[int, Tally]
) -> dict[int, Guess]:
    values = {index: tally.values() for index, tally in tallies.items()}
    found = {
        index: guess(cells[index], values[index], filled=not tally.blank)
        for index, tally in tallies.items()
    }
    decided = columns.consent or columns.opt_out or columns.leaving
    about_mail = any(
        one.use is ColumnUse.CONSENT
        or (one.use is ColumnUse.OPT_OUT and not is_about_bounces(cells[i]))
        for i, one in found.items()
        if one
    )
    if not decided and not about_mail:
        # No other column says who wants mail: this one may, under a name in an unknown language.
        for index, one in found.items():
            if one is None and is_yes_or_no(values[index]):
                found[index] = Guess(ColumnUse.CONSENT, values[index][0])
    return {index: one or Guess(ColumnUse.IGNORE) for index, one in found.items()}
