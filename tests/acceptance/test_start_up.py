"""The command line starts light, and explains itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from newsletter.cli import cli
from tests.acceptance.conftest import ROOT, Project

HEAVY = ("sqlalchemy", "alembic", "premailer", "pydantic", "starlette", "sendgrid", "rich.console")


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['send.py', '--help']\n"
        "from newsletter.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_has_help_with_an_example(name: str) -> None:
    command = cli.commands[name]
    assert command.help
    children = getattr(command, "commands", {})
    for leaf in [*children.values()] or [command]:
        assert leaf.help, leaf.name
        assert leaf.epilog or leaf.name in {"lists"}, f"{name} {leaf.name} shows no example"


def test_commands_are_listed_in_the_order_of_the_work(project: Project) -> None:
    said = project.run("--help")
    assert said.index("  new ") < said.index("  check ") < said.index("  send ")
