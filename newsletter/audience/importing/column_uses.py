"""``--column NAME=USE``: what a person says that the columns of a file are."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from newsletter.audience.importing.senses import contradicted
from newsletter.audience.model import ColumnUse

_USES = ", ".join(ColumnUse)
_NUMBER = re.compile(r"#[1-9][0-9]{0,5}")
_LONGEST_NAME = 60
_SHOWN = 20


def normalise(name: str) -> str:
    """A header cell as the name of a column: ``First Name`` is ``first_name``."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[^\w]+", "_", plain).strip("_")


def column_names(header: Sequence[str]) -> list[str]:
    """What each column is called in ``--column``: its name, or its number if that is no name.

    A name that is blank, there twice, very long or not to be typed is no name.
    """
    known = Counter(map(normalise, header))
    return [
        name if _can_be_typed(name) and known[normalise(name)] == 1 else f"#{number}"
        for number, name in enumerate(map(str.strip, header), start=1)
    ]


def read_uses(
    texts: Sequence[str], header: Sequence[str]
) -> tuple[Mapping[int, ColumnUse], list[str]]:
    """What is said of which column, by its index, and all that is wrong with what is said.

    Args:
        texts: ``NAME=USE`` each. A name counts in any case and spelling, or as ``#`` and the
            column's number, from 1.
        header: The file's.
    """
    found: dict[int, ColumnUse] = {}
    problems = []
    names = list(map(normalise, header)) if texts else []
    for text in texts:
        name, _, word = text.rpartition("=")
        use = _use(word)
        where, trouble = _find(name, header, names) if name else ([], "")
        if not name or use is None:
            near = get_close_matches(word.strip().casefold(), list(ColumnUse), n=1)
            right = f"{name}={near[0]}" if name and near else f"NAME=USE, where USE is {_USES}"
            problems.append(f"{text!r} says no use of a column: write {right}")
        elif trouble:
            problems.append(f"{text!r}: {trouble}")
        elif found.setdefault(where[0], use) is not use:
            problems.append(f"{name.strip()!r} is said to be {found[where[0]]}, and {use}")
        elif instead := contradicted(header[where[0]], use):
            says = "left" if instead is ColumnUse.OPT_OUT else "agreed"
            problems.append(
                f"{text!r}: a yes under this name says that somebody {says}: "
                f"write {name.strip()}={instead}"
            )
    return found, problems


def _can_be_typed(name: str) -> bool:
    usual = name.isprintable() and len(name) <= _LONGEST_NAME
    return usual and not name.startswith("#") and normalise(name) != ""


def _use(word: str) -> ColumnUse | None:
    plain = word.strip().casefold().replace("_", "-")
    return ColumnUse(plain) if plain in set(ColumnUse) else None


def _find(name: str, header: Sequence[str], normalised: Sequence[str]) -> tuple[list[int], str]:
    """Where a column is, and why it cannot be said (empty: it can)."""
    name = name.strip()
    wanted = normalise(name)
    where = [i for i, cell in enumerate(header) if cell.strip() == name]
    if len(where) != 1:
        where = [i for i, other in enumerate(normalised) if wanted and other == wanted]
    if _NUMBER.fullmatch(name) and int(name[1:]) <= len(header):
        where = [int(name[1:]) - 1]
    if len(where) == 1:
        return where, ""
    if where:
        numbers = " or ".join(f"#{index + 1}" for index in where)
        return [], f"{len(where)} columns are called that: write {numbers} in its place"
    names = [cell for cell in column_names(header) if not cell.startswith("#")]
    folded = {normalise(cell): cell for cell in names}
    near = get_close_matches(wanted, list(folded), n=3)
    if near:
        return [], f"there is no such column: is it {' or '.join(folded[one] for one in near)}?"
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return [], f"there is no such column; there are: {shown}"
