"""``--column NAME=USE``: what the operator says that the columns of a file are."""

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


def normalize(name: str) -> str:
    """The name of a column from its header cell: ``First Name`` becomes ``first_name``."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[^\w]+", "_", plain).strip("_")


def column_names(header: Sequence[str]) -> list[str]:
    """What to call each column in ``--column``: its name, or ``#`` and its number.

    The number replaces a name that is blank, duplicated, very long or hard to type.
    """
    known = Counter(map(normalize, header))
    names = []
    for number, name in enumerate(map(str.strip, header), start=1):
        short = name.isprintable() and len(name) <= _LONGEST_NAME
        # A name that starts with # would be read as a number.
        usual = short and not name.startswith("#") and normalize(name) != ""
        names.append(name if usual and known[normalize(name)] == 1 else f"#{number}")
    return names


def read_uses(
    texts: Sequence[str], header: Sequence[str]
) -> tuple[Mapping[int, ColumnUse], list[str]]:
    """The use of each named column, by its index, and every problem with the texts.

    Args:
        texts: ``NAME=USE`` each. The name may differ in case and punctuation; ``#`` and a number
            (from 1) also name a column.
        header: The file's header.
    """
    found: dict[int, ColumnUse] = {}
    problems = []
    names = list(map(normalize, header)) if texts else []
    for text in texts:
        name, _, word = text.rpartition("=")
        plain = word.strip().casefold().replace("_", "-")
        use = ColumnUse(plain) if plain in set(ColumnUse) else None
        where, trouble = _find(name, header, names) if name else ([], "")
        if not name or use is None:
            near = get_close_matches(word.strip().casefold(), list(ColumnUse), n=1)
            right = f"{name}={near[0]}" if name and near else f"NAME=USE, where USE is {_USES}"
            problems.append(f"{text!r} is not a column use: write {right}")
        elif trouble:
            problems.append(f"{text!r}: {trouble}")
        elif found.setdefault(where[0], use) is not use:
            problems.append(f"{name.strip()!r} is given as both {found[where[0]]} and {use}")
        elif instead := contradicted(header[where[0]], use):
            says = "opted out" if instead is ColumnUse.OPT_OUT else "agreed"
            problems.append(
                f"{text!r}: a yes in a column of this name means that somebody {says}: "
                f"write {name.strip()}={instead}"
            )
    return found, problems


def _find(name: str, header: Sequence[str], normalized: Sequence[str]) -> tuple[list[int], str]:
    """The index of a column, or the reason why the name does not identify one."""
    name = name.strip()
    wanted = normalize(name)
    where = [i for i, cell in enumerate(header) if cell.strip() == name]
    if len(where) != 1:
        where = [i for i, other in enumerate(normalized) if wanted and other == wanted]
    if _NUMBER.fullmatch(name) and int(name[1:]) <= len(header):
        where = [int(name[1:]) - 1]
    if len(where) == 1:
        return where, ""
    if where:
        numbers = " or ".join(f"#{index + 1}" for index in where)
        return [], f"{len(where)} columns have this name: write {numbers} instead"
    names = [cell for cell in column_names(header) if not cell.startswith("#")]
    folded = {normalize(cell): cell for cell in names}
    near = get_close_matches(wanted, list(folded), n=3)
    if near:
        names_near = " or ".join(folded[name] for name in near)
        return [], f"there is no such column; did you mean {names_near}?"
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return [], f"there is no such column; the columns are: {shown}"
