"""Which column of a CSV file is what: by the header's normalised names, in any order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.audience.importing.csv_formats import FORMATS, PLAIN, Format, UnsubscribedRule
from newsletter.audience.model import ColumnsRead
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

_JOINED = (
    *("joined", "joined_at", "joined_on", "date_joined"),
    *("subscribed_at", "subscribe_date", "signup_date", "sign_up_date", "signed_up_at"),
    *("created_at", "created_on", "created", "confirm_time"),
)
"""What a column is called that says when somebody joined; of several the first counts."""
REASONS = frozenset(
    (
        *("suppressed", "unsubscribed", "unsubscribed_at", "unsubscribe_date", "unsub_time"),
        *("opt_out", "opted_out", "opted_out_at", "opt_out_date", "opt_out_time"),
    )
)
"""Columns in which anything but a no means that somebody left."""
_STATUS = {"status", "state", "email_status", "subscription_status", *REASONS}


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each value stands in a row; -1: nowhere.

    ``left_at`` is when somebody left and ``leaving`` what says so, each with its column. ``status``
    are columns of an unknown service that may say it too. ``evidence`` says how and when somebody
    joined, and ``joined`` is the column of these that tells the time.
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
    status: tuple[tuple[str, int], ...] = ()
    evidence: tuple[tuple[str, int], ...] = ()
    attributes: tuple[tuple[str, int], ...] = ()

    def as_read(self, header: Sequence[str]) -> ColumnsRead:
        """What became of each column of this header."""
        own = {name: getattr(self, name) for name in _FIELDS}
        taken = {*own.values(), self.full_name, self.json, self.left_at}
        taken |= {index for _, index in (*self.evidence, *self.attributes)}
        taken |= {index for _, index in (*self.leaving, *self.status)}
        return ColumnsRead(
            {name: header[index].strip() if index >= 0 else "" for name, index in own.items()},
            tuple(name for name, _ in self.attributes),
            tuple(name for name, _ in self.evidence),
            tuple(
                cell.strip()
                for index, cell in enumerate(header)
                if index not in taken and cell.strip()
            ),
        )


def normalise(name: str) -> str:
    """A header cell as the name of a column: ``First Name`` is ``first_name``."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[^\w]+", "_", plain).strip("_")


def count_known(header: Sequence[str]) -> int:
    """How many cells name one of our columns: tells a header's delimiter."""
    return sum(normalise(cell) in _FIELD_OF for cell in header)


def map_columns(header: Sequence[str], path: Path, line: int, named: str = "") -> Columns:
    """Read a header.

    Args:
        named: The `Format` that a person says it is; found by default.

    Raises:
        InputError: No column holds e-mail addresses, two columns are the same, or it is not of
            the format that was named.
        UsageError: It may be a list of people who left, and nobody said whether it is.
    """
    names = [normalise(cell) for cell in header]
    if names[:2] == ["line", "reason"]:
        names[:2] = ["", ""]  # a rejects file, mended
    places = _places(names, header, path, line)
    if "email" not in places:
        raise InputError(
            f"no column holds e-mail addresses; found: {', '.join(c.strip() for c in header)}"[
                :500
            ],
            file=path,
            line=line,
            fix="name the columns in the first line: email,first_name,last_name",
        )
    return _columns(_format(places, path, line, named), places, len(names))


def _format(places: Mapping[str, int], path: Path, line: int, named: str) -> Format:
    for form in FORMATS:
        if not form.fits(places) or named not in {"", form.name}:
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


def _places(names: Sequence[str], header: Sequence[str], path: Path, line: int) -> dict[str, int]:
    places: dict[str, int] = {}
    for index, name in enumerate(names):
        field = _FIELD_OF.get(name, name)
        if field in places:
            raise InputError(
                f"two columns are the same: {header[places[field]]!r} and {header[index]!r}",
                file=path,
                line=line,
                fix="rename or delete one",
            )
        if field:
            places[field] = index
    return places


def _columns(form: Format, places: Mapping[str, int], width: int) -> Columns:
    def pick(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
        return tuple((name, places[name]) for name in names if name in places)

    if form.everyone:
        return Columns(form, width, places["email"], left_at=places.get(form.left_at, -1))
    own = {name: places[name] for name in _FIELDS if name in places}
    # Mailchimp's two times tell of a double opt-in only together.
    evidence = form.evidence if form is not PLAIN or set(form.evidence) <= set(places) else ()
    told = evidence if form is not PLAIN else (*_JOINED[:-1], *evidence)
    joined = next((name for name in _JOINED if name in told and name in places), "")
    evidence = tuple(dict.fromkeys((*evidence, joined)))
    apart = {*own, *evidence, *form.dropped, form.full_name, form.json}
    return Columns(
        form,
        width,
        **own,
        full_name=places.get(form.full_name, -1),
        json=places.get(form.json, -1),
        left_at=places.get(form.left_at, -1),
        joined=places.get(joined, -1),
        leaving=tuple(
            (rule, places[rule.column]) for rule in form.leaving if rule.column in places
        ),
        status=() if form.leaving else pick(sorted(_STATUS)),
        evidence=pick(evidence),
        attributes=pick(name for name in places if name not in apart),
    )
