"""Every command that the documentation shows works, in the order it is shown."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import GIVE_UP_S, ROOT, Project, Relay

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SERVERS = {"serve", "preview"}
ISSUE = "issues/neck-muscles-and-migraine.md"
WORDS = {
    "ISSUE": ISSUE,
    "NAME": "readers",
    "YOU": "me@clinic.example",
    "issues/la-nuque.md": ISSUE,
    "CAMPAIGN": "1",
    "FILE": "subscribers.example.csv",
    "URL": "sqlite:///var/copied.db",
}
SHOWN = re.compile(r"(?:`|^ *)(?:\./)?(send\.py [^`#\n]+)", flags=re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    """The `send.py` commands of a page, its placeholder words replaced."""
    found = SHOWN.findall(page.read_text(encoding="utf-8"))
    words = [[WORDS.get(word, word) for word in shlex.split(line)[1:]] for line in found]
    return [line for line in words if line != ["COMMAND"] and "RULE=REASON" not in line]


def ready(project: Project) -> None:
    """What a page takes for granted: a list, an approved issue, a campaign."""
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", ISSUE)
    project.run("send", ISSUE, "--list", "readers", "--live", "--confirm", 12)


def start_and_write(project: Project, arguments: list[str]) -> None:
    """Start an issue, and be the person who writes what the scaffold asks for."""
    project.run(*arguments)
    issue = project.folder / "issues" / f"{arguments[1]}.md"
    assert "TODO" in project.run("check", issue, exit_code=1), "nobody mails a scaffold"
    written = issue.read_text(encoding="utf-8").replace("TODO ", "")
    issue.write_text(written, encoding="utf-8")


def serve_once(project: Project, arguments: list[str]) -> None:
    options = ["--no-open"] if arguments[0] == "preview" else ["--port", "0"]
    process = project.start(*arguments, *options)
    assert process.stdout
    line = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=GIVE_UP_S)
    assert "http://127.0.0.1:" in line, err
    assert "Traceback" not in err


def move_database_away(project: Project) -> None:
    """What the page says to do first."""
    old = project.folder / "old"
    old.mkdir()
    for file in (project.folder / "var").glob("newsletter.db*"):
        file.rename(old / file.name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_works(project: Project, relay: Relay, page: Path) -> None:
    shown = commands(page)
    if page.name != "README.md" and shown:
        ready(project)
    for arguments in shown:
        if arguments[0] in SERVERS:
            serve_once(project, arguments)
        elif arguments[0] == "new":
            start_and_write(project, arguments)
        elif arguments == ["db", "restore", "backup.db"]:
            move_database_away(project)
            project.run(*arguments)
        elif arguments in (["check"], ["test"]):
            continue
        elif arguments[0] == "doctor":
            project.run(*arguments, exit_code=1)  # nothing is known of names for examples
        elif arguments[0] == "worker":
            project.run(*arguments, *([] if "--once" in arguments else ["--once"]))
        else:
            project.run(*arguments, stdin="12\n")


def test_the_pages_show_commands_at_all() -> None:
    assert len(commands(ROOT / "README.md")) >= 10


def test_every_make_target_that_is_named_exists() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in [*PAGES, ROOT / "CONTRIBUTING.md"])
    named = set(re.findall(r"(?:`|^    )make ([a-z-]+)", text, flags=re.MULTILINE))
    assert {"demo", "test"} <= named
    for name in named:
        subprocess.run(["make", "-n", name], cwd=ROOT, check=True, capture_output=True)


def test_relative_links_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        prose = re.sub(r"`[^`]*`", "", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#:]+)\)", prose):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_demonstration_ends_by_itself_and_says_where_everything_lies(project: Project) -> None:
    said = project.run("demo", "--no-serve")
    assert "12 of 12 accepted" in said
    assert "skipped: 1 unsubscribed" in said
    assert len(list((project.folder / "var/demo/mailbox").glob("*.eml"))) == 12
    for path in re.findall(r"var/demo/\S+", said):
        assert (project.folder / path).exists()
