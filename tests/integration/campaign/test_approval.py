"""Who vouches for what: names are people, and an approval is for one list."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import select

from newsletter.campaign import approval
from newsletter.campaign.build import BuiltIssue, build
from newsletter.campaign.tables import approval as approvals
from newsletter.check.model import Finding, Severity
from newsletter.errors import InputError, RefusedError
from tests.integration.campaign.conftest import Office


def test_one_person_is_not_two_by_another_spelling(office: Office) -> None:
    prepared = build(office.issue, office.app.settings)
    counts = [
        approval.approve(dataclasses.replace(office.app, by=name), prepared, audience="readers")
        for name in ("Ann", "ann ", "ANN", "Bob")
    ]
    assert counts == [1, 1, 1, 2]


def test_a_refusal_names_the_list_that_was_approved(office: Office) -> None:
    prepared = build(office.issue, office.app.settings)
    approval.approve(office.app, prepared, audience="others")
    with (
        office.app.store.read() as connection,
        pytest.raises(RefusedError, match=r"not approved .* for readers, only for others"),
    ):
        approval.require(connection, office.app.settings, prepared.compiled, "readers")


def built_with(office: Office, severity: Severity) -> BuiltIssue:
    prepared = build(office.issue, office.app.settings)
    found = Finding("references/unused", severity, "issues/x.md", 41, "never cited", "cite it")
    return dataclasses.replace(prepared, findings=[found])


def test_a_warning_is_waived_with_a_reason_that_is_kept(office: Office) -> None:
    prepared = built_with(office, Severity.WARNING)
    waivers = {"references/unused": "kept for the archive"}
    assert approval.approve(office.app, prepared, waivers=waivers) == 1
    with office.app.store.read() as connection:
        assert connection.execute(select(approvals.c.waivers)).scalars().all() == [waivers]


@pytest.mark.parametrize(
    ("waivers", "says"),
    [
        ({"references/unused": "  "}, "the waiver of references/unused gives no reason"),
        ({"references/missing": "because"}, "there is no warning named references/missing"),
    ],
)
def test_a_waiver_needs_a_reason_and_a_warning(
    office: Office, waivers: dict[str, str], says: str
) -> None:
    prepared = built_with(office, Severity.WARNING)
    with pytest.raises(InputError, match=says):
        approval.approve(office.app, prepared, waivers=waivers)
    with office.app.store.read() as connection:
        assert connection.execute(select(approvals)).all() == []


def test_a_blocker_cannot_be_waived(office: Office) -> None:
    prepared = built_with(office, Severity.BLOCKER)
    with pytest.raises(RefusedError, match="1 blocker must be fixed"):
        approval.approve(office.app, prepared, waivers={"references/unused": "just this once"})
    with office.app.store.read() as connection:
        assert connection.execute(select(approvals)).all() == []
