"""What a command works with: settings, database and keys, opened when first needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from newsletter.campaign.desk import Desk
    from newsletter.settings import Settings


TYPED = "python send.py"
"""What one types before the command's own words."""


class CommandLine:
    """The options that stand before the command."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The publication's settings, read once; the log goes where they say from then on."""
        if self._settings is None:
            from newsletter.cli.logs import configure
            from newsletter.settings import load_settings

            self._settings = load_settings(self.config)
            configure(self._settings)
        return self._settings

    @property
    def command(self) -> str:
        """What was typed without its arguments, like ``db restore``."""
        context = click.get_current_context()
        return context.command_path.removeprefix(context.find_root().command_path).strip()

    @contextmanager
    def desk(self, *, by: str = "", live: bool = False) -> Iterator[Desk]:
        """The open database and the keys; closed at the end.

        Args:
            by: Who is working; empty asks the system.
            live: Whether made-up keys are refused.
        """
        from newsletter.audience import load_keys
        from newsletter.campaign.desk import Desk
        from newsletter.store import open_store

        make_private(self.settings.var)
        keys = load_keys(self.settings, live=live)
        with private_files():
            store = open_store(self.settings, self.command)
        try:
            yield Desk(self.settings, store, keys, by or whoami())
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


pass_line = click.make_pass_decorator(CommandLine)


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
issue_argument = click.argument("issue", type=click.Path(path_type=Path))


def say(text: str = "", end: str = "\n") -> None:
    """One line for a person: on standard error, so that standard output stays for results."""
    click.echo(text + end, nl=False, err=True)


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
