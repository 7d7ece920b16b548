"""One message, any number of drains: who may take it, and how it ends, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from newsletter.audience.keys import Keys
from newsletter.queues.outgoing import (
    LONGEST_WAIT_S,
    NewMessage,
    OutgoingMessage,
    QueueDepth,
    Scope,
    depth,
    enqueue,
    expired,
    give_up,
    keep,
    next_due,
    put_off,
    release_all,
    remove,
    stranded,
    take_due,
)
from newsletter.queues.tables import outgoing_message
from newsletter.settings.model import Publication, Settings, Smtp
from newsletter.store.engine import Store
from newsletter.transactional import drain
from newsletter.transactional.drain import Drain
from tests.support.smtp_server import Fault, Server

KEYS = Keys(b"s" * 32, b"u" * 32)
PROJECT = Path(__file__).parents[3]
NOW = 1_790_000_000.0
ALL = Scope(kinds=("join",), transport="", alone=False)


def ask(store: Store, *emails: str, at: float = NOW, lifetime: float = 3600.0) -> None:
    """Owe these addresses a confirmation."""
    details = {"lists": ["readers"], "language": "en"}
    with store.write() as connection:
        for email in emails:
            message = NewMessage("join", email, email, "en", "smtp", at + lifetime, details=details)
            enqueue(connection, message, at)


def take(
    store: Store, now: float = NOW, scope: Scope = ALL, count: int = 9
) -> list[OutgoingMessage]:
    with store.write() as connection:
        return take_due(connection, now, scope, count=count, lease_s=60.0)


def rows(store: Store) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(select(outgoing_message).order_by(outgoing_message.c.id)))


def test_what_one_has_taken_no_other_takes(store: Store) -> None:
    ask(store, "a@reader.example", "b@reader.example", "c@reader.example")
    assert [one.email[0] for one in take(store, count=2)] == ["a", "b"]
    assert [(one.email[0], one.tries) for one in take(store)] == [("c", 1)]
    assert take(store) == []


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_what_is_being_taken_is_passed_over(store: Store) -> None:
    ask(store, "a@reader.example", "b@reader.example")
    with store.write() as connection:
        (first,) = take_due(connection, NOW, ALL, count=1, lease_s=60.0)
        assert [one.id for one in take(store)] == [first.id + 1]


def test_a_lease_comes_back_when_it_has_run_out_and_not_before(store: Store) -> None:
    ask(store, "a@reader.example")
    (mine,) = take(store)
    with store.write() as connection:
        assert stranded(connection, NOW + 59.0, ALL, ()) == []
        assert next_due(connection, NOW, ALL, ()) == NOW + 60.0
        keep(connection, [mine.id], NOW + 90.0)
        assert stranded(connection, NOW + 61.0, ALL, ()) == []
        assert stranded(connection, NOW + 91.0, ALL, [mine.id]) == []
        (left,) = stranded(connection, NOW + 91.0, ALL, ())
        assert left == mine


def test_who_is_alone_need_not_wait_for_a_lease(store: Store) -> None:
    ask(store, "a@reader.example")
    (mine,) = take(store)
    alone = Scope(kinds=("join",), transport="", alone=True)
    with store.write() as connection:
        assert next_due(connection, NOW, alone, ()) == NOW
        assert stranded(connection, NOW, alone, ()) == [mine]
        assert next_due(connection, NOW, alone, [mine.id]) is None


def test_who_has_lost_the_lease_settles_nothing_of_the_next_one(store: Store) -> None:
    ask(store, "a@reader.example")
    (mine,) = take(store)
    with store.write() as connection:
        put_off(connection, mine, NOW)
    (theirs,) = take(store)
    assert (theirs.fence, theirs.tries) == (2, 2)
    with store.write() as connection:
        remove(connection, mine)
        put_off(connection, mine, NOW)
        assert not give_up(connection, mine, 550, "5.1.1")
    (row,) = rows(store)
    assert (row.state, row.fence, row.tries) == ("sending", 2, 2)


def test_only_what_is_in_reach_and_known_is_taken(store: Store) -> None:
    ask(store, "a@reader.example")
    files = Scope(kinds=("join",), transport="outbox", alone=False)
    others = Scope(kinds=("welcome",), transport="", alone=False)
    for scope in (files, others):
        assert take(store, scope=scope) == []
        with store.read() as connection:
            assert next_due(connection, NOW, scope, ()) is None


def test_what_has_expired_is_not_sent(store: Store) -> None:
    ask(store, "a@reader.example", lifetime=10.0)
    assert take(store, NOW + 10.0) == []
    with store.write() as connection:
        assert [one.email for one in expired(connection, NOW + 10.0)] == ["a@reader.example"]
        assert expired(connection, NOW + 9.0) == []


def test_what_a_wrong_clock_put_off_is_due_now(store: Store) -> None:
    ask(store, "a@reader.example", at=NOW + LONGEST_WAIT_S + 1.0)
    with store.read() as connection:
        assert next_due(connection, NOW, ALL, ()) == NOW
    assert len(take(store)) == 1


def test_a_copy_of_the_database_has_no_leases(store: Store) -> None:
    ask(store, "a@reader.example")
    take(store)
    with store.write() as connection:
        release_all(connection)
    assert len(take(store)) == 1


def test_the_depth_counts_what_waits_by_kind_and_since_when(store: Store) -> None:
    with store.read() as connection:
        assert depth(connection) == QueueDepth({}, None)
    ask(store, "a@reader.example", at=NOW)
    ask(store, "b@reader.example", "c@reader.example", at=NOW + 5.0)
    (gone,) = take(store, count=1)
    with store.write() as connection:
        give_up(connection, gone, 550, "5.1.1")
    with store.read() as connection:
        found = depth(connection)
    assert found.counts == {("join", "waiting"): 2, ("join", "failed"): 1}
    assert found.oldest_at == NOW + 5.0


def settings_of(tmp_path: Path, port: int) -> Settings:
    publication = Publication(
        name="The letter",
        from_name="The Clinic",
        from_address="letter@clinic.example",
        list_id="letter.clinic.example",
        public_url="https://news.clinic.example",
        postal_address="1 Sample Street",
    )
    smtp = Smtp(host="127.0.0.1", port=port, security="none")
    return Settings(
        publication=publication, root=PROJECT, var_dir=tmp_path, transport="smtp", smtp=smtp
    )


def wait_until_due(store: Store) -> None:
    with store.write() as connection:
        connection.execute(update(outgoing_message).values(due_at=1.0))


def test_drains_side_by_side_send_each_message_once(store: Store, tmp_path: Path) -> None:
    """Some are put off meanwhile, so that they pass from one drain to another."""
    people = [f"r{number}@reader.example" for number in range(60)]

    async def send() -> list[str]:
        later = Fault("rcpt", reply="451 4.7.1 later", every=3, times=30)
        async with Server(faults=[later]) as server:
            settings = settings_of(tmp_path, server.port)
            with store.write() as connection:
                at = store.now(connection)
            ask(store, *people, at=at)
            drains = [Drain(store, KEYS, settings) for _ in range(3)]
            while rows(store):
                wait_until_due(store)
                await asyncio.gather(*(each.once() for each in drains))
            return [message.rcpt_to[0] for message in server.received]

    assert sorted(asyncio.run(send())) == sorted(people)


def test_a_drain_that_lost_its_leases_begins_nothing_more(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a machine was suspended: what it held is somebody else's by now."""
    monkeypatch.setattr(drain, "LEASE_S", -1.0)

    async def send() -> tuple[int, int]:
        async with Server() as server:
            with store.write() as connection:
                at = store.now(connection)
            ask(store, "a@reader.example", at=at)
            stop = asyncio.Event()
            run = asyncio.create_task(
                Drain(store, KEYS, settings_of(tmp_path, server.port)).run(stop)
            )
            while not server.connections:
                await asyncio.sleep(0.01)
            stop.set()
            await run
            return len(server.received), len(rows(store))

    assert asyncio.run(send()) == (0, 1)
