"""The ledger's rules, on a real database file."""

from pathlib import Path

import pytest
from sqlalchemy import func, make_url, select, update

from newsletter.database.open import open_url
from newsletter.delivery.ledger import leases
from newsletter.delivery.ledger.attempts import Place, append
from newsletter.delivery.ledger.chunks import plan
from newsletter.delivery.ledger.leases import (
    Lease,
    claim,
    finish,
    record_outcomes,
    release,
    reserve_batch,
)
from newsletter.delivery.ledger.outcomes import taken_or_uncertain
from newsletter.delivery.ledger.recover import recover, resolve
from newsletter.delivery.ledger.retry import RetryPolicy
from newsletter.delivery.ledger.sending_lock import sending_lock
from newsletter.delivery.ledger.tables import campaign, campaign_event, delivery
from newsletter.delivery.model import Outcome, Result
from newsletter.errors import RefusedError
from newsletter.store.engine import Store
from tests.integration.delivery.campaigns import (
    chunk_states,
    counts,
    due_now,
    freeze,
    owner_died,
    set_state,
    suppress,
    unsubscribe,
)


def claimed(store: Store, campaign_id: int) -> Lease:
    lease = claim(store, campaign_id, "tests")
    assert lease is not None
    return lease


def accepted(*positions: int) -> list[Outcome]:
    return [Outcome(position, Result.ACCEPTED, 250) for position in positions]


def positions(found: leases.ReservedBatch) -> list[int]:
    return [each.position for each in found.deliveries]


def test_each_chunk_is_claimed_once_and_each_position_offered_once(store: Store) -> None:
    campaign_id = freeze(store, 10, chunk=4)
    seen: list[int] = []
    while lease := claim(store, campaign_id, "tests"):
        while not (found := reserve_batch(store, lease, 3)).exhausted:
            seen += positions(found)
        seen += positions(found)
        finish(store, lease, accepted(*seen))
    assert seen == list(range(1, 11))
    assert counts(store, campaign_id).accepted == 10
    assert chunk_states(store) == [("first", "done")] * 3


def test_frozen_skips_are_never_offered_and_counted_by_reason(store: Store) -> None:
    campaign_id = freeze(store, 5, skipped=2)
    lease = claimed(store, campaign_id)
    assert positions(reserve_batch(store, lease, 10)) == [1, 2, 3]
    finish(store, lease, accepted(1, 2, 3))
    result = counts(store, campaign_id)
    assert (result.accepted, dict(result.skipped)) == (3, {"bounced": 2})


def test_whoever_left_before_the_offer_is_skipped(store: Store) -> None:
    campaign_id = freeze(store, 6)
    lease = claimed(store, campaign_id)
    suppress(store, 2, "complained")
    unsubscribe(store, 3)
    assert positions(reserve_batch(store, lease, 4)) == [1, 4]
    unsubscribe(store, 4)
    suppress(store, 5)
    assert positions(reserve_batch(store, lease, 10)) == [6]
    finish(store, lease, accepted(1, 4, 6))
    result = counts(store, campaign_id)
    assert result.accepted == 3
    assert dict(result.skipped) == {"complained": 1, "unsubscribed": 2}


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_a_campaign_that_halts_is_offered_nothing(store: Store, state: str) -> None:
    campaign_id = freeze(store, 6)
    lease = claimed(store, campaign_id)
    reserve_batch(store, lease, 2)
    set_state(store, campaign_id, state)
    halted = reserve_batch(store, lease, 2, accepted(1, 2))
    assert halted.halted
    assert positions(halted) == []
    release(store, lease, [])
    assert claim(store, campaign_id, "tests") is None
    result = counts(store, campaign_id)
    assert result.accepted == 2
    assert (result.queued, result.skipped) == {
        "paused": (4, {}),
        "cancelled": (0, {"cancelled": 4}),
    }[state]


def test_a_lost_lease_offers_nothing_and_settles_only_what_is_uncertain(
    store: Store, tmp_path: Path
) -> None:
    campaign_id = freeze(store, 6)
    old = claimed(store, campaign_id)
    reserve_batch(store, old, 3)
    owner_died(store)
    recover(store, tmp_path)
    new = claimed(store, campaign_id)
    assert new.chunk_id == old.chunk_id
    assert reserve_batch(store, old, 3).halted
    assert counts(store, campaign_id).uncertain == 3

    assert positions(reserve_batch(store, new, 1)) == [4]
    late = [*accepted(1), Outcome(2, Result.FAILED, 550), Outcome(4, Result.FAILED, 550)]
    record_outcomes(store, old, late)
    finish_rest = reserve_batch(store, new, 10)
    finish(store, new, accepted(4, *positions(finish_rest)))
    result = counts(store, campaign_id)
    assert (result.accepted, result.failed, result.uncertain) == (4, 1, 1)


