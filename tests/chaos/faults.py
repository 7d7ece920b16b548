"""When the receiver misbehaves: drawn from a seed, recipient and visit, whoever comes first."""

from __future__ import annotations

import random
from collections import Counter

Odds = dict[str, dict[str, float]]

CALM: Odds = {}
ROUGH: Odds = {
    "greeting": {"close": 0.01},
    "rcpt": {"defer": 0.02, "refuse": 0.01, "close": 0.003, "drop": 0.005, "stall": 0.0001},
    "data": {"defer": 0.01, "refuse": 0.003, "drop": 0.003},
    "body": {"drop": 0.002},
    "dot": {
        "defer": 0.01,
        "refuse": 0.005,
        "close": 0.003,
        "drop": 0.002,
        "take and drop": 0.002,
        "take and stall": 0.0001,
        "stall": 0.0001,
    },
}
"""For each step the chance of each fault: ``close`` says 421, ``drop`` says nothing."""

KINDS = {"calm": CALM, "rough": ROUGH}
REPLIES = {
    "close": "421 4.3.2 closing",
    "defer": "451 4.7.1 greylisted, try later",
    "refuse": "550 5.1.1 no such mailbox",
}


class Dice:
    """Decides at every step of every visit what goes wrong."""

    def __init__(self, seed: int, odds: Odds) -> None:
        self._seed = seed
        self._odds = odds
        self._visits: Counter[tuple[str, str]] = Counter()

    def throw(self, step: str, recipient: str = "") -> str:
        """The fault that is due now; empty for none."""
        self._visits[step, recipient] += 1
        visit = self._visits[step, recipient]
        left = random.Random(f"{self._seed} {step} {recipient} {visit}").random()
        for fault, chance in self._odds.get(step, {}).items():
            left -= chance
            if left < 0:
                return fault
        return ""
