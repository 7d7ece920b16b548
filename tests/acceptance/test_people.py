"""What the office does about one person, at the command line."""

from __future__ import annotations

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
    assert "Nothing was known of reader1@mail.example; it is suppressed from now on." in said
    assert f"Is the address right? There is {READER}" in said
    assert "Erased" not in said
    assert office.json("subscribers", "show", READER)["known"] is True
    assert "Erased." in office.run("subscribers", "erase", READER, "--yes")
    assert office.json("subscribers", "show", READER)["known"] is False


def test_an_address_suppressed_by_mistake_comes_back(office: Project) -> None:
    reason = ("--by", "maria", "--reason", "a typing error")
    assert "No reader" not in office.run("subscribers", "suppress", READER, *reason)
    assert "No reader here has it." in office.run("subscribers", "suppress", TYPO, *reason)
    for address in (READER, TYPO):
        said = office.run("subscribers", "unsuppress", address, *reason)
        assert "no longer suppressed by hand" in said
        assert office.json("subscribers", "show", address)["suppressed"] == []
    assert "nothing changed" in office.run(
        "subscribers", "unsuppress", READER, *reason, exit_code=1
    )


def test_an_erasure_is_not_lifted(office: Project) -> None:
    office.run("subscribers", "erase", READER, "--yes")
    office.run("subscribers", "suppress", READER, "--reason", "asked")
    said = office.run("subscribers", "unsuppress", READER, "--reason", "x", exit_code=1)
    assert "No mail goes there: erased." in said
