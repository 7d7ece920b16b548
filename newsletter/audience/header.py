"""Which column of a CSV file is what: by the header's normalised names, in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.audience.formats import FORMATS, JOINED, PLAIN, Format, Leaving
from newsletter.audience.model import ColumnsRead, ColumnUse, SuppressionReason
from newsletter.audience.senses import is_about_bounces
from newsletter.audience.uses import column_names, normalise, read_uses
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
"""What a column is called that says when somebody joined; of several the first counts."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each value stands in a row; -1: nowhere.

    ``left_at`` is when somebody left and ``leaving`` what says so, each with its column.
    ``evidence`` says how and when somebody joined, and ``joined`` is the column of these that tells
    the time. ``consent`` and ``opt_out`` are columns that a person said decide who is added, by
    their names in the header; of an ``opt_out`` with the reason to suppress for. ``unknown`` are
    columns that nobody said anything about: as long as there are any, nobody may be imported.

    ``keys`` are the names in the JSON of the column ``json``: their values count as further columns
    to the right of the file's, behind a blank one.
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
    leaving: tuple[tuple[Leaving, int], ...] = ()
    evidence: tuple[tuple[str, int], ...] = ()
    attributes: tuple[tuple[str, int], ...] = ()
    consent: tuple[tuple[str, int], ...] = ()
    opt_out: tuple[tuple[str, int, SuppressionReason], ...] = ()
    unknown: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()

    def as_read(self, header: Sequence[str]) -> ColumnsRead:
        """What became of each column of this header."""
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
    """A header with columns for the names in a JSON column, as `Columns` counts them."""
    return [*header, "", *(f"attributes.{key}" for key in keys)] if keys else list(header)


def count_known(header: Sequence[str]) -> int:
    """How many cells name one of our columns: tells a header's delimiter."""
    return sum(normalise(cell) in _FIELD_OF for cell in header)


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
        named: The `newsletter.audience.formats.Format` that a person says it is; found by default.
        uses: What a person says that columns are, ``NAME=USE`` each (`ColumnUse`).
        declared: The names of merge fields: columns of these names become attributes.
        keys: The names in the file's JSON column, if it has one.

    Raises:
        InputError: No column holds e-mail addresses, columns are the same, or it is not of the
            format that was named.
        UsageError: Some of ``uses`` cannot be; or it may be a list of people who left, and nobody
            said whether it is.
    """
    head = _Header(with_keys(header, keys), len(header), keys)
    _require_addresses(head, path, line)
    form = _format(head.names, path, line, named)
    said, problems = read_uses(uses, head.cells)
    problems += _conflicts(form, head, said)
    places, doubles = _places(head, said)
    if problems:
        unknown = _columns(form, head, {"email": -1, **places}, said, declared).unknown
        told = [*problems, *doubles, *_still_unknown([head.cells[i].strip() for i in unknown])]
        raise UsageError("\n  ".join(["--column cannot be used like this:", *told]))
    if doubles:
        fix = "rename or delete one of each, or say what it is: --column '#NUMBER=ignore'"
        raise InputError("; ".join(doubles), file=path, line=line, fix=fix)
    return _columns(form, head, places, said, declared)


def json_column(
    header: Sequence[str], path: Path, line: int, named: str = "", *, uses: Sequence[str] = ()
) -> int:
    """Where the JSON is whose names count as columns; -1: nowhere, or a person says to ignore it.

    Args and errors are those of `map_columns`, which takes the names.
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
            f"no column holds e-mail addresses; found: {found}"[:500],
            file=path,
            line=line,
            fix="name the columns in the first line: email,first_name,last_name",
        )


class _Header:
    """Cells with their names.

    ``width`` is how many are the file's own, and ``stored`` what each is called as an attribute.
    """

    def __init__(self, cells: Sequence[str], width: int, keys: Sequence[str]) -> None:
        self.cells = cells
        self.width = width
        self.keys = tuple(keys)
        self.stored = [normalise(cell) for cell in (*cells[: width + 1], *keys)]
        self.names = [_FIELD_OF.get(name, name) for name in map(normalise, cells)]
        self.skipped = {width} if keys else set()
        if self.names[:2] == ["line", "reason"]:  # a rejects file, corrected
            self.names[:2] = ["", ""]
            self.skipped |= {0, 1}


