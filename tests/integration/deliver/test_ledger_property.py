"""Whatever happens in whatever order: the counts add up, and what may be taken stays untouched."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import make_url

from newsletter.deliver.ledger import Lease, claim, finish, offer, release, settle
from newsletter.deliver.model import Outcome, Result
from newsletter.deliver.recover import recover, resolve
from newsletter.deliver.retry import RetryPolicy
from newsletter.store import Store
from newsletter.store.engine import open_url, sqlite_store
from tests.integration.deliver.campaigns import (
    counts,
    due_now,
    freeze,
    set_state,
    suppress,
    unsubscribe,
)

PEOPLE = 12
results = st.sampled_from(list(Result))
people = st.integers(1, PEOPLE)


class Campaign(RuleBasedStateMachine):
    """One sender that works, crashes and is resumed, while readers leave."""

    template: Path

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        shutil.copyfile(self.template, self.folder / "newsletter.db")
        self.store: Store = sqlite_store(self.folder / "newsletter.db")
        self.lease: Lease | None = None
        self.exhausted = False
        self.in_flight: set[int] = set()
        self.gathered: list[Outcome] = []
        self.untouchable: set[int] = set()
        self.left: set[int] = set()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    @precondition(lambda self: self.lease is None)
    @rule()
    def claims(self) -> None:
        self.lease = claim(self.store, 1, "tests")
        self.exhausted = False

    @precondition(lambda self: self.lease is not None)
    @rule(limit=st.integers(1, 5))
    def offers(self, limit: int) -> None:
        assert self.lease
        found = offer(self.store, self.lease, limit, self.gathered)
        self.gathered = []
        self.exhausted = found.exhausted
        now = {each.position for each in found.deliveries}
        assert not now & self.untouchable
        assert not now & self.in_flight
        assert not now & self.left
        self.in_flight |= now

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), result=results)
    def hears(self, data: st.DataObject, result: Result) -> None:
        position = data.draw(st.sampled_from(sorted(self.in_flight)))
        self.in_flight.remove(position)
        self.gathered.append(Outcome(position, result, 250))
        if result in {Result.ACCEPTED, Result.UNCERTAIN, Result.FAILED}:
            self.untouchable.add(position)

    @precondition(lambda self: self.lease is not None)
    @rule()
    def settles(self) -> None:
        assert self.lease
        settle(self.store, self.lease, self.gathered)
        self.gathered = []

    @precondition(lambda self: self.lease is not None)
    @rule()
    def ends(self) -> None:
        assert self.lease
        self.untouchable |= self.in_flight
        if self.exhausted:
            at_once = RetryPolicy(first_delay=0.0, longest_delay=0.0)
            finish(self.store, self.lease, self.gathered, policy=at_once)
        else:
            release(self.store, self.lease, self.gathered)
        self._forget()

    @precondition(lambda self: self.lease is not None)
    @rule()
    def crashes(self) -> None:
        self.untouchable |= self.in_flight | {outcome.position for outcome in self.gathered}
        recover(self.store, 1, self.folder)
        self._forget()

    def _forget(self) -> None:
        self.lease, self.in_flight, self.gathered = None, set(), []

    @rule(position=people, suppressed=st.booleans())
    def leaves(self, position: int, suppressed: bool) -> None:
        if position not in self.left:
            (suppress if suppressed else unsubscribe)(self.store, position)
            self.left.add(position)

    @rule(state=st.sampled_from(["paused", "sending", "sending"]))
    def pauses_or_resumes(self, state: str) -> None:
        set_state(self.store, 1, state)

    @rule(position=people, result=st.sampled_from([Result.ACCEPTED, Result.FAILED]))
    def somebody_resolves(self, position: int, result: Result) -> None:
        resolve(self.store, 1, [position], result, note="asked")

    @rule()
    def time_passes(self) -> None:
        due_now(self.store)

    @invariant()
    def everybody_is_in_one_state(self) -> None:
        if hasattr(self, "store"):
            result = counts(self.store, 1)
            assert result.audience == PEOPLE


@contextmanager
def frozen(folder: Path) -> Iterator[Path]:
    path = folder / "template.db"
    store = open_url(make_url(f"sqlite:///{path}"))
    freeze(store, PEOPLE, skipped=2, chunk=5)
    store.close()
    yield path


def test_any_order_of_events(tmp_path: Path) -> None:
    with frozen(tmp_path) as template:
        machine = type("Frozen", (Campaign,), {"template": template})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