def test_a_late_deferral_of_a_finished_chunk_is_tried_again(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 2)
    old = claimed(store, campaign_id)
    reserve_batch(store, old, 10)
    owner_died(store)
    recover(store, tmp_path)
    finish(store, claimed(store, campaign_id), [])
    record_outcomes(store, old, [Outcome(1, Result.DEFERRED, 451)])
    assert chunk_states(store) == [("first", "done"), ("retry", "ready")]
    assert counts(store, campaign_id).deferred == 1
    due_now(store)
    retry = claimed(store, campaign_id)
    assert positions(reserve_batch(store, retry, 10)) == [1]


def test_who_comes_back_after_the_end_is_not_forgotten(store: Store, tmp_path: Path) -> None:
    campaign_id = freeze(store, 2)
    frozen = claimed(store, campaign_id)
    reserve_batch(store, frozen, 10)
    owner_died(store)
    recover(store, tmp_path)
    finish(store, claimed(store, campaign_id), [])
    with store.write() as connection:
        connection.execute(update(campaign).values(state="finished", finished_at=1.0))
    record_outcomes(store, frozen, [*accepted(1), Outcome(2, Result.RETURNED)])
    with store.read() as connection:
        assert connection.execute(select(campaign.c.state)).scalar_one() == "sending"
        note = connection.execute(select(campaign_event.c.note)).scalars().all()[-1]
    assert "requeued" in note
    assert counts(store, campaign_id).queued == 1
    assert positions(reserve_batch(store, claimed(store, campaign_id), 10)) == [2]


def test_nothing_offered_is_left_without_a_word(store: Store) -> None:
    campaign_id = freeze(store, 3)
    lease = claimed(store, campaign_id)
    reserve_batch(store, lease, 10)
    finish(store, lease, accepted(1))
    result = counts(store, campaign_id)
    assert (result.accepted, result.uncertain) == (1, 2)


def test_offered_counts_as_queued_while_the_sender_lives_and_as_uncertain_after(
    store: Store,
) -> None:
    campaign_id = freeze(store, 3)
    with sending_lock(store):
        reserve_batch(store, claimed(store, campaign_id), 2)
        assert counts(store, campaign_id).queued == 3
    owner_died(store)
    result = counts(store, campaign_id)
    assert (result.queued, result.uncertain) == (1, 2)


def test_deferred_deliveries_come_again_and_only_they(store: Store) -> None:
    campaign_id = freeze(store, 4)
    lease = claimed(store, campaign_id)
    reserve_batch(store, lease, 10)
    ends = [Outcome(2, Result.DEFERRED, 451, "4.7.1"), Outcome(3, Result.FAILED, 550, "5.1.1")]
    finish(store, lease, [*accepted(1, 4), *ends])
    assert claim(store, campaign_id, "tests") is None
    assert counts(store, campaign_id).deferred == 1
    due_now(store)
    retry = claimed(store, campaign_id)
    assert positions(reserve_batch(store, retry, 10)) == [2]
    finish(store, retry, accepted(2))
    result = counts(store, campaign_id)
    assert (result.accepted, result.failed, result.deferred) == (3, 1, 0)


def test_patience_ends_in_failure_with_the_last_reply_kept(store: Store) -> None:
    campaign_id = freeze(store, 1)
    lease = claimed(store, campaign_id)
    reserve_batch(store, lease, 10)
    never = RetryPolicy(give_up_after=0.0)
    finish(store, lease, [Outcome(1, Result.DEFERRED, 451, "4.2.2", "mailbox full")], policy=never)
    assert counts(store, campaign_id).failed == 1
    assert chunk_states(store) == [("first", "done")]


