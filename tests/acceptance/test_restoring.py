"""A restore is refused while others have the database open, and says who they are.

Whoever still runs on a file that was moved, deleted or replaced says so, and writes nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.store.presence import Presence
from tests.acceptance.conftest import Project, Relay
from tests.acceptance.test_watching import on_a_terminal, read_all, start_slow_send
from tests.support.clicks import KEYS, SECRETS

ISSUE = "issues/neck-muscles-and-migraine.md"
SERVE = ("serve", "--port", 0)
GONE = "moved, deleted or replaced since it was opened"
GIVE_UP_S = 120


@pytest.fixture
def clinic(project: Project, relay: Relay) -> Project:
    """A publication with twelve readers, and a backup of it."""
    project.environment |= {f"NEWSLETTER_{name.upper()}": SECRETS[name] for name in SECRETS}
    project.run("subscribers", "import", project.csv, "--list", "readers")
    project.run("approve", ISSUE, "--list", "readers")
    project.run("db", "backup", "backup.db")
    return project


def database(project: Project) -> Path:
    return project.folder / "var" / "newsletter.db"


def move_away(project: Project) -> None:
    """As the documentation says: the file and those that SQLite keeps beside it."""
    (project.folder / "old").mkdir()
    for file in database(project).parent.glob("newsletter.db*"):
        file.rename(project.folder / "old" / file.name)


def put_back(project: Project) -> None:
    for file in (project.folder / "old").iterdir():
        file.rename(database(project).parent / file.name)
    (project.folder / "old").rmdir()


def move_and_copy(project: Project) -> None:
    move_away(project)
    shutil.copy(project.folder / "backup.db", database(project))


def replace(project: Project) -> None:
    shutil.copy(project.folder / "backup.db", project.folder / "new.db")
    (project.folder / "new.db").replace(database(project))


def delete(project: Project) -> None:
    for file in database(project).parent.glob("newsletter.db*"):
        file.unlink()


def left(project: Project) -> int:
    """How many readers have left, by the file that is there."""
    with closing(sqlite3.connect(database(project))) as connection:
        found = connection.execute("SELECT count(*) FROM suppression").fetchone()
    return int(found[0])


@contextmanager
def started(project: Project, *arguments: object, says: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on, once it has said this on standard error."""
    process = project.start(*arguments)
    try:
        assert process.stderr
        said = ""
        while says not in said:
            letter = process.stderr.read(1)
            assert letter, said
            said += letter
        yield process
    finally:
        process.kill()
        process.communicate()


