"""Everybody whose sign-up was answered gets their confirmation, though `serve` is killed meanwhile.

`make chaos` does the same with a thousand people.
"""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.test_chaos import SEED
from tests.chaos.signups import SignupPlan, SignupStorm
from tests.integration.conftest import migrated, postgres_session, store_url

__all__ = ["migrated", "postgres_session", "store_url"]

PEOPLE = 60
KILLS = 3


def test_who_was_answered_is_mailed(store_url: str, tmp_path: Path) -> None:
    print(f"CHAOS_SEED={SEED}")
    workers = int(store_url.startswith("postgresql"))
    result = SignupStorm(SignupPlan(SEED, store_url, tmp_path, PEOPLE, KILLS, workers)).run()
    print(result)
    assert result.wrong == []
    assert result.answered == PEOPLE
