"""The ledger held against the receiver, row by row."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.delivery.ledger.outcomes import DeliveryOutcome, count_outcomes, delivery_outcomes
from newsletter.store.engine import Store
from tests.chaos.receiver import LOG

STATES = ("accepted", "deferred", "failed", "uncertain", "queued", "skipped")
NEVER_TAKEN = frozenset(STATES) - {"accepted", "uncertain"}


@dataclass
class Received:
    """What the receiver says."""

    took: Counter[str] = field(default_factory=Counter)
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    refused: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)


@dataclass
class Audit:
    """What came out. ``wrong`` names every row that does not agree; it must be empty."""

    audience: int = 0
    states: Counter[str] = field(default_factory=Counter)
    taken: int = 0
    lost: int = 0
    doubled: int = 0
    unanswered: int = 0
    """Uncertain since the receiver said nothing, on purpose."""
    cut_off: int = 0
    """Uncertain for another reason: the sender was killed."""
    wrong: list[str] = field(default_factory=list)


def read_log(folder: Path) -> Received:
    """Everything that the receiver wrote down."""
    found = Received()
    for line in (folder / LOG).read_text().splitlines():
        word, recipient, *rest = line.split(" ")
        if word == "took":
            found.took[recipient] += 1
            found.ids[recipient].add(rest[0])
        elif word == "refused":
            found.refused.add(recipient)
        else:
            found.silent.add(recipient)
    return found


def number_taken(folder: Path) -> int:
    """How many messages the receiver took so far."""
    path = folder / LOG
    return path.read_bytes().count(b"took ") if path.exists() else 0


def audit(store: Store, campaign_id: int, folder: Path, *, most_cut_off: int) -> Audit:
    """Compare; senders and receiver have ended.

    Args:
        folder: Where the receiver kept its log.
        most_cut_off: Connections that were open when a sender was killed, over all kills.
    """
    received = read_log(folder)
    with store.read() as connection:
        fates = list(delivery_outcomes(connection, campaign_id))
        counts = count_outcomes(connection, campaign_id)
    result = Audit(len(fates), Counter(fate.state for fate in fates), received.took.total())
    for fate in fates:
        _check(result, fate, received)
    _check_sums(result, counts.audience, received, {fate.email for fate in fates})
    counted = {state: getattr(counts, state) for state in STATES[:-1]}
    counted["skipped"] = sum(counts.skipped.values())
    if +Counter(counted) != result.states:
        result.wrong.append(f"the tally says {counted}, the rows {dict(result.states)}")
    if result.cut_off > most_cut_off:
        result.wrong.append(f"{result.cut_off} uncertain, and at most {most_cut_off} can be")
    return result


def _check(result: Audit, fate: DeliveryOutcome, received: Received) -> None:
    taken = received.took[fate.email]
    if taken > 1:
        result.doubled += 1
        result.wrong.append(f"{fate} was received {taken} times")
    if (fate.state == "accepted" and not taken) or fate.state in {"queued", "deferred"}:
        result.lost += 1
        result.wrong.append(f"{fate} was received {taken} times, and nobody sends it any more")
    elif fate.state in NEVER_TAKEN and taken:
        result.wrong.append(f"{fate} was received {taken} times")
    if fate.state == "failed" and fate.email not in received.refused:
        result.wrong.append(f"{fate} was never refused")
    if fate.state == "uncertain":
        silent = fate.email in received.silent
        result.unanswered += silent
        result.cut_off += not silent


def _check_sums(result: Audit, audience: int, received: Received, known: set[str]) -> None:
    ids = [each for found in received.ids.values() for each in found]
    if any(len(found) > 1 for found in received.ids.values()) or len(ids) != len(set(ids)):
        result.wrong.append("a Message-ID is not one delivery's own")
    if strangers := received.took.keys() - known:
        result.wrong.append(f"{len(strangers)} who are not in the audience got something")
    if audience != result.audience:
        result.wrong.append(f"{result.audience} rows for an audience of {audience}")
