"""What commands print: results on standard output, words for people on standard error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


def say(text: str = "", end: str = "\n") -> None:
    """Print a line for people on standard error: standard output is for results only."""
    click.echo(text + end, nl=False, err=True)


def print_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 row", "3,000 people".

    Args:
        one: The singular noun; may be followed by further words.
        many: The plural; ``one`` and an s by default.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def relative(path: Path) -> Path:
    """A path as a person in this folder would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
