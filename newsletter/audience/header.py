"""Which column of a CSV file is what: by the header's normalised names, in any order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from newsletter.errors import InputError

_FIELDS = {
    "email": "email email_address e_mail e_mail_address mail mail_address",
    "first_name": "first_name firstname fname given_name",
    "last_name": "last_name lastname lname surname family_name",
    "language": "language lang locale",
    "time_zone": "time_zone timezone",
}
_FIELD_OF = {name: field for field, names in _FIELDS.items() for name in names.split()}

# Mailchimp's three exports. Places, IP addresses and notes about people are not taken over.
_MAILCHIMP_MARKS = {"leid", "euid"}
_MAILCHIMP_DROPPED = {
    "member_rating",
    "optin_ip",
    "confirm_ip",
    "latitude",
    "longitude",
    "gmtoff",
    "dstoff",
    "cc",
    "region",
    "last_changed",
    "leid",
    "euid",
    "notes",
    "unsub_campaign_title",
    "unsub_campaign_id",
    "unsub_reason",
    "unsub_reason_other",
    "clean_campaign_title",
    "clean_campaign_id",
}
_MAILCHIMP_EVIDENCE = ("optin_time", "confirm_time")

_STATUS = {"status", "state", "email_status", "subscription_status", "suppressed"}


class FileKind(StrEnum):
    """What the people of a file are."""

    SUBSCRIBERS = "subscribers"
    UNSUBSCRIBED = "unsubscribed"
    CLEANED = "cleaned"


_LEFT_AT = {"unsub_time": FileKind.UNSUBSCRIBED, "clean_time": FileKind.CLEANED}


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each value stands in a row; -1: nowhere.

    ``left_at`` is when somebody left (Mailchimp's unsubscribed and cleaned files), ``status`` are
    columns that may say that somebody left, ``evidence`` says when somebody joined.
    """

    kind: FileKind
    width: int
    email: int
    first_name: int = -1
    last_name: int = -1
    language: int = -1
    time_zone: int = -1
    left_at: int = -1
    status: tuple[tuple[str, int], ...] = ()
    evidence: tuple[tuple[str, int], ...] = ()
    attributes: tuple[tuple[str, int], ...] = ()


def normalise(name: str) -> str:
    """A header cell as the name of a column: ``First Name`` is ``first_name``."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[^\w]+", "_", plain).strip("_")


def count_known(header: Sequence[str]) -> int:
    """How many cells name one of our columns: tells a header's delimiter."""
    return sum(normalise(cell) in _FIELD_OF for cell in header)


def map_columns(header: Sequence[str], path: Path, line: int) -> Columns:
    """Read a header.

    Raises:
        InputError: No column holds e-mail addresses, or two columns are the same.
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
    if places.keys() >= _MAILCHIMP_MARKS:
        return _mailchimp(places, len(names))
    return _columns(FileKind.SUBSCRIBERS, places, len(names))


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


def _mailchimp(places: dict[str, int], width: int) -> Columns:
    kept = {name: i for name, i in places.items() if name not in _MAILCHIMP_DROPPED}
    for name, kind in _LEFT_AT.items():
        if name in kept:
            return Columns(kind, width, kept["email"], left_at=kept[name])
    return _columns(FileKind.SUBSCRIBERS, kept, width)


def _columns(kind: FileKind, places: dict[str, int], width: int) -> Columns:
    def pick(names: Sequence[str]) -> tuple[tuple[str, int], ...]:
        return tuple((name, places[name]) for name in names if name in places)

    own = {name: places[name] for name in _FIELDS if name in places}
    evidence = _MAILCHIMP_EVIDENCE if places.keys() >= set(_MAILCHIMP_EVIDENCE) else ()
    rest = [name for name in places if name not in own and name not in evidence]
    return Columns(
        kind,
        width,
        **own,
        status=pick(sorted(_STATUS)),
        evidence=pick(evidence),
        attributes=pick(rest),
    )
