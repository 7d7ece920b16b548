"""The command line. Each command is in the module of its noun; heavy imports stay inside them.

Exit codes: 0 fine, 1 refused or problems found, 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from newsletter import __version__
from newsletter.cli.bounces import bounces
from newsletter.cli.campaigns import cancel, pause, resume, retry, status, uncertain
from newsletter.cli.context import TYPED, CliContext
from newsletter.cli.database import db
from newsletter.cli.demo import demo
from newsletter.cli.doctor import doctor
from newsletter.cli.issue import approve, check, new, render
from newsletter.cli.reports import report
from newsletter.cli.send import send, test
from newsletter.cli.server import preview, serve
from newsletter.cli.subscribers import subscribers
from newsletter.cli.worker import worker
from newsletter.errors import NewsletterError

_ONE_EXAMPLE = re.compile(r"^Example: (.*)", re.DOTALL)

EPILOG = """
\b
Typical workflow:
  ./send.py new spring-news
  ./send.py check issues/spring-news.md
  ./send.py preview issues/spring-news.md
  ./send.py send issues/spring-news.md --list readers            (a dry run)
  ./send.py approve issues/spring-news.md --list readers
  ./send.py send issues/spring-news.md --list readers --live
"""


class InOrder(click.Group):
    """Lists commands in the order they are used, not alphabetically."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which they were added."""
        return list(self.commands)


def as_typed(command: click.Command) -> click.Command:
    """Print the examples of a command and its subcommands so that they can be pasted and run."""
    command.epilog = _ONE_EXAMPLE.sub("\b\nExample:\n  \\1", command.epilog or "") or None
    for inner in getattr(command, "commands", {}).values():
        as_typed(inner)
    return command


@click.group(cls=InOrder, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="newsletter")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default="newsletter.toml",
    show_default=True,
    help="Read the settings from this file; its folder is the project.",
)
@click.pass_context
def cli(context: click.Context, config: Path) -> None:
    """Check, preview, approve and send a newsletter.

    Nothing is sent to a list without --live and an approval.
    """
    context.obj = CliContext(config)


for command in (
    new,
    check,
    render,
    preview,
    approve,
    test,
    send,
    status,
    pause,
    resume,
    cancel,
    retry,
    uncertain,
    report,
    subscribers,
    bounces,
    serve,
    worker,
    doctor,
    db,
    demo,
):
    cli.add_command(command)
as_typed(cli)


def main() -> None:
    """Run a command; print every error a person can act on as one line and an exit code."""
    try:
        sys.exit(cli.main(prog_name=TYPED, standalone_mode=False) or 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except NewsletterError as error:
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nstopped; nothing is lost: run the same command again to continue", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # `… | head` closed the pipe; closing stderr keeps Python from complaining at exit.
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        click.echo(
            f"error: {error.strerror or error}: {error.filename or ''}".rstrip(": "), err=True
        )
        sys.exit(1)