def _format(names: Sequence[str], path: Path, line: int, named: str) -> Format:
    present = {name for name in names if name}
    for form in FORMATS:
        if not form.fits(present) or named not in {"", form.name}:
            continue
        if form.doubtful and not named:
            raise UsageError(
                f"{path.name} may be {form.title}, whom nobody may mail, or {form.doubtful}",
                fix=f"say which: --format {form.name}, or --format {PLAIN.name} for readers; leave "
                "out what is neither",
            )
        return form
    title = next(form.title for form in FORMATS if form.name == named)
    raise InputError(f"these are not the columns of {title}", file=path, line=line)


def _conflicts(form: Format, head: _Header, said: Mapping[int, ColumnUse]) -> list[str]:
    """Where a person says of a column what it cannot be."""
    problems = []
    deciding = {form.left_at, *(rule.column for rule in form.leaving)} - {""}
    stored = Counter(head.stored[i] for i, use in said.items() if use is ColumnUse.ATTRIBUTE)
    addresses = {index for index, name in enumerate(head.names) if name == "email"}
    for index, use in said.items():
        name, text = head.names[index], f"{head.cells[index].strip()!r} cannot be {use}"
        if index in addresses and addresses <= said.keys():
            problems.append(f"{text}: it holds the addresses")
        elif form.everyone and use is not ColumnUse.IGNORE:
            problems.append(f"{text}: everybody in {form.title} is suppressed")
        elif name in deciding:
            problems.append(f"{text}: in {form.title} it says who left")
        elif name and name == form.json and use is not ColumnUse.IGNORE:
            problems.append(f"{text}: what is in it counts as columns, like '{name}.NAME={use}'")
        elif use is ColumnUse.ATTRIBUTE and not head.stored[index]:
            problems.append(f"{text}: it has no name to be stored by; write one into the header")
        elif use is ColumnUse.ATTRIBUTE and stored[head.stored[index]] > 1:
            problems.append(f"{text}: another one would be stored as {head.stored[index]} too")
    return problems


def _still_unknown(columns: Sequence[str]) -> list[str]:
    names = [name for name in columns if name]
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return [f"these are not known either, and no --column names them: {shown}"] if names else []


def _places(head: _Header, said: Mapping[int, ColumnUse]) -> tuple[dict[str, int], list[str]]:
    """Where each column is of which a person says nothing, and which columns are the same."""
    places: dict[str, int] = {}
    doubles = []
    for index, name in enumerate(head.names):
        if not name or index in said:
            continue
        if name in places:
            pair = (f"{head.cells[i]!r} (#{i + 1})" for i in (places[name], index))
            doubles.append(f"two columns are the same: {' and '.join(pair)}")
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
    attributes = _attributes(head, said, declared, known)
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
            (names[i], i, _reason(head.cells[i]))
            for i, use in said.items()
            if use is ColumnUse.OPT_OUT
        ),
        unknown=tuple(index for index in range(len(head.cells)) if index not in known),
        keys=head.keys,
    )


def _attributes(
    head: _Header,
    said: Mapping[int, ColumnUse],
    declared: Collection[str],
    known: Collection[int],
) -> dict[str, int]:
    """What is stored as an attribute, by its name: what is declared, and what a person says."""
    wanted = {normalise(name): name for name in declared}
    return {
        wanted.get(name, name): index
        for index, name in enumerate(head.stored)
        if said.get(index) is ColumnUse.ATTRIBUTE
        or (name in wanted and index not in said and index not in known)
    }


def _reason(column: str) -> SuppressionReason:
    bounces = is_about_bounces(column)
    return SuppressionReason.BOUNCED if bounces else SuppressionReason.UNSUBSCRIBED
