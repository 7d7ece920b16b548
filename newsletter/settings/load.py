"""Reads the settings, and refuses what is wrong in words that name the place and the next step."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from newsletter.errors import InputError, UsageError
from newsletter.settings.errors import explain, line_of, unknown
from newsletter.settings.model import Settings
from newsletter.settings.names import PREFIX, SECRETS, is_variable, similar_variable, variable


def load_settings(config: Path = Path("newsletter.toml")) -> Settings:
    """Read the settings.

    Args:
        config: The publication's TOML file; its folder becomes `Settings.root`.

    Raises:
        InputError: The file is missing, is no TOML, holds a secret, or a setting is wrong.
        UsageError: A variable in the environment looks like a setting and is none.
    """
    text = _read(config)
    data = _parse(text, config)
    _refuse_secrets(data, text, config)
    _refuse_unknown_variables(os.environ)
    if "root" in data:
        raise unknown(("root",), text, config)
    try:
        return Settings(**data, root=config.resolve().parent)
    except ValidationError as error:
        names = [name.upper() for name in os.environ]
        raise explain(error, text, config, names) from None
    except SettingsError as error:
        raise _no_json(error) from None


def _read(config: Path) -> str:
    try:
        return config.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            "no such settings file", file=config, fix="run in the project folder or use --config"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"not valid TOML: {error}", file=config) from None


def _parse(text: str, config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        raise InputError(
            f"not valid TOML: {what}", file=config, line=int(line[1]) if line else None
        ) from None


def _refuse_secrets(data: Mapping[str, Any], text: str, config: Path) -> None:
    for path in _paths(data):
        name = ".".join(path).lower()
        if name in SECRETS:
            raise InputError(
                f"{name} is a secret, and secrets do not stand in the settings file",
                file=config,
                line=line_of(path, text),
                fix=f"take it out, change it, and set {variable(name.split('.'))} in the "
                "environment instead",
            )


def _paths(data: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The settings of a file down to the second level: no secret lies deeper."""
    for name, value in data.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, inner) for inner in value)


def _refuse_unknown_variables(names: Iterable[str]) -> None:
    """A misspelled variable would change nothing, and nobody would notice."""
    for name in sorted(names):
        if name.upper().startswith(PREFIX) and not is_variable(name):
            meant = similar_variable(name)
            raise UsageError(
                f"{name} is set in the environment, and there is no such setting",
                fix=f"did you mean {meant}?" if meant else "unset it; docs/operating.md lists them",
            )


def _no_json(error: SettingsError) -> InputError:
    # It names the setting and never its value, which may be a secret.
    field = re.search(r'field "(\w+)"', str(error))
    name = variable([field[1]]) if field else str(error)
    return InputError(
        f"{name} in the environment cannot be read",
        fix="lists and tables are written as JSON there",
    )
