"""What each column of a CSV file means: by the normalized names in its header, in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.audience.importing.column_uses import column_names, normalize, read_uses
from newsletter.audience.importing.csv_formats import (
    FORMATS,
    JOINED,
    PLAIN,
    Format,
    UnsubscribedRule,
)
from newsletter.audience.importing.senses import is_about_bounces
from newsletter.audience.model import ColumnsRead, ColumnUse, SuppressionReason
from newsletter.errors import InputError, UsageError

_FIELDS = {
    "email": "email email_address e_mail e_mail_address mail mail_address"
    " e_mail_adresse email_adresse emailadresse mailadresse"
    " correo correo_electrónico correo_electronico"
    " courriel adresse_e_mail adresse_email adresse_mail",
    "first_name": "first_name firstname fname given_name vorname nombre prénom prenom",
    "last_name": "last_name lastname lname surname family_name"
    " nachname familienname apellido apellidos nom nom_de_famille",
    "language": "language lang locale sprache idioma langue",
    "time_zone": "time_zone timezone zeitzone zona_horaria fuseau_horaire",
}
_FIELD_OF = {name: field for field, names in _FIELDS.items() for name in names.split()}

_SHOWN = 20
_JOINED = (*JOINED, "confirm_time")
"""Names of columns that say when somebody joined; if there are several, the first counts."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The index of each value in a row; -1: the file has no such column.

    ``left_at`` is the time of an unsubscribe, and ``leaving`` holds the rules that recognize one,
    each with its column. ``evidence`` says how and when somebody joined; ``joined`` is the one of
    these columns that holds the time. ``consent`` and ``opt_out`` are the columns that the operator
    named to decide who is added, by their names in the header; each ``opt_out`` has the reason to
    suppress for. ``unknown`` columns have no known meaning: while there are any, nothing is
    imported.

    ``keys`` are the names in the JSON of the column ``json``. Their values count as further columns
    to the right of the file's own, after a blank one.
    """

    format: Format
    width: int
    email: int
    first_name: int = -1
    last_name: int = -1
    language: int = -1
    time_zone: int = -1
    full_name: int = -1
    json: int = -1
    left_at: int = -1
    joined: int = -1
    leaving: tuple[tuple[UnsubscribedRule, int], ...] = ()
    evidence: tuple[tuple[str, int], ...] = ()
    attributes: tuple[tuple[str, int], ...] = ()
    consent: tuple[tuple[str, int], ...] = ()
    opt_out: tuple[tuple[str, int, SuppressionReason], ...] = ()
    unknown: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()

    def as_read(self, header: Sequence[str]) -> ColumnsRead:
        """How each column of this header was used."""
        cells = with_keys(header, self.keys)
        own = {name: getattr(self, name) for name in _FIELDS}
        deciding = (*self.consent, *((name, index) for name, index, _ in self.opt_out))
        taken = {*own.values(), self.full_name, self.json, self.left_at}
        taken |= {index for _, index in (*self.evidence, *self.attributes, *deciding)}
        taken |= {index for _, index in self.leaving}
        return ColumnsRead(
            fields={n: header[index].strip() if index >= 0 else "" for n, index in own.items()},
            attributes=tuple(name for name, _ in self.attributes),
            evidence=tuple(name for name, _ in self.evidence),
            consent=tuple(name for name, _ in self.consent),
            opt_out=tuple(name for name, _, _ in self.opt_out),
            ignored=tuple(
                cell.strip()
                for index, cell in enumerate(cells)
                if index not in taken and cell.strip()
            ),
        )


def with_keys(header: Sequence[str], keys: Sequence[str]) -> list[str]:
    """The header plus a column for each name in a JSON column, as `Columns` counts them."""
    return [*header, "", *(f"attributes.{key}" for key in keys)] if keys else list(header)


def count_known(header: Sequence[str]) -> int:
    """How many cells name a known field: the right delimiter has the most."""
    return sum(normalize(cell) in _FIELD_OF for cell in header)


def map_columns(
    header: Sequence[str],
    path: Path,
    line: int,
    named: str = "",
    *,
    uses: Sequence[str] = (),
    declared: Collection[str] = (),
    keys: Sequence[str] = (),
) -> Columns:
    """Read a header.

    Args:
        header: Its cells.
        path: The file, for errors.
        line: The line that the header is on.
        named: The name of the `Format` given by the operator; detected by default.
        uses: The column uses given by the operator, ``NAME=USE`` each (`ColumnUse`).
        declared: The names of merge fields: columns with these names become attributes.
        keys: The names in the file's JSON column, if it has one.

    Raises:
        InputError: No column contains email addresses, two columns mean the same, or the header is
            not that of the named format.
        UsageError: Some of ``uses`` are invalid; or the file may list people who unsubscribed, and
            ``named`` does not say.
    """
    head = _Header(with_keys(header, keys), len(header), keys)
    _require_addresses(head, path, line)
    form = _format(head.names, path, line, named)
    said, problems = read_uses(uses, head.cells)
    problems += _conflicts(form, head, said)
    places, doubles = _places(head, said)
    if problems:
        # All that is left to say at once, so that nobody learns of one column after the other.
        unknown = _columns(form, head, {"email": -1, **places}, said, declared).unknown
        names = [name for i in unknown if (name := head.cells[i].strip())]
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        more = [f"these columns are unknown, too, and need a --column: {shown}"] if names else []
        told = ["these --column options cannot be used:", *problems, *doubles, *more]
        raise UsageError("\n  ".join(told))
    if doubles:
        fix = "rename or delete one of each, or ignore one: --column '#NUMBER=ignore'"
        raise InputError("; ".join(doubles), file=path, line=line, fix=fix)
    return _columns(form, head, places, said, declared)


def json_column(
    header: Sequence[str], path: Path, line: int, named: str = "", *, uses: Sequence[str] = ()
) -> int:
    """The index of the JSON column whose names count as columns; -1: none, or it is ignored.

    Arguments and errors are those of `map_columns`, which takes the names.
    """
    head = _Header(header, len(header), ())
    _require_addresses(head, path, line)
    form = _format(head.names, path, line, named)
    index = head.names.index(form.json) if form.json and form.json in head.names else -1
    said, _ = read_uses(uses, head.cells)
    return -1 if said.get(index) is ColumnUse.IGNORE else index


def _require_addresses(head: _Header, path: Path, line: int) -> None:
    if "email" not in head.names:
        found = ", ".join(cell.strip() for cell in head.cells)
        raise InputError(
            f"no column contains email addresses; the columns are: {found}"[:500],
            file=path,
            line=line,
            fix="name the columns in the first line: email,first_name,last_name",
        )


class _Header:
    """The cells of a header, with their canonical names.

    ``width`` is the number of columns in the file itself; ``stored`` has the name of each as an
    attribute.
    """

    def __init__(self, cells: Sequence[str], width: int, keys: Sequence[str]) -> None:
        self.cells = cells
        self.width = width
        self.keys = tuple(keys)
        self.stored = [normalize(cell) for cell in (*cells[: width + 1], *keys)]
        self.names = [_FIELD_OF.get(name, name) for name in map(normalize, cells)]
        self.skipped = {width} if keys else set()
        if self.names[:2] == ["line", "reason"]:  # a corrected rejects file
            self.names[:2] = ["", ""]
            self.skipped |= {0, 1}


def _format(names: Sequence[str], path: Path, line: int, named: str) -> Format:
    present = {name for name in names if name}
    for form in FORMATS:
        if not form.fits(present) or named not in {"", form.name}:
            continue
        if form.doubtful and not named:
            raise UsageError(
                f"{path.name} may be {form.title}, which must not be mailed, or {form.doubtful}",
                fix=f"say which: --format {form.name}, or --format {PLAIN.name} for subscribers; "
                "leave the file out if it is neither",
            )
        return form
    title = next(form.title for form in FORMATS if form.name == named)
    raise InputError(f"the columns are not those of {title}", file=path, line=line)


def _conflicts(form: Format, head: _Header, said: Mapping[int, ColumnUse]) -> list[str]:
    """The uses that are impossible for their columns."""
    problems = []
    deciding = {form.left_at, *(rule.column for rule in form.leaving)} - {""}
    stored = Counter(head.stored[i] for i, use in said.items() if use is ColumnUse.ATTRIBUTE)
    addresses = {index for index, name in enumerate(head.names) if name == "email"}
    for index, use in said.items():
        name, text = head.names[index], f"{head.cells[index].strip()!r} cannot be {use}"
        if index in addresses and addresses <= said.keys():
            problems.append(f"{text}: it contains the addresses")
        elif form.everyone and use is not ColumnUse.IGNORE:
            problems.append(f"{text}: everyone in {form.title} is suppressed")
        elif name in deciding:
            problems.append(f"{text}: in {form.title} it says who unsubscribed")
        elif name and name == form.json and use is not ColumnUse.IGNORE:
            problems.append(f"{text}: each name inside it is a column; write '{name}.NAME={use}'")
        elif use is ColumnUse.ATTRIBUTE and not head.stored[index]:
            problems.append(f"{text}: it has no name to store it under; add one to the header")
        elif use is ColumnUse.ATTRIBUTE and stored[head.stored[index]] > 1:
            problems.append(f"{text}: another column would be stored as {head.stored[index]}, too")
    return problems


def _places(head: _Header, said: Mapping[int, ColumnUse]) -> tuple[dict[str, int], list[str]]:
    """The index of each column without a given use, and a problem for each duplicate."""
    places: dict[str, int] = {}
    doubles = []
    for index, name in enumerate(head.names):
        if not name or index in said:
            continue
        if name in places:
            pair = (f"{head.cells[i]!r} (#{i + 1})" for i in (places[name], index))
            doubles.append(f"two columns mean the same: {' and '.join(pair)}")
        places.setdefault(name, index)
    return places, doubles


def _columns(
    form: Format,
    head: _Header,
    places: Mapping[str, int],
    said: Mapping[int, ColumnUse],
    declared: Collection[str],
) -> Columns:
    def pick(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
        return tuple((name, places[name]) for name in names if name in places)

    if form.everyone:
        left_at = places.get(form.left_at, -1)
        return Columns(form, head.width, places["email"], left_at=left_at)
    own = {name: places[name] for name in _FIELDS if name in places}
    # Mailchimp's two times tell of a double opt-in only together.
    evidence = form.evidence if form is not PLAIN or set(form.evidence) <= set(places) else ()
    told = evidence if form is not PLAIN else (*JOINED, *evidence)
    joined = next((name for name in _JOINED if name in told and name in places), "")
    evidence = tuple(dict.fromkeys((*evidence, joined)))
    leaving = [(rule, places[rule.column]) for rule in form.leaving if rule.column in places]
    fixed = {*own, *evidence, form.full_name, form.json, form.left_at}
    known = {index for _, index in (*pick(fixed), *leaving)} | head.skipped
    wanted = {normalize(name): name for name in declared}
    attributes = {
        wanted.get(name, name): index
        for index, name in enumerate(head.stored)
        if said.get(index) is ColumnUse.ATTRIBUTE
        or (name in wanted and index not in said and index not in known)
    }
    known |= {*said, *attributes.values(), *(index for _, index in pick(form.dropped))}
    names = column_names(head.cells)
    return Columns(
        form,
        head.width,
        **own,
        full_name=places.get(form.full_name, -1),
        json=places.get(form.json, -1),
        left_at=places.get(form.left_at, -1),
        joined=places.get(joined, -1),
        leaving=tuple(leaving),
        evidence=pick(evidence),
        attributes=tuple(attributes.items()),
        consent=tuple((names[i], i) for i, use in said.items() if use is ColumnUse.CONSENT),
        opt_out=tuple(
            (
                names[i],
                i,
                SuppressionReason.BOUNCED
                if is_about_bounces(head.cells[i])
                else SuppressionReason.UNSUBSCRIBED,
            )
            for i, use in said.items()
            if use is ColumnUse.OPT_OUT
        ),
        unknown=tuple(index for index in range(len(head.cells)) if index not in known),
        keys=head.keys,
    )
