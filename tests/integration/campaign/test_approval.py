"""Who vouches for what: names are people, and an approval is for one list."""

from __future__ import annotations

import dataclasses

import pytest

from newsletter.campaign import approval
from newsletter.campaign.build import build
from newsletter.errors import RefusedError
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