class Pages:
    """`serve`, as a process, and the machines that ask it."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.process = project.start(*SERVE)
        assert self.process.stdout
        self._url = self.process.stdout.readline().split()[1].rstrip("/")

    def __enter__(self) -> Pages:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> None:
        """End them politely."""
        self.process.terminate()
        _, err = self.process.communicate(timeout=GIVE_UP_S)
        assert self.process.returncode in {0, -signal.SIGTERM}, err

    def ask(self, path: str, body: bytes | None = None) -> int:
        """One request; the status."""
        try:
            with urllib.request.urlopen(f"{self._url}{path}", body, timeout=GIVE_UP_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return refusal.code

    def click(self) -> int:
        """One reader leaves as mail programs have them leave (RFC 8058); the status."""
        with closing(sqlite3.connect(self._project.folder / "backup.db")) as connection:
            (uid,) = connection.execute("SELECT min(uid) FROM subscriber").fetchone()
        token = TokenSigner(KEYS).sign(Token(TokenPurpose.UNSUBSCRIBE, False, uid, 0))
        return self.ask(f"/u/{token}", b"List-Unsubscribe=One-Click")


def restore(project: Project, exit_code: int = 0) -> str:
    return project.run("db", "restore", "backup.db", exit_code=exit_code)


def test_nothing_is_restored_under_running_pages(clinic: Project) -> None:
    with Pages(clinic) as pages:
        move_away(clinic)
        said = restore(clinic, exit_code=1)
        assert f"in use by serve (process {pages.process.pid} on " in said
        assert not database(clinic).exists()
        pages.stop()
    assert "12 subscribers" in restore(clinic)
    with Pages(clinic) as pages:
        assert pages.click() == 200
    assert left(clinic) == 1


LONG_ONES = [
    (SERVE, "{}", "serve"),
    (("worker",), "Worker on", "worker"),
    (("send", ISSUE, "--list", "readers", "--live"), "Type 12", "send"),
]


@pytest.mark.parametrize(("arguments", "says", "name"), LONG_ONES[1:], ids=["worker", "send"])
def test_whatever_runs_is_named_and_once_it_is_killed_nothing_is_in_the_way(
    clinic: Project, arguments: tuple[object, ...], says: str, name: str
) -> None:
    with started(clinic, *arguments, says=says) as process:
        process.send_signal(signal.SIGSTOP)
        move_away(clinic)
        said = restore(clinic, exit_code=1)
        assert f"in use by {name} (process {process.pid} on " in said
        process.kill()
        process.wait()
        assert "12 subscribers" in restore(clinic)


def test_killed_pages_are_not_in_the_way(clinic: Project) -> None:
    with Pages(clinic) as pages:
        pages.process.kill()
        pages.process.wait()
        move_away(clinic)
        assert "12 subscribers" in restore(clinic)


@pytest.mark.parametrize("lose", [move_away, move_and_copy, replace, delete])
def test_pages_on_a_file_that_is_gone_tell_nobody_that_they_have_left(
    clinic: Project, lose: Callable[[Project], None]
) -> None:
    with Pages(clinic) as pages:
        assert pages.ask("/health") == 200
        lose(clinic)
        there = {path: path.read_bytes() for path in (clinic.folder / "var").glob("newsletter*")}
        assert pages.click() == 503
        assert pages.ask("/health") == 503
        now = {path: path.read_bytes() for path in (clinic.folder / "var").glob("newsletter*")}
        assert now == there
        pages.stop()


def test_started_again_pages_work_on_what_was_put_there_by_hand(clinic: Project) -> None:
    with Pages(clinic) as pages:
        move_and_copy(clinic)
        assert pages.click() == 503
        pages.stop()
    assert left(clinic) == 0
    with Pages(clinic) as pages:
        assert pages.ask("/health") == 200
        assert pages.click() == 200
    assert left(clinic) == 1


def test_pages_go_on_when_their_file_is_put_back(clinic: Project) -> None:
    with Pages(clinic) as pages:
        move_away(clinic)
        assert pages.click() == 503
        put_back(clinic)
        assert pages.click() == 200
    assert left(clinic) == 1


def test_pages_do_not_begin_on_an_empty_file_in_the_place_of_one_that_is_gone(
    clinic: Project,
) -> None:
    delete(clinic)
    for command in (SERVE, ("worker",), ("status",)):
        assert "was there and is not any more" in clinic.run(*command, exit_code=1)
    assert not database(clinic).exists()
    restore(clinic)
    clinic.run("worker", "--once")


@pytest.mark.parametrize("lose", [move_away, move_and_copy, replace, delete])
def test_a_worker_ends_and_says_why(clinic: Project, lose: Callable[[Project], None]) -> None:
    with started(clinic, "worker", says="Worker on") as worker:
        lose(clinic)
        there = {path: path.read_bytes() for path in (clinic.folder / "var").glob("newsletter*")}
        _, err = worker.communicate(timeout=GIVE_UP_S)
    assert worker.returncode == 1
    assert GONE in err
    assert "Traceback" not in err
    now = {path: path.read_bytes() for path in (clinic.folder / "var").glob("newsletter*")}
    assert {path: now[path] for path in there} == there


def test_a_send_ends_and_nobody_is_mailed_twice_when_its_file_is_back(
    project: Project, relay: Relay
) -> None:
    sender = start_slow_send(project, relay)
    move_away(project)
    _, err = sender.communicate(timeout=GIVE_UP_S)
    assert sender.returncode == 1
    assert GONE in err
    assert "Traceback" not in err
    put_back(project)
    relay.server.faults = []
    status = project.json("send", project.issue, "--csv", project.csv, "--live")
    assert status["accepted"] == status["audience"]
    assert status["uncertain"] == 0
    assert len(set(relay.recipients)) == len(relay.recipients) == status["audience"]


def test_whoever_looks_on_is_told(clinic: Project) -> None:
    clinic.run("send", ISSUE, "--list", "readers", "--live", "--confirm", 12, "--detach")
    watcher, terminal = on_a_terminal(clinic, "status", "1", "--watch")
    assert os.read(terminal, 1)
    move_away(clinic)
    said = read_all(terminal)
    watcher.communicate(timeout=GIVE_UP_S)
    assert watcher.returncode == 1
    assert GONE in " ".join(said.split())


@pytest.mark.parametrize("command", [SERVE, ("worker",), ("status",), ("db", "backup", "b.db")])
def test_what_starts_during_a_restore_is_refused(
    clinic: Project, command: tuple[object, ...]
) -> None:
    with closing(Presence(database(clinic), "its name", "db restore", alone=True)):
        assert re.search(
            r"filled or copied by db restore \(process", clinic.run(*command, exit_code=1)
        )
    assert clinic.json("subscribers", "count", "--list", "readers")


def test_nothing_is_copied_from_or_to_what_others_have_open(clinic: Project) -> None:
    copy = ("db", "copy", "--to", "sqlite:///var/other.db")
    with Pages(clinic) as pages:
        assert f"in use by serve (process {pages.process.pid}" in clinic.run(*copy, exit_code=1)
        assert not (clinic.folder / "var" / "other.db").exists()
        # A rehearsal disturbs nobody.
        clinic.run("db", "restore", "backup.db", "--to", "sqlite:///var/rehearsal.db")
        pages.stop()
    clinic.run(*copy)


@pytest.mark.parametrize("url", ["sqlite:///var/newsletter.db", "sqlite:///var/../link.db"])
def test_the_database_is_not_copied_into_itself(clinic: Project, url: str) -> None:
    (clinic.folder / "link.db").symlink_to(database(clinic))
    assert "names the database in use" in clinic.run("db", "copy", "--to", url, exit_code=1)


def test_short_commands_run_beside_each_other(clinic: Project) -> None:
    with Pages(clinic), started(clinic, "worker", says="Worker on"):
        running = [clinic.start("status") for _ in range(3)]
        assert [process.wait(GIVE_UP_S) for process in running] == [0, 0, 0]
        for process in running:
            process.communicate()
        clinic.run("db", "backup", "another.db")
