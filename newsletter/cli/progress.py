"""Progress bars: on a terminal only, on standard error, and gone when done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class _Advance(Protocol):
    def __call__(self, done: int, of: int | None = None) -> None:
        """Show how much is done, of how much if that is news."""


@contextmanager
def import_bar(path: Path) -> Iterator[Callable[[int], None] | None]:
    """A bar over the rows of a file; its length is unknown until the end."""
    with _bar(f"Reading {path.name}", None) as advance:
        yield advance


@contextmanager
def rows_bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar over the rows of a database, whose number comes with each step."""
    with _bar(title, None) as advance:
        yield advance


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[_Advance | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)

        def advance(done: int, of: int | None = None) -> None:
            progress.update(task, completed=done, total=of)

        yield advance
