"""A column of JSON objects, as listmonk exports it: each name in them counts as a column."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from newsletter.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.audience.importing.csv_reader import CsvFile

MOST_KEYS = 200
"""Different names in one file, at most: each is a column that somebody must look at."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]+")


def read_object(cell: str) -> dict[str, str]:
    """A JSON object as names with the text of each value; a list or an object stays JSON.

    Raises:
        InputError: It is not a JSON object.
    """
    try:
        found = json.loads(cell or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError("its attributes are not a JSON object")
    texts = {}
    for name, value in found.items():
        text = str(value) if isinstance(value, str | int | float) else ""
        if isinstance(value, list | dict):
            text = json.dumps(value, ensure_ascii=False)
        texts[_clean(name)] = _clean(text)
    return texts


def find_keys(file: CsvFile, index: int) -> tuple[str, ...]:
    """Every name in a file's JSON column, in order; invalid JSON is skipped.

    Raises:
        InputError: There are too many of them.
    """
    found: dict[str, None] = {}
    for line, cells, problem in file.rows():
        if problem or len(cells) <= index:
            continue
        try:
            found |= dict.fromkeys(read_object(cells[index]))
        except InputError:
            continue
        if len(found) > MOST_KEYS:
            name = file.header[index].strip()
            raise InputError(
                f"the column {name} has more than {MOST_KEYS} different names",
                file=file.path,
                line=line,
                fix=f"ignore the column: --column {name}=ignore",
            )
    return tuple(found)


def unfold(cells: Sequence[str], width: int, index: int, keys: Sequence[str]) -> list[str]:
    """A row followed by the values in its JSON column, as `Columns` counts them.

    Args:
        cells: The row; cells past ``width`` are dropped, missing ones are blank.
        width: How many columns the file has.
        index: The JSON column.
        keys: The names whose values to add.

    Raises:
        InputError: The cell is not a JSON object.
    """
    own = [*cells[:width], *[""] * (width - len(cells))]
    found = read_object(own[index])
    return [*own, "", *(found.get(key, "") for key in keys)]


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()
