"""An import that stops at a column prints the command that goes on, and that command works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import GIVE_UP_S, ROOT, Project, Relay

LINES = (
    "e-mail;Vorname;Newsletter OK?;blacklisted;it's;;city",
    "stays@mail.example;Anna;ja;0;x;;Wien",
    "left@mail.example;Ben;nein;0;;;Graz",
    "gone@mail.example;Eva;ja;2024-03-01;;;",
    "silent@mail.example;Kim;;0;;y;",
)


def unmapped(project: Project, name: str = "old readers.csv") -> Path:
    file = project.folder / name
    file.write_text("\n".join([*LINES, ""]), encoding="utf-8")
    return file


def printed_command(said: str) -> str:
    """The last line, as a person copies it."""
    command = said.strip().splitlines()[-1].strip()
    assert command.startswith("./send.py ")
    return command


def paste(project: Project, command: str, exit_code: int = 0) -> str:
    """Run a line in a shell, in a folder where its words are what they say."""
    shutil.copy(ROOT / "send.py", project.folder)
    python = project.folder / "bin" / "python3"
    if not python.exists():
        python.parent.mkdir()
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        python.chmod(0o755)
    environment = {**os.environ, **project.environment, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=project.folder,
        env=environment,
        input="",
        capture_output=True,
        text=True,
        timeout=GIVE_UP_S,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == exit_code, said
    return said


def test_the_printed_command_runs_as_it_is_and_adds_who_said_yes(project: Project) -> None:
    file = unmapped(project)
    said = project.run("subscribers", "import", file.name, "--list", "the readers", exit_code=1)
    assert "4 columns are unknown, so nothing was imported" in said
    assert "opt-out: yes means no mail" in said
    assert project.json("subscribers", "lists") == {}
    assert sorted(path.name for path in project.folder.glob("*.csv")) == [
        "old readers.csv",
        "subscribers.example.csv",
    ]
    command = printed_command(said)
    assert command == (
        "./send.py subscribers import 'old readers.csv' --list 'the readers' "
        "--column 'Newsletter OK?=consent' --column blacklisted=opt-out "
        """--column 'it'"'"'s=ignore' --column '#6=ignore'"""
    )
    said = paste(project, command)
    assert "1 added, 2 newly suppressed, 1 left out (no clear yes)" in said
    assert "the column Newsletter OK? is not a clear yes: 1 ((blank) 1)" in said
    assert project.json("subscribers", "lists") == {"the readers": 1}
    known = project.json("subscribers", "show", "stays@mail.example")
    assert known["attributes"] == {"city": "Wien"}
    for name in ("left", "gone"):
        suppressed = project.json("subscribers", "show", f"{name}@mail.example")["suppressed"]
        assert suppressed == ["unsubscribed"]


@pytest.mark.parametrize("options", [("--dry-run",), ("--skip-invalid", "--list=a b")])
def test_what_was_typed_stays_in_the_printed_command(
    project: Project, options: tuple[str, ...]
) -> None:
    unmapped(project, "-old.csv")
    typed = ("--config", "newsletter.toml", "subscribers", "import", *options, "--", "-old.csv")
    command = printed_command(project.run(*typed, exit_code=1))
    assert "--config newsletter.toml" in command
    assert command.endswith(" -- -old.csv")
    assert "1 added" in paste(project, command)
    assert bool(project.json("subscribers", "lists")) == ("--dry-run" not in options)


def test_scripts_get_the_question_as_json(project: Project) -> None:
    file = unmapped(project)
    asked = project.json("subscribers", "import", file, exit_code=1)
    assert (asked["file"], asked["line"]) == (str(file), 1)
    assert [(one["column"], one["guess"]) for one in asked["columns"]] == [
        ("Newsletter OK?", "consent"),
        ("blacklisted", "opt-out"),
        ("it's", "ignore"),
        ("#6", "ignore"),
    ]
    assert asked["columns"][0]["values"][0] == {"value": "ja", "rows": 2}
    report = json.loads(paste(project, asked["command"] + " 2>/dev/null"))
    assert (report["added"], report["no_clear_yes"]) == (1, 1)
    assert report["left_out"] == [
        {"column": "Newsletter OK?", "rows": 1, "values": [{"value": "", "rows": 1}]}
    ]


@pytest.mark.parametrize("live", [False, True])
def test_sending_to_a_file_stops_the_same_way(project: Project, relay: Relay, live: bool) -> None:
    file = unmapped(project)
    project.run("approve", project.issue)
    typed = ("send", project.issue, "--csv", file.name)
    typed += ("--live", "--confirm", "1") if live else ()
    asked = project.json(*typed, exit_code=1)
    assert len(asked["columns"]) == 4
    said = project.run(*typed, exit_code=1)
    assert relay.recipients == []
    assert project.json("subscribers", "lists") == {}
    said = paste(project, printed_command(said))
    assert "1 added, 2 newly suppressed, 1 left out (no clear yes)" in said
    assert relay.recipients == (["stays@mail.example"] if live else [])
    if not live:
        outbox = project.folder / "var" / "outbox" / project.issue.stem
        assert len(list(outbox.rglob("*.eml"))) == 1


def test_wrong_columns_are_wrong_usage_and_all_named(project: Project) -> None:
    file = unmapped(project)
    wrong = ("--column", "vornam=ignore", "--column", "blacklisted=consent", "--column", "x")
    said = project.run("subscribers", "import", file, *wrong, exit_code=2)
    assert "'vornam=ignore': there is no such column; did you mean Vorname?" in said
    assert "write blacklisted=opt-out" in said
    assert "'x' is not a column use" in said
    said = project.run("send", project.issue, "--list", "a", "--column", "x=ignore", exit_code=2)
    assert "--column works only with --csv" in said


def test_checking_an_issue_against_a_file_asks_nothing(project: Project) -> None:
    project.run("check", project.issue, "--csv", unmapped(project))
