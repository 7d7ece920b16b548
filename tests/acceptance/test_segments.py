"""Sending to a part of a list, at the command line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from tests.acceptance.conftest import Project, Relay


def ready(project: Project) -> None:
    file = project.folder / "cities.csv"
    rows = [f"r{n}@mail.example,{'Wien' if n % 2 else 'Graz'},{20 + n}" for n in range(10)]
    file.write_text("\n".join(["email,city,age", *rows, ""]), encoding="utf-8")
    project.run("subscribers", "import", file, "--list", "readers", "--column", "age=attribute")
    project.run("subscribers", "suppress", "r1@mail.example", "--reason", "asked")
    project.run("approve", project.issue)


def test_a_count_adds_up_and_says_why(project: Project) -> None:
    ready(project)
    found = project.json(
        "subscribers", "count", "--list", "readers", "--segment", "city=Wien and age<29"
    )
    assert found == {
        "list": "readers",
        "segment": 'city = "Wien" and age < 29',
        "means": 'city = "Wien" and age < 29',
        "matching": 4,
        "mailable": 3,
        "skipped": {"manual": 1},
    }
    said = project.run("subscribers", "count", "--list", "readers")
    assert "10 on the list readers" in said
    assert "can be mailed: 9" in said


def test_a_segment_is_sent_shown_and_not_changed_under_way(project: Project, relay: Relay) -> None:
    ready(project)
    wanted = ("send", project.issue, "--list", "readers", "--segment", "city = Wien")
    dry = project.json(*wanted)
    assert (dry["audience"], dry["accepted"], dry["segment"]) == (5, 4, 'city = "Wien"')
    assert relay.recipients == []
    later = ("--live", "--confirm", 4, "--at", "2099-01-01T09:00", "--detach")
    assert '  only where city = "Wien"' in project.run(*wanted, *later)
    other = (*wanted[:-1], "city = Graz", "--live", "--confirm", 5)
    refused = project.run(*other, exit_code=1)
    assert "is scheduled" in refused
    assert "--segment 'city = \"Wien\"'" in refused
    assert 'only where city = "Wien"' in project.run("status", 1)
    project.run("cancel", 1)
    project.run(*wanted, "--live", "--confirm", 4)
    assert 'city = "Wien"' in project.run("report", 2)
    project.run(*wanted[:-2], "--live", "--confirm", 5)
    assert len(relay.recipients) == len(set(relay.recipients)) == 9


def test_days_ago_are_said_clearly_and_counted_with_their_date(project: Project) -> None:
    ready(project)
    count = ("subscribers", "count", "--list", "readers", "--segment")
    said = project.run(*count, "joined > 30 days ago", exit_code=2)
    assert "joined after 30 days ago" in said
    assert "joined before 30 days ago" in said
    before = datetime.now(UTC)
    said = project.run(*count, "joined within 30 days")
    # Two days when midnight comes in between.
    days = {at.date() - timedelta(30) for at in (before, datetime.now(UTC))}
    assert "10 on the list readers where joined within 30 days" in said
    assert any(f"today that is: joined >= {day}" in said for day in days)
    assert project.json(*count, "joined before 30 days ago")["matching"] == 0


def test_a_campaign_frozen_by_the_former_words_is_finished_by_them(
    project: Project, relay: Relay
) -> None:
    ready(project)
    former = "subscribed >= 30 days ago"
    wanted = ("send", project.issue, "--list", "readers", "--segment")
    now = ("--live", "--confirm", 9)
    refused = project.run(*wanted, former, *now, exit_code=2)
    assert "is ambiguous" in refused
    later = ("--at", "2099-01-01T09:00", "--detach")
    project.run(*wanted, "subscribed within 30 days", *now, *later)
    with closing(sqlite3.connect(project.folder / "var" / "newsletter.db")) as database:
        database.execute("UPDATE campaign SET segment = ?", [former])
        database.commit()
    project.run(*wanted, former, *now, *later)
    assert project.json("status", 1)["segment"] == former
    assert relay.recipients == []


def test_a_wrong_segment_points_at_the_column(project: Project) -> None:
    ready(project)
    count = ("subscribers", "count", "--list", "readers", "--segment")
    said = project.run(*count, "city = = Wien", exit_code=2)
    assert "  city = = Wien\n         ^\n" in said
    assert "did you mean city?" in project.run(*count, "ctiy = Wien", exit_code=2)
    assert "there is no list 'slep'" in project.run(*count, "list = slep", exit_code=2)
    send = ("send", project.issue, "--list", "readers", "--segment")
    assert "column 1" in project.run(*send, "", exit_code=2)
