"""Names of settings, in the file and in the environment, and suggestions for misspelled ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Annotated, TypeGuard, get_args, get_origin

from pydantic import BaseModel, SecretStr

from newsletter.settings.model import Settings

PREFIX = "NEWSLETTER_"
_USER = "NEWSLETTER_USER"
"""Not a setting: who runs the command, for the record (see `newsletter.cli.context.whoami`)."""
_NOT_TO_SET = "root"
"""A field of the model that follows from where the file is."""
_ALIASES = {"sendgrid_api_key": "SENDGRID_API_KEY"}

SettingPath = Sequence[str | int]
"""Where a setting is: names of tables, positions in lists, and its own name."""


def variable(path: SettingPath) -> str:
    """Return the environment's name of a setting: ``NEWSLETTER_SMTP__HOST``."""
    name = ".".join(map(str, path)).lower()
    return _ALIASES.get(name) or PREFIX + name.replace(".", "__").upper()


def is_variable(name: str) -> bool:
    """Whether the program reads this variable, which starts with the prefix."""
    path = name.upper().removeprefix(PREFIX).lower().split("__")
    if path[0] in {_NOT_TO_SET, *_ALIASES}:
        return False
    return name.upper() == _USER or _kind(path) is not None


def similar_variable(name: str) -> str:
    """Return the variable that was probably meant, or an empty string."""
    wanted = name.upper().removeprefix(PREFIX)
    # Everything else has the prefix, so it is easily added to this one, too.
    if wanted in _ALIASES.values():
        return wanted
    # Compared without the prefix, which would make any two names look alike.
    known = {variable(path).removeprefix(PREFIX): variable(path) for path in _settings(Settings)}
    return known.get(_nearest(wanted, list(known)), "")


def similar_setting(path: SettingPath) -> str:
    """Return the setting that was probably meant: a similar name in its table, or this name in
    another table (several are joined with "or"). Returns an empty string if nothing is similar.
    """
    *table, name = path
    kind = _kind(table)
    if _is_table(kind):
        found = _nearest(str(name).lower(), [n for n in kind.model_fields if n != _NOT_TO_SET])
        if found:
            return ".".join(map(str, [*table, found]))
    known = [".".join(path) for path in _settings(Settings)]
    # A secret is never suggested: the file must not contain one.
    elsewhere = [full for full in known if full not in SECRETS and full.split(".")[-1] == name]
    return " or ".join(elsewhere)


def _is_table(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _nearest(name: str, known: Sequence[str]) -> str:
    # Stricter than difflib's 0.6: a wrong suggestion takes longer to see through than none.
    return next(iter(get_close_matches(name, known, 1, 0.75)), "")


def _settings(table: type[BaseModel], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in table.model_fields.items():
        if _is_table(field.annotation):
            yield from _settings(field.annotation, (*before, name))
        elif name != _NOT_TO_SET:
            yield (*before, name)


def _kind(path: SettingPath) -> object:
    """The type of a setting; None if there is no such setting."""
    kind: object = Settings
    for part in path:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        if _is_table(kind):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif get_origin(kind) is tuple and isinstance(part, int):
            kind = get_args(kind)[0]
        else:
            return None
    return kind


# From their types, so that a new secret cannot be left out.
SECRETS = frozenset(
    ".".join(path)
    for path in _settings(Settings)
    if _kind(path) in (SecretStr, tuple[SecretStr, ...])
)
"""Settings that may come from the environment only."""
