"""What the office does about one person, at the command line."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.acceptance.conftest import Project

READER = "reader01@mail.example"
TYPO = "raeder01@mail.example"


@pytest.fixture
def office(project: Project) -> Project:
    """The example's readers are on a list."""
    project.run("subscribers", "import", project.csv, "--list", "readers")
    return project


def test_a_typing_error_in_an_erasure_does_not_look_done(office: Project) -> None:
    said = office.run("subscribers", "erase", "reader1@mail.example", "--yes", exit_code=1)
    assert "Nothing was known about reader1@mail.example; it is suppressed from now on." in said
    assert f"Check the spelling; similar: {READER}" in said
    assert "Erased" not in said
    assert office.json("subscribers", "show", READER)["known"] is True
    assert "Erased." in office.run("subscribers", "erase", READER, "--yes")
    assert office.json("subscribers", "show", READER)["known"] is False


def test_an_address_suppressed_by_mistake_comes_back(office: Project) -> None:
    reason = ("--by", "maria", "--reason", "a typing error")
    assert "No subscriber" not in office.run("subscribers", "suppress", READER, *reason)
    assert "No subscriber has it." in office.run("subscribers", "suppress", TYPO, *reason)
    for address in (READER, TYPO):
        said = office.run("subscribers", "unsuppress", address, *reason)
        assert "no longer suppressed (manual)" in said
        assert office.json("subscribers", "show", address)["suppressed"] == []
    assert "nothing changed" in office.run(
        "subscribers", "unsuppress", READER, *reason, exit_code=1
    )


def test_an_erasure_is_not_lifted(office: Project) -> None:
    office.run("subscribers", "erase", READER, "--yes")
    office.run("subscribers", "suppress", READER, "--reason", "asked")
    said = office.run("subscribers", "unsuppress", READER, "--reason", "x", exit_code=1)
    assert "Still not mailed (erased)" in said


def test_what_is_known_of_a_reader_begins_with_whether_mail_goes_there(office: Project) -> None:
    show = ("subscribers", "show", READER)
    first, *rest = office.run(*show).splitlines()
    assert first == f"{READER} is mailed: active on readers"
    assert "lists: readers (active)" in rest
    assert "paused_until: no" in rest
    office.run("subscribers", "suppress", READER, "--reason", "asked")
    office.run("subscribers", "unsuppress", READER, "--reason", "a mistake")
    office.run("subscribers", "suppress", READER, "--reason", "asked again")
    first, *rest = office.run(*show).splitlines()
    assert first == f"{READER} is not mailed: suppressed (manual)"
    known = office.json(*show)
    assert [each["action"] for each in known["consent"]] == ["imported", "unsuppressed"]
    assert known["consent"][0]["at"].endswith("Z")
    first = office.run("subscribers", "show", TYPO).splitlines()[0]
    assert first == f"{TYPO} is not mailed: no subscriber has this address"


def test_a_list_and_its_count_add_up(office: Project) -> None:
    with closing(sqlite3.connect(office.folder / "var" / "newsletter.db")) as database:
        database.execute("UPDATE subscription SET state = 'unsubscribed' WHERE subscriber_id = 1")
        database.commit()
    assert office.run("subscribers", "lists") == "readers: 12 people (11 active, 1 unsubscribed)\n"
    assert office.json("subscribers", "lists") == {"readers": 11}
    counted = office.json("subscribers", "count", "--list", "readers")
    assert (counted["matching"], counted["skipped"]) == (12, {"unsubscribed": 1})
