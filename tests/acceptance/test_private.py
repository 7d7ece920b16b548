"""Who reads a newsletter is personal data: nobody else on the machine can look it up."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

from tests.acceptance.conftest import ROOT, Project, Relay

READERS = 12


def open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def test_nobody_else_can_look_into_the_working_folder(project: Project, relay: Relay) -> None:
    before = os.umask(0o022)
    try:
        project.run("subscribers", "import", project.csv, "--list", "readers")
        project.run("send", project.issue, "--list", "readers")
        project.run("approve", project.issue, "--list", "readers")
        project.run("send", project.issue, "--list", "readers", "--live", "--confirm", READERS)
        project.run("render", project.issue, "--out", "build")
    finally:
        os.umask(before)
    var = project.folder / "var"
    assert not open_to_others(var)
    assert not open_to_others(var / "newsletter.db")
    assert not open_to_others(var / "keys.json")
    assert open_to_others(project.folder / "build" / "index.html"), "a page is there to be shown"


def test_the_demonstration_leaves_nothing_open(project: Project) -> None:
    project.run("demo", "--no-serve")
    assert not open_to_others(project.folder / "var")


def test_readers_and_keys_are_not_committed_by_accident(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    private = (
        *("readers.csv", "exports/readers.rejects.csv", "deliveries.csv", "backup.db"),
        *("var/newsletter.db-wal", "backups/newsletter-2026-05-01.db", "outbox/0001.eml"),
        *("report.html", "report-3.json", "dkim.pem", "newsletter.env", ".env"),
    )
    public = ("subscribers.example.csv", "templates/studio/report.html", "issues/spring-news.md")
    asked = subprocess.check_output(
        ["git", "check-ignore", *private, *public], cwd=tmp_path, text=True
    )
    assert asked.split() == list(private)
