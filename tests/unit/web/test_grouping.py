"""Who comes during a commit shares the next one, and everybody gets their own answer."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from newsletter.errors import UnavailableError
from newsletter.web.http import group_commit
from newsletter.web.http.group_commit import LARGEST, GroupCommit


class Slow:
    """Doubles numbers, one group at a time, the first one only once it is let go."""

    def __init__(self, refusals: int = 0) -> None:
        self.groups: list[list[int]] = []
        self.done: list[int] = []
        self.go = threading.Event()
        self.refusals = refusals

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.go.wait(60)
        self.groups.append(list(items))
        if self.refusals:
            self.refusals -= 1
            raise UnavailableError("the database went away")
        self.done += items
        return [2 * item for item in items]


async def all_of(together: GroupCommit[int, int], slow: Slow, items: range) -> list[object]:
    """Ask for each while the first group is under way."""
    first = asyncio.create_task(together.do(items[0]))
    await asyncio.sleep(0)
    others = [asyncio.create_task(together.do(item)) for item in items[1:]]
    await asyncio.sleep(0)
    slow.go.set()
    return list(await asyncio.gather(first, *others, return_exceptions=True))


def test_what_waits_goes_together_and_each_gets_its_own() -> None:
    slow = Slow()
    items = range(LARGEST + 50)
    answers = asyncio.run(all_of(GroupCommit(slow), slow, items))
    assert answers == [2 * item for item in items]
    assert slow.groups[0][0] == 0
    assert slow.done == list(items)
    assert len(slow.groups) <= 3
    assert max(map(len, slow.groups)) <= LARGEST


def test_it_serves_one_event_loop_after_another() -> None:
    slow = Slow()
    slow.go.set()
    together = GroupCommit(slow)
    assert [asyncio.run(together.do(n)) for n in (1, 2)] == [2, 4]


def test_a_group_that_is_refused_once_is_done_all_the_same() -> None:
    slow = Slow(refusals=1)
    assert asyncio.run(all_of(GroupCommit(slow), slow, range(3))) == [0, 2, 4]


def test_everybody_in_the_group_is_told_and_the_next_group_is_done() -> None:
    slow = Slow(refusals=2)
    together = GroupCommit(slow)

    async def ask() -> tuple[list[object], int]:
        return await all_of(together, slow, range(1)), await together.do(9)

    (told,), after = asyncio.run(ask())
    assert isinstance(told, UnavailableError)
    assert after == 18


def test_who_goes_away_keeps_nobody_from_their_answer() -> None:
    slow = Slow()
    together = GroupCommit(slow)

    async def ask() -> int:
        gone = asyncio.create_task(together.do(1))
        stays = asyncio.create_task(together.do(2))
        await asyncio.sleep(0)
        gone.cancel()
        slow.go.set()
        return await stays

    assert asyncio.run(ask()) == 4
    assert slow.done == [1, 2]


def test_past_the_limit_it_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MOST_WAITING", 3)
    slow = Slow()
    answers = asyncio.run(all_of(GroupCommit(slow), slow, range(20)))
    refused = [answer for answer in answers if isinstance(answer, UnavailableError)]
    assert refused
    assert len(refused) + len(slow.done) == 20
