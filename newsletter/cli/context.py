"""What a command works with: settings, database and keys, opened when first needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import say

if TYPE_CHECKING:
    from newsletter.campaign.context import AppContext
    from newsletter.settings.model import Settings


TYPED = "./send.py"
"""How the program is called in every command that it prints."""


class CliContext:
    """The options before the command, and what commands open with them."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The publication's settings, read once; reading them also configures the log."""
        if self._settings is None:
            from newsletter.cli.logs import configure
            from newsletter.settings.load import load_settings

            # Imported here, like everything heavy, so that --help is fast.
            self._settings = load_settings(self.config)
            configure(self._settings)
            for note in self._settings.notes:
                say(f"note: {note}")
        return self._settings

    @property
    def command(self) -> str:
        """What was typed without its arguments, like ``db restore``."""
        context = click.get_current_context()
        return context.command_path.removeprefix(context.find_root().command_path).strip()

    @contextmanager
    def app(self, *, by: str = "", live: bool = False) -> Iterator[AppContext]:
        """Open the database and load the keys; both are closed at the end.

        Args:
            by: Who runs the command; empty asks the system.
            live: Whether keys that were generated for trying things out are refused.
        """
        from newsletter.audience.keys import load_keys
        from newsletter.campaign.context import AppContext
        from newsletter.database.open import open_store

        # Database, keys and journals hold addresses: nobody else on this machine may read them.
        make_private(self.settings.var)
        keys = load_keys(self.settings, live=live)
        with private_files():
            store = open_store(self.settings, self.command)
        try:
            yield AppContext(self.settings, store, keys, by or whoami())
        finally:
            store.close()


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can read: it holds personal data."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def private_files() -> Iterator[None]:
    """Have files that are created meanwhile readable by their owner only."""
    import os

    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


pass_context = click.make_pass_decorator(CliContext)


def whoami() -> str:
    """The name to record when ``--by`` gives none."""
    import getpass
    import os

    try:
        return os.environ.get("NEWSLETTER_USER") or getpass.getuser()
    except KeyError:  # a container's user may have no name
        return f"user {os.getuid()}"


def by_option(command: Any) -> Any:
    """``--by NAME``: who does it, for the record."""
    return click.option("--by", default="", help="Record who does this. [your login name]")(command)


def json_option(command: Any) -> Any:
    """``--json``: one JSON object on standard output, for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


NUMBER = click.IntRange(1, 2**31 - 1)
"""Numbers that fit an integer column of both databases."""
campaign_argument = click.argument("campaign", type=NUMBER)


class IssuePath(click.Path):
    """An issue's file, or the name of one in ``issues/``: ``low-back-pain``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Give the path as typed, unless the file exists in ``issues/`` only."""
        typed = Path(str(super().convert(value, param, ctx)))
        cli = ctx.find_object(CliContext) if ctx else None
        if cli is None or typed.exists() or typed.parent != Path():
            return typed
        named = cli.config.parent / "issues" / f"{typed.name.removesuffix('.md')}.md"
        return named if named.exists() else typed


issue_argument = click.argument("issue", type=IssuePath())
optional_issue_argument = click.argument("issue", type=IssuePath(), required=False)
