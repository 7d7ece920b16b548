"""A reader moves to another address and leaves in the same instant: they get no mail at either."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from newsletter.audience.consent.preferences import change_address, gets_mail, reader
from newsletter.audience.subscribers import Consent, add, find, subscribe
from newsletter.database.erasure import erase
from tests.integration.audience.imports import Importer

OLD, NEW = "maria@old.example", "maria@new.example"
CONSENT = Consent("mailed-link", 2.0)
WAIT_S = 30

only_postgres = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)


@pytest.fixture
def uid(app: Importer) -> int:
    with app.store.write() as connection:
        person = add(connection, OLD, app.keys, at=1.0)
        subscribe(connection, person, "readers", Consent("form", 1.0))
    return int(person.uid)


def in_a_thread(work: Callable[[], object]) -> Future[object]:
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work)
    finally:
        pool.shutdown(wait=False)


@only_postgres
def test_who_leaves_after_their_row_was_read_does_not_move_away_from_that_wish(
    app: Importer, uid: int
) -> None:
    has_read, has_left = threading.Event(), threading.Event()

    def move() -> bool | None:
        with app.store.write() as connection:
            person = reader(connection, uid)
            assert person is not None
            has_read.set()
            assert has_left.wait(WAIT_S)
            return change_address(connection, person, NEW, app.keys, CONSENT)

    moved = in_a_thread(move)
    assert has_read.wait(WAIT_S)
    assert app.leave(OLD).changed
    has_left.set()
    assert moved.result(WAIT_S) is None
    assert app.show(OLD)["suppressed"] == ["unsubscribed"]
    assert app.show(NEW)["known"] is False


@only_postgres
def test_who_leaves_while_they_move_leaves_at_the_new_address(app: Importer, uid: int) -> None:
    with app.store.write() as connection:
        person = reader(connection, uid)
        assert person is not None
        assert change_address(connection, person, NEW, app.keys, CONSENT)
        left = in_a_thread(lambda: app.leave(OLD))
        time.sleep(0.2)
        assert not left.done()
    left.result(WAIT_S)
    assert app.show(NEW)["suppressed"] == ["unsubscribed"]
    with app.store.read() as connection:
        assert not gets_mail(connection, uid)


def test_who_was_erased_meanwhile_is_not_moved(app: Importer, uid: int) -> None:
    with app.store.read() as connection:
        person = reader(connection, uid)
    assert person is not None
    erase(app.store, OLD, app.keys, by="office")
    with app.store.write() as connection:
        assert change_address(connection, person, NEW, app.keys, CONSENT) is None
        assert find(connection, NEW) is None
