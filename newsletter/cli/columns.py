"""--column NAME=USE: what the columns of a file hold, and the command to run if it is unknown."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from newsletter.cli.context import TYPED
from newsletter.cli.output import print_json


def column_option(command: Any) -> Any:
    """``--column NAME=USE``, any number of times."""
    return click.option(
        "--column",
        "uses",
        multiple=True,
        metavar="NAME=USE",
        help="Use a column as consent, opt-out, ignore or attribute; see docs/moving.md",
    )(command)


@contextmanager
def explain_unmapped_columns(*, as_json: bool) -> Iterator[None]:
    """Show the whole command that continues when an import stops at unknown columns.

    Args:
        as_json: Whether to print the columns as JSON, too.
    """
    from newsletter.audience.importing.unmapped import UnmappedColumnsError

    try:
        yield
    except UnmappedColumnsError as error:
        # The command as it was typed, with the missing options before any "--": what follows
        # that is never read as an option.
        typed = sys.argv[1:]
        end = typed.index("--") if "--" in typed else len(typed)
        parts = (TYPED, shlex.join(typed[:end]), error.command, shlex.join(typed[end:]))
        error.command = " ".join(part for part in parts if part)
        if as_json:
            print_json(error.as_json())
        raise
