"""Changes of state that happen at the same moment, on both databases."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from newsletter.delivery.ledger.leases import claim, finish, reserve_batch
from newsletter.delivery.ledger.recover import resolve
from newsletter.delivery.ledger.states import (
    SYSTEM,
    CampaignState,
    ChunkState,
    lock_state,
    move_chunk,
    transition,
)
from newsletter.delivery.ledger.tables import campaign, campaign_event
from newsletter.delivery.model import Result
from newsletter.delivery.runner.circuit_breaker import trip
from newsletter.store.engine import Store
from tests.integration.delivery.campaigns import chunk_states, counts, freeze

PATIENCE_S = 60


def all_uncertain(store: Store) -> int:
    """A campaign whose two recipients were offered and never answered."""
    campaign_id = freeze(store, 2, chunk=1)
    for _ in range(2):
        lease = claim(store, campaign_id, "tests")
        assert lease
        reserve_batch(store, lease, 1)
        finish(store, lease, [])
    assert counts(store, campaign_id).uncertain == 2
    return campaign_id


def state_of(store: Store, campaign_id: int) -> str:
    with store.read() as connection:
        query = select(campaign.c.state).where(campaign.c.id == campaign_id)
        return str(connection.execute(query).scalar_one())


def test_who_comes_back_while_the_campaign_finishes_is_sent_to(store: Store) -> None:
    campaign_id = all_uncertain(store)
    send_again = threading.Thread(
        target=resolve, args=(store, campaign_id, [1], Result.RETURNED), kwargs={"note": "asked"}
    )
    with store.write() as connection:
        assert lock_state(connection, campaign_id) is CampaignState.SENDING
        send_again.start()
        send_again.join(0.5)
        assert send_again.is_alive(), "it waits for the campaign"
        finished = CampaignState.FINISHED
        transition(connection, campaign_id, finished, by=SYSTEM, now=store.now(connection))
    send_again.join(PATIENCE_S)
    assert state_of(store, campaign_id) == "sending"
    assert claim(store, campaign_id, "tests") is not None


def test_two_who_come_back_at_once_do_not_wait_for_each_other(store: Store) -> None:
    campaign_id = all_uncertain(store)
    with store.write() as connection:
        finished = CampaignState.FINISHED
        transition(connection, campaign_id, finished, by=SYSTEM, now=store.now(connection))
    together = threading.Barrier(2)

    def send_again(position: int) -> None:
        together.wait(PATIENCE_S)
        resolve(store, campaign_id, [position], Result.RETURNED, note="asked")

    threads = [threading.Thread(target=send_again, args=(position,)) for position in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert state_of(store, campaign_id) == "sending"
    assert counts(store, campaign_id).queued == 2
    with store.read() as connection:
        steps = connection.execute(
            select(campaign_event.c.from_state, campaign_event.c.to_state, campaign_event.c.by)
        ).all()
    assert steps == [("sending", "finished", SYSTEM), ("finished", "sending", SYSTEM)]


def test_the_circuit_breaker_pauses_once_and_only_what_sends(store: Store) -> None:
    campaign_id = freeze(store, 2)
    assert trip(store, campaign_id, "too many were refused")
    assert not trip(store, campaign_id, "too many were refused")
    with store.read() as connection:
        found = connection.execute(select(campaign_event)).all()
    assert [(row.from_state, row.to_state, row.by, row.note) for row in found] == [
        ("sending", "paused", SYSTEM, "too many were refused")
    ]


def test_a_chunk_is_leased_before_it_is_done(store: Store) -> None:
    freeze(store, 2)
    with store.write() as connection, pytest.raises(RuntimeError, match="cannot become done"):
        move_chunk(connection, 1, ChunkState.DONE, {})
    assert chunk_states(store) == [("first", "ready")]
