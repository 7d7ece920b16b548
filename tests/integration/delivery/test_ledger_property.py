"""Whatever happens in whatever order: the counts add up, and what may be taken stays untouched."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from newsletter.database.open import open_url
from newsletter.delivery.ledger.leases import claim, finish, release, reserve_batch
from newsletter.delivery.ledger.recover import recover, resolve
from newsletter.delivery.ledger.retry import RetryPolicy
from newsletter.delivery.model import Outcome, Result
from newsletter.store.engine import Store, sqlite_store
from tests.integration.delivery.campaigns import counts, freeze, set_state, suppress, unsubscribe

PEOPLE = 8
AGAIN_AT_ONCE = RetryPolicy(first_delay=0.0, longest_delay=0.0)
CLOSED = {Result.ACCEPTED, Result.UNCERTAIN, Result.FAILED}


@dataclass(frozen=True, slots=True)
class Turn:
    """One sender's turn at a chunk, and what else happens meanwhile."""

    offers: list[int]
    heard: list[Result]
    crashes: bool
    leaves: int
    paused_before: bool
    resolved: int


turns = st.builds(
    Turn,
    offers=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    heard=st.lists(st.sampled_from(list(Result)), max_size=10),
    crashes=st.booleans(),
    leaves=st.integers(0, PEOPLE * 2),
    paused_before=st.booleans(),
    resolved=st.integers(0, PEOPLE * 2),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frozen") / "newsletter.db"
    store = open_url(make_url(f"sqlite:///{path}"))
    freeze(store, PEOPLE, skipped=1, chunk=3)
    store.close()
    return path


class History:
    """What must hold from now on."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.closed: set[int] = set()
        self.left: set[int] = set()

    def take(self, turn: Turn) -> None:
        self._pause(turn)
        lease = claim(self.store, 1, "tests")
        if lease is None:
            return
        in_flight: list[int] = []
        gathered: list[Outcome] = []
        exhausted = False
        heard = list(turn.heard)
        for limit in turn.offers:
            found = reserve_batch(self.store, lease, limit, gathered)
            exhausted = exhausted or found.exhausted
            gathered = []
            for each in found.deliveries:
                assert each.position not in self.closed
                assert each.position not in self.left
                assert each.position not in in_flight
                in_flight.append(each.position)
            while in_flight and heard:
                gathered.append(Outcome(in_flight.pop(0), heard.pop(), 250))
            self.closed |= {each.position for each in gathered if each.result in CLOSED}
            self._leave(turn)
        self.closed |= set(in_flight)
        if turn.crashes:
            self.closed |= {each.position for each in gathered}
            recover(self.store, self.folder)
        elif exhausted:
            finish(self.store, lease, gathered, policy=AGAIN_AT_ONCE)
        else:
            release(self.store, lease, gathered)
        if 0 < turn.resolved <= PEOPLE:
            resolve(self.store, 1, [turn.resolved], Result.ACCEPTED, note="asked")

    def _pause(self, turn: Turn) -> None:
        if turn.paused_before:
            set_state(self.store, 1, "paused")
            assert claim(self.store, 1, "tests") is None
            set_state(self.store, 1, "sending")

    def _leave(self, turn: Turn) -> None:
        if 0 < turn.leaves <= PEOPLE and turn.leaves not in self.left:
            self.left.add(turn.leaves)
            (suppress if turn.crashes else unsubscribe)(self.store, turn.leaves)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(history=st.lists(turns, min_size=4, max_size=12))
def test_any_history_adds_up_and_touches_nobody_twice(template: Path, history: list[Turn]) -> None:
    with tempfile.TemporaryDirectory(dir=template.parent) as folder:
        path = Path(folder) / "newsletter.db"
        shutil.copyfile(template, path)
        store = sqlite_store(path)
        past = History(store, Path(folder))
        for turn in history:
            past.take(turn)
            result = counts(store, 1)
            assert result.audience == PEOPLE
            settled = result.accepted + result.failed + result.uncertain
            assert settled == len(past.closed)
        store.close()
