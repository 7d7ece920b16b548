"""`send.py db`, as a process: from SQLite to PostgreSQL and back, and what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, update

from newsletter.database.migrate import HEAD
from newsletter.database.open import open_url
from newsletter.delivery.ledger.tables import campaign
from tests.acceptance.conftest import ROOT, Project
from tests.integration.store.rows import ROWS, fill


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project folder with a filled database in the default place."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "newsletter.toml", folder / "newsletter.toml")
    store = open_url(make_url(f"sqlite:///{folder / 'var' / 'newsletter.db'}"))
    fill(store)
    store.close()
    return Project(folder)


def rows(project: Project, *arguments: object) -> dict[str, int]:
    found: dict[str, Any] = project.json("db", *arguments)
    counts: dict[str, int] = found["rows"]
    return counts


def test_from_sqlite_to_postgresql_and_back(project: Project, postgres: str) -> None:
    copied = rows(project, "copy", "--to", postgres)
    assert copied["subscriber"] == ROWS
    project.environment["NEWSLETTER_DATABASE_URL"] = postgres
    assert f"is at revision {HEAD}: nothing to do" in project.run("db", "upgrade")
    assert rows(project, "backup", "backup.db") == copied
    assert rows(project, "restore", "backup.db", "--to", "sqlite:///var/again.db") == copied
    assert (project.folder / "var" / "again.db").is_file()
    assert "not empty" in project.run("db", "restore", "backup.db", exit_code=1)


def test_upgrade_says_from_where_to_where(project: Project, postgres: str) -> None:
    project.environment["NEWSLETTER_DATABASE_URL"] = postgres
    found = project.json("db", "upgrade")
    assert (found["from"], found["to"]) == (None, HEAD)
    found = project.json("db", "upgrade")
    assert (found["from"], found["to"]) == (HEAD, HEAD)


def test_restoring_says_what_to_do_about_a_campaign_that_was_sending(project: Project) -> None:
    store = open_url(make_url(f"sqlite:///{project.folder / 'var' / 'newsletter.db'}"))
    with store.write() as connection:
        connection.execute(update(campaign).where(campaign.c.id == 1001).values(state="sending"))
    store.close()
    refused = project.run("db", "copy", "--to", "sqlite:///var/new.db", exit_code=1)
    assert "send.py pause 1001" in refused
    project.run("db", "backup", "backup.db")
    said = project.run("db", "restore", "backup.db", "--to", "sqlite:///var/new.db")
    assert "Campaign 1001 was sending and is paused" in said
    assert "Who left after this backup was made" in said


def test_a_refusal_leaves_nothing_behind(project: Project) -> None:
    (project.folder / "damaged.db").write_bytes(b"no database")
    before = sorted(project.folder.rglob("*"))
    asked = ("db", "restore", "damaged.db", "--to", "sqlite:///new/again.db")
    assert "not a complete backup" in project.run(*asked, exit_code=1)
    assert sorted(project.folder.rglob("*")) == before

    store = open_url(make_url(f"sqlite:///{project.folder / 'var' / 'newsletter.db'}"))
    with store.write() as connection:
        connection.execute(update(campaign).where(campaign.c.id == 1001).values(state="sending"))
    store.close()
    project.run("db", "copy", "--to", "sqlite:///var/again.db", exit_code=1)
    assert sorted(project.folder.rglob("*")) == before


def test_a_database_that_is_not_there_is_not_made_to_be_copied(project: Project) -> None:
    project.environment["NEWSLETTER_DATABASE_URL"] = "sqlite:///var/other.db"
    for command in (("copy", "--to", "sqlite:///var/new.db"), ("backup", "backup.db")):
        assert "no database yet" in project.run("db", *command, exit_code=1)
    assert [path.name for path in project.folder.rglob("*.db")] == ["newsletter.db"]


def test_people_are_told_what_they_know_of(project: Project) -> None:
    said = project.run("db", "copy", "--to", "sqlite:///var/copied.db")
    assert said.startswith(f"{ROWS:,} readers, {ROWS:,} lists, {ROWS:,} campaigns, {ROWS:,} deliv")
    assert "set database_url to sqlite:///var/copied.db\n" in said
    assert "subscriber" not in said
    said = project.run("db", "restore", "missing.db", "--to", "sqlite:///var/x.db", exit_code=1)
    assert "the file does not exist" in said


def test_no_password_is_printed(project: Project) -> None:
    url = "postgresql://someone:correct-horse@127.0.0.1:1/newsletter"
    project.environment["NEWSLETTER_DATABASE_URL"] = url
    said = project.run("db", "upgrade", exit_code=1)
    said += project.run("db", "backup", "backup.db", exit_code=1)
    del project.environment["NEWSLETTER_DATABASE_URL"]
    said += project.run("db", "copy", "--to", url, exit_code=1)
    assert said.count("127.0.0.1:1") >= 3
    assert "correct-horse" not in said
    assert "psycopg" not in said


def test_output_for_scripts_is_one_object(project: Project) -> None:
    process = project.start("db", "backup", "backup.db", "--json")
    out, _ = process.communicate("", timeout=120)
    assert json.loads(out)["rows"]["delivery"] == ROWS
