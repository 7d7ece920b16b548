"""The command line starts light, and explains itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
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
        # A former name is hidden, and shows nothing.
        assert leaf.epilog or leaf.hidden or leaf.name == "lists", f"{name} {leaf.name}"


def leaves() -> Iterator[tuple[str, click.Command]]:
    for name, command in cli.commands.items():
        inner = getattr(command, "commands", {})
        yield from ((f"{name} {each}", inner[each]) for each in inner)
        if not inner:
            yield name, command


@pytest.mark.parametrize("group", ["", "subscribers", "bounces", "db"])
def test_no_sentence_of_a_list_of_commands_is_cut_off(project: Project, group: str) -> None:
    project.environment["COLUMNS"] = "80"
    said = project.run(*group.split(), "--help")
    assert "..." not in said.replace("[ARGS]...", "")


@pytest.mark.parametrize(("name", "command"), list(leaves()))
def test_examples_can_be_pasted(project: Project, name: str, command: click.Command) -> None:
    project.environment["COLUMNS"] = "80"
    said = project.run(*name.split(), "--help")
    examples = [line for line in said.splitlines() if "send.py" in line and "Usage" not in line]
    for example in examples:
        assert example.strip() in (command.epilog or ""), "wrapped: half of it would be pasted"
        assert f"./send.py {name}" in example or "`" in example


def test_commands_are_listed_in_the_order_of_the_work(project: Project) -> None:
    said = project.run("--help")
    assert said.index("  new ") < said.index("  check ") < said.index("  send ")
