"""A state has one writer: `newsletter.delivery.ledger.states`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.delivery.ledger.states import (
    AT_REST,
    ENDED,
    HELD,
    TRANSITIONS,
    UNFINISHED,
    CampaignState,
    ChunkKind,
    ChunkState,
)

PACKAGE = Path(__file__).parents[3] / "newsletter"
STATES = PACKAGE / "delivery" / "ledger" / "states.py"


def writers(source: str) -> Iterator[str]:
    """The statements that change the state of a campaign or chunk, or record such a change."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        if isinstance(call.func, ast.Name) and call.func.id == "insert":
            if ast.unparse(call.args[0]) == "campaign_event":
                yield ast.unparse(call)
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "values":
            text = ast.unparse(call.func.value)
            names = {keyword.arg for keyword in call.keywords}
            if text.startswith(("update(campaign)", "update(chunk)")) and "state" in names:
                yield ast.unparse(call)


def test_nobody_else_writes_a_state() -> None:
    others = [path for path in PACKAGE.rglob("*.py") if path != STATES]
    assert len(others) > 100
    found = {path.name: list(writers(path.read_text(encoding="utf-8"))) for path in others}
    assert {name: found[name] for name in found if found[name]} == {}
    assert len(list(writers(STATES.read_text(encoding="utf-8")))) == 3


def test_every_state_has_its_transitions_and_is_judged_once() -> None:
    assert set(TRANSITIONS) == set(CampaignState)
    assert sorted([*UNFINISHED, *ENDED, CampaignState.APPROVED]) == sorted(CampaignState)
    assert set(HELD) < set(UNFINISHED)
    assert set(CampaignState) - set(AT_REST) == {CampaignState.SCHEDULED, CampaignState.SENDING}


@pytest.mark.parametrize(
    ("enum", "words"),
    [
        (
            CampaignState,
            ["approved", "scheduled", "sending", "paused", "failed", "finished", "cancelled"],
        ),
        (ChunkKind, ["first", "retry", "returned", "limited"]),
        (ChunkState, ["ready", "leased", "done"]),
    ],
)
def test_what_databases_hold_already_stays_valid(
    enum: type[CampaignState | ChunkKind | ChunkState], words: list[str]
) -> None:
    assert [member.value for member in enum] == words
