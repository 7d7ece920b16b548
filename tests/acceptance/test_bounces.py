"""`bounces classify` as a process: one line a file, whatever the files are."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.conftest import Project

NOTICE = b"""From: MAILER-DAEMON@mta.example
Subject: failure notice

<anna@reader.example>:
Remote host said: 550 5.1.1 unknown user
"""


def test_the_others_are_classified_when_one_cannot_be_read(project: Project) -> None:
    (project.folder / "a.eml").write_bytes(NOTICE)
    (project.folder / "b.eml").write_bytes(b"\xff\x00\x1b[2J")
    process = project.start("bounces", "classify", "--json", "a.eml", "missing.eml", ".", "b.eml")
    out, err = process.communicate(timeout=60)
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["file"], row["kind"]) for row in rows] == [("a.eml", "bounce"), ("b.eml", "other")]
    assert rows[0]["recipients"] == [
        {
            "address": "anna@reader.example",
            "class": "hard",
            "status": "5.1.1",
            "reply": "550",
            "reason": "550 5.1.1 unknown user",
        }
    ]
    assert process.returncode == 1
    assert [line.split(":")[1].strip() for line in err.splitlines()] == ["missing.eml", "."]


def test_it_needs_no_settings_and_touches_no_database(project: Project) -> None:
    (project.folder / "newsletter.toml").unlink()
    (project.folder / "a.eml").write_bytes(NOTICE)
    before = sorted(Path(project.folder).rglob("*"))
    shown = project.run("bounces", "classify", "a.eml")
    assert "anna@reader.example: hard 550 5.1.1" in shown
    assert sorted(Path(project.folder).rglob("*")) == before


def test_without_a_file_it_is_wrong_usage(project: Project) -> None:
    project.run("bounces", "classify", exit_code=2)


def test_reading_mail_that_proves_nothing_keeps_it_and_says_so(project: Project) -> None:
    (project.folder / "returned.eml").write_bytes(NOTICE)
    first = project.json("bounces", "read", "returned.eml")
    assert (first["messages"], first["unverified"], first["suppressed"]) == (1, 1, 0)
    assert "1 events seen before" in project.run("bounces", "read", "-", stdin=NOTICE.decode())
    assert "missing" in project.run("bounces", "read", "missing", exit_code=1)
    assert "no Maildir" in project.run("bounces", "read", "issues", exit_code=1)
