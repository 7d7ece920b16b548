"""What a command works with: settings, database and keys, opened when first needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from newsletter.campaign.context import AppContext
    from newsletter.settings.model import Settings


TYPED = "./send.py"
"""What is typed before the command's own words."""


class CliContext:
    """The options that stand before the command."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The publication's settings, read once; the log goes where they say from then on."""
        if self._settings is None:
            from newsletter.cli.logs import configure
            from newsletter.settings.load import load_settings

            self._settings = load_settings(self.config)
            configure(self._settings)
            for note in self._settings.notes:
                say(f"note: {note}")
        return self._settings

    @contextmanager
    def app(self, *, by: str = "", live: bool = False) -> Iterator[AppContext]:
        """The open database and the keys; closed at the end.

        Args:
            by: Who is working; empty asks the system.
            live: Whether made-up keys are refused.
        """
        from newsletter.audience.keys import load_keys
        from newsletter.campaign.context import AppContext
        from newsletter.database.open import open_store

        make_private(self.settings.var)
        keys = load_keys(self.settings, live=live)
        with private_files():
            store = open_store(self.settings)
        try:
            yield AppContext(self.settings, store, keys, by or whoami())
        finally:
            store.close()


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can look into: who reads a newsletter is nobody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def private_files() -> Iterator[None]:
    """Files made meanwhile are for their owner alone."""
    import os

    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


pass_context = click.make_pass_decorator(CliContext)


def whoami() -> str:
    """The name to write down when ``--by`` gives none."""
    import getpass
    import os

    try:
        return os.environ.get("NEWSLETTER_USER") or getpass.getuser()
    except KeyError:  # a container's user may have no name
        return f"user {os.getuid()}"


def by_option(command: Any) -> Any:
    """``--by NAME``: who does it, for the record."""
    return click.option("--by", default="", help="Who does this, for the record. [you]")(command)


def json_option(command: Any) -> Any:
    """``--json``: one JSON object on standard output, for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def relative(path: Path) -> Path:
    """A path as a person in this folder would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


NUMBER = click.IntRange(1, 2**31 - 1)
"""What both databases can look up."""
campaign_argument = click.argument("campaign", type=NUMBER)


class IssuePath(click.Path):
    """An issue's file; the name of one in ``issues/`` is enough: ``low-back-pain``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The file that is meant: the path as typed, unless only ``issues/`` has it."""
        typed = Path(str(super().convert(value, param, ctx)))
        cli = ctx.find_object(CliContext) if ctx else None
        if cli is None or typed.exists() or typed.parent != Path():
            return typed
        named = cli.config.parent / "issues" / f"{typed.name.removesuffix('.md')}.md"
        return named if named.exists() else typed


issue_argument = click.argument("issue", type=IssuePath())
optional_issue_argument = click.argument("issue", type=IssuePath(), required=False)


def say(text: str = "", end: str = "\n") -> None:
    """One line for a person: on standard error, so that standard output stays for results."""
    click.echo(text + end, nl=False, err=True)


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
