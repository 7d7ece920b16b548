"""Reads the settings, and refuses wrong ones with an error that names the place and the fix."""

from __future__ import annotations

import os
import re
import tomllib
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
        InputError: The file is missing, is not TOML, contains a secret, or a setting is wrong.
        UsageError: An environment variable has the prefix of a setting but is not one.
    """
    text, data = _read(config)
    # pydantic-settings ignores unknown variables: a misspelled one would silently change nothing.
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and not is_variable(name):
            meant = similar_variable(name)
            raise UsageError(
                f"{name} is set in the environment, but there is no such setting",
                fix=f"did you mean {meant}?" if meant else "unset it; docs/operating.md lists them",
            )
    if "root" in data:
        raise unknown(("root",), text, config)
    try:
        return Settings(**data, root=config.resolve().parent)
    except ValidationError as error:
        names = [name.upper() for name in os.environ]
        raise explain(error, text, config, names) from None
    except SettingsError as error:
        # Its text names the field. The cause, left out, would show the value: maybe a secret.
        field = re.search(r'field "(\w+)"', str(error))
        raise InputError(
            f"{variable([field[1]]) if field else error} in the environment cannot be read",
            fix="write lists and tables as JSON there",
        ) from None


def _read(config: Path) -> tuple[str, dict[str, Any]]:
    """Read a file without secrets: its text and its content."""
    try:
        text = config.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except FileNotFoundError:
        raise InputError(
            "no such settings file", file=config, fix="run in the project folder or use --config"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"not valid TOML: {error}", file=config) from None
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        raise InputError(
            f"not valid TOML: {what}", file=config, line=int(line[1]) if line else None
        ) from None
    for table, value in data.items():
        # Two levels are enough: no secret is nested deeper.
        inner = [(table, name) for name in value] if isinstance(value, dict) else []
        for path in [(table,), *inner]:
            name = ".".join(path).lower()
            if name in SECRETS:
                # A file gets copied, committed and backed up: the secret in it is one no more.
                raise InputError(
                    f"{name} is a secret, and the settings file must not contain secrets",
                    file=config,
                    line=line_of(path, text),
                    fix=f"remove it, replace it with a new one, and set "
                    f"{variable(name.split('.'))} in the environment instead",
                )
    return text, data
