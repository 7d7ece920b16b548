"""What settings are called: in the file, in the environment, and what a misspelled one meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from newsletter.settings.model import Settings

PREFIX = "NEWSLETTER_"
SECRETS = frozenset(
    {
        *("secret_key", "old_secret_keys", "suppression_key", "sendgrid_api_key"),
        *("smtp.password", "imap.password", "dkim.key"),
    }
)
"""Settings that may come from the environment only."""

_OF_PEOPLE = "NEWSLETTER_USER"
"""No setting: who works here, for the record (see `newsletter.cli.context.whoami`)."""
_NOT_TO_SET = "root"
_ALIASES = {"sendgrid_api_key": "SENDGRID_API_KEY"}

Path = Sequence[str | int]


def variable(path: Path) -> str:
    """The environment's name of a setting: ``NEWSLETTER_SMTP__HOST``."""
    name = ".".join(map(str, path)).lower()
    return _ALIASES.get(name) or PREFIX + name.replace(".", "__").upper()


def is_variable(name: str) -> bool:
    """Whether something reads this variable, which starts with the prefix."""
    path = name.upper().removeprefix(PREFIX).lower().split("__")
    if path[0] in {_NOT_TO_SET, *_ALIASES}:
        return False
    return name.upper() == _OF_PEOPLE or _kind(path) is not None


def similar_variable(name: str) -> str:
    """The variable that was meant, as far as one can tell; else empty."""
    wanted = name.upper().removeprefix(PREFIX)
    if wanted in _ALIASES.values():
        return wanted
    known = {variable(path).removeprefix(PREFIX): variable(path) for path in _settings(Settings)}
    return known.get(_nearest(wanted, list(known)), "")


def similar_setting(path: Path) -> str:
    """The setting of the file that was meant: near in its table, or of that name elsewhere."""
    *table, name = path
    kind = _kind(table)
    if is_table(kind):
        found = _nearest(str(name).lower(), [n for n in kind.model_fields if n != _NOT_TO_SET])
        if found:
            return ".".join(map(str, [*table, found]))
    known = [".".join(path) for path in _settings(Settings)]
    elsewhere = [full for full in known if full not in SECRETS and full.split(".")[-1] == name]
    return " or ".join(elsewhere)


def is_table(kind: Any) -> bool:
    """Whether a type is a table of settings."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _nearest(name: str, known: Sequence[str]) -> str:
    return next(iter(get_close_matches(name, known, 1, 0.75)), "")


def _settings(table: type[BaseModel], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in table.model_fields.items():
        if is_table(field.annotation):
            yield from _settings(field.annotation, (*before, name))  # type: ignore[arg-type]
        elif name != _NOT_TO_SET:
            yield (*before, name)


def _kind(path: Path) -> Any:
    """The type of a setting; None where there is none."""
    kind: Any = Settings
    for part in path:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        if is_table(kind):
            field = kind.model_fields.get(part)
            kind = field.annotation if field else None
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif get_origin(kind) is tuple and isinstance(part, int):
            kind = get_args(kind)[0]
        else:
            return None
    return kind
