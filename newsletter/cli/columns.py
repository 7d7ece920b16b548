"""--column NAME=USE: what the columns of a file are; and the command to type if that is unknown."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from newsletter.cli.context import TYPED, print_json


def column_option(command: Any) -> Any:
    """``--column NAME=USE``, any number of times."""
    return click.option(
        "--column",
        "uses",
        multiple=True,
        metavar="NAME=USE",
        help="What a column of the file is: consent, opt-out, ignore or attribute; docs/moving.md",
    )(command)


@contextmanager
def answering(*, as_json: bool) -> Iterator[None]:
    """Have an import that asks about columns show the whole command that answers it.

    Args:
        as_json: Whether to print the question as JSON, too.
    """
    from newsletter.audience.importing.unmapped import UnmappedColumnsError

    try:
        yield
    except UnmappedColumnsError as error:
        error.command = _typed_with(error.command)
        if as_json:
            print_json(error.as_json())
        raise


def _typed_with(options: str) -> str:
    """The command that runs now, as one types it, with further options."""
    typed = sys.argv[1:]
    end = typed.index("--") if "--" in typed else len(typed)
    return " ".join(
        part for part in (TYPED, shlex.join(typed[:end]), options, shlex.join(typed[end:])) if part
    )
