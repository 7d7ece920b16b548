"""Limits and single use hold on both databases, and between threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from newsletter.audience.consent.action_links import make_link, redeem
from newsletter.audience.model import LinkAction
from newsletter.delivery.ledger.tables import rate
from newsletter.store.engine import Store
from newsletter.transactional.limits import Limit, give_back, mailbox_of, take, take_all
from newsletter.web.http.rate_limits import network_of
from tests.integration.web.conftest import KEYS

LIMIT = Limit("test", 3, 60.0)
NOW = 1_790_000_000.0


def ask(store: Store, now: float, who: str = "192.0.2.1") -> float:
    with store.write() as connection:
        return take(connection, LIMIT, who, KEYS, now)


def test_a_burst_then_one_a_minute(store: Store) -> None:
    assert [ask(store, NOW) for _ in range(4)] == [0.0, 0.0, 0.0, 60.0]
    assert ask(store, NOW + 59) == pytest.approx(1.0)
    assert ask(store, NOW + 60) == 0.0
    assert ask(store, NOW + 60) == pytest.approx(60.0)
    assert ask(store, NOW, "192.0.2.2") == 0.0


def test_what_came_to_nothing_is_given_back(store: Store) -> None:
    for _ in range(3):
        ask(store, NOW)
    with store.write() as connection:
        give_back(connection, LIMIT, "192.0.2.1", KEYS)
    assert ask(store, NOW) == 0.0


def test_of_several_limits_all_count_or_none(store: Store) -> None:
    day, month = Limit("day", 1, 60.0), Limit("month", 1, 3600.0)
    with store.write() as connection:
        assert take_all(connection, (day, month), "a", KEYS, NOW)
        assert not take_all(connection, (day, month), "a", KEYS, NOW + 61)
        assert take(connection, day, "a", KEYS, NOW + 61) == 0.0


def test_a_clock_set_back_locks_nobody_out(store: Store) -> None:
    for _ in range(3):
        ask(store, NOW)
    assert 0 < ask(store, NOW - 1e6) <= 60.0


def test_visitors_are_forgotten_when_their_limit_has_run_out(store: Store) -> None:
    for n in range(5):
        ask(store, NOW, f"192.0.2.{n}")
    ask(store, NOW + 61, "198.51.100.1")
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(rate)).scalar() == 1


def test_processes_count_together(store: Store) -> None:
    with ThreadPoolExecutor(6) as pool:
        waits = list(pool.map(lambda _: ask(store, NOW), range(12)))
    assert waits.count(0.0) == 3


def test_of_two_who_use_a_link_one_gets_it(store: Store) -> None:
    with store.write() as connection:
        link = make_link(connection, LinkAction.JOIN, "a@b.example", at=NOW, lifetime=60.0)

    def use(_: int) -> bool:
        with store.write() as connection:
            return redeem(connection, link.id, NOW) is not None

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(use, range(6))).count(True) == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_what_counts_as_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_spellings_of_one_mailbox() -> None:
    assert mailbox_of("n.e.w+tag@reader.example") == mailbox_of("new@reader.example")
    assert mailbox_of("new@a.example") != mailbox_of("new@b.example")