def test_what_is_returned_goes_back_into_the_queue_at_once(store: Store) -> None:
    campaign_id = freeze(store, 3)
    lease = claimed(store, campaign_id)
    reserve_batch(store, lease, 10)
    finish(store, lease, [*accepted(1), Outcome(2, Result.RETURNED), Outcome(3, Result.RETURNED)])
    assert counts(store, campaign_id).queued == 2
    again = claimed(store, campaign_id)
    assert again.kind == "returned"
    suppress(store, 3)
    assert positions(reserve_batch(store, again, 10)) == [2]
    finish(store, again, [Outcome(2, Result.DEFERRED, 451)])
    result = counts(store, campaign_id)
    assert (result.accepted, result.deferred, dict(result.skipped)) == (1, 1, {"unsubscribed": 1})


def test_acceptance_closes_a_delivery_that_waits_in_a_later_chunk(store: Store) -> None:
    campaign_id = freeze(store, 2)
    lease = claimed(store, campaign_id)
    reserve_batch(store, lease, 10)
    finish(store, lease, [Outcome(1, Result.UNCERTAIN), Outcome(2, Result.UNCERTAIN)])
    assert resolve(store, campaign_id, [1, 2], Result.RETURNED, note="asked them") == 2
    assert counts(store, campaign_id).queued == 2
    with store.write() as connection:
        append(connection, Place(campaign_id, 2), accepted(1), 0.0)
    assert counts(store, campaign_id).accepted == 1
    again = claimed(store, campaign_id)
    assert positions(reserve_batch(store, again, 10)) == [2]


@pytest.mark.parametrize("verdict", [Result.ACCEPTED, Result.FAILED])
def test_a_person_resolves_what_is_uncertain_and_nothing_else(
    store: Store, verdict: Result
) -> None:
    campaign_id = freeze(store, 2)
    lease = claimed(store, campaign_id)
    reserve_batch(store, lease, 10)
    finish(store, lease, [*accepted(1), Outcome(2, Result.UNCERTAIN)])
    assert resolve(store, campaign_id, [1, 2], verdict, note="asked") == 1
    result = counts(store, campaign_id)
    assert result.uncertain == 0
    assert getattr(result, verdict.value) == (2 if verdict == Result.ACCEPTED else 1)


def test_what_a_person_returns_before_the_chunk_ends_is_queued_once(
    store: Store, tmp_path: Path
) -> None:
    campaign_id = freeze(store, 3)
    reserve_batch(store, claimed(store, campaign_id), 2)
    owner_died(store)
    recover(store, tmp_path)
    resolve(store, campaign_id, [1], Result.RETURNED, note="asked")
    lease = claimed(store, campaign_id)
    assert positions(reserve_batch(store, lease, 10)) == [3]
    finish(store, lease, accepted(3))
    again = claimed(store, campaign_id)
    assert positions(reserve_batch(store, again, 10)) == [1]
    finish(store, again, accepted(1))
    assert claim(store, campaign_id, "tests") is None
    result = counts(store, campaign_id)
    assert (result.accepted, result.uncertain) == (2, 1)


def test_another_campaign_can_tell_who_has_it_or_may(store: Store) -> None:
    campaign_id = freeze(store, 6, skipped=1)
    lease = claimed(store, campaign_id)
    reserve_batch(store, lease, 4)
    record_outcomes(
        store, lease, [*accepted(1), Outcome(2, Result.FAILED), Outcome(3, Result.UNCERTAIN)]
    )
    earlier = delivery.alias("earlier")
    with store.read() as connection:
        found = connection.execute(
            select(earlier.c.position).where(taken_or_uncertain(earlier))
        ).scalars()
        assert sorted(found) == [1, 3, 4]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_second_sender_is_refused(store: Store, store_url: str) -> None:
    other = open_url(make_url(store_url))
    refused = pytest.raises(RefusedError, match="another process is sending")
    with sending_lock(store), refused, sending_lock(other):
        pass
    with sending_lock(other):
        pass
    other.close()


def test_a_second_sender_is_refused_by_whatever_link_it_comes(tmp_path: Path) -> None:
    store = open_url(make_url(f"sqlite:///{tmp_path / 'newsletter.db'}"))
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(tmp_path / "newsletter.db")
    other = open_url(make_url(f"sqlite:///{link}"))
    with sending_lock(store), pytest.raises(RefusedError), sending_lock(other):
        pass
    store.close()
    other.close()


def test_planning_nobody_makes_no_chunk(store: Store) -> None:
    campaign_id = freeze(store, 1)
    with store.write() as connection:
        plan(connection, campaign_id + 1)
        assert connection.execute(select(func.count()).select_from(leases.chunk)).scalar() == 1
