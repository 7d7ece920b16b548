"""The words of servers, by what they mean. Said at RCPT, so that only the words decide.

``words/dead.txt``: the address is dead. ``words/full.txt``: its mailbox is full.
``words/alive.txt``: it is about us or a server on the way, or says
nothing about the recipient.
"""

from pathlib import Path

import pytest

from newsletter.feedback.diagnostics import find_reply, judge

WORDS = Path(__file__).parent / "words"
DEAD, FULL, ALIVE = (
    (WORDS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    for name in ("dead", "full", "alive")
)


def verdict(words: str) -> str:
    return judge(find_reply(f"host said: {words} (in reply to RCPT TO command)"))


@pytest.mark.parametrize("words", DEAD)
def test_the_address_is_dead(words):
    assert verdict(words) == "hard"


@pytest.mark.parametrize("words", FULL)
def test_the_mailbox_is_full(words):
    assert verdict(words) == "temporary"


@pytest.mark.parametrize("words", ALIVE)
def test_the_address_is_not_called_dead(words):
    assert verdict(words) != "hard"


@pytest.mark.parametrize("words", [*DEAD, *FULL, *ALIVE])
def test_before_rcpt_no_address_is_called_dead(words):
    assert judge(find_reply(f"{words} (in reply to MAIL FROM command)")) != "hard"
