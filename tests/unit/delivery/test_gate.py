"""What was offered and not begun comes back once the gate is closed."""

import asyncio
from pathlib import Path

import pytest

from newsletter.delivery.compose.substitutions import Personalize
from newsletter.delivery.model import Delivery, Message, Outcome, Result, Transport
from newsletter.delivery.runner.gate import gate
from newsletter.transports.file import FileTransport
from newsletter.transports.memory import MemoryTransport
from tests.unit.delivery.issues import compiled, composer, reader


class Notes:
    def __init__(self) -> None:
        self.begun_at: list[int] = []

    def begun(self, position: int) -> None:
        self.begun_at.append(position)

    def replied(self, outcome: Outcome) -> None:
        pass


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_those_after_the_gate_was_closed_are_returned(tmp_path: Path, kind: str) -> None:
    transport: Transport = MemoryTransport() if kind == "memory" else FileTransport(tmp_path)

    def compose(delivery: Delivery) -> Message:
        door.closed = delivery.position == 3
        return composer(compiled())(delivery)

    door = gate(compose)
    notes = Notes()
    batch = [reader(number) for number in range(1, 7)]
    outcomes = asyncio.run(transport.deliver(batch, door, notes))
    results = {outcome.position: outcome.result for outcome in outcomes}
    assert [results[n] for n in range(1, 7)] == [Result.ACCEPTED] * 3 + [Result.RETURNED] * 3
    assert notes.begun_at == [1, 2, 3]


def test_a_gate_is_as_personal_as_what_stands_behind_it() -> None:
    def plain(delivery: Delivery) -> Message:
        raise NotImplementedError

    behind = composer(compiled())
    door = gate(behind)
    assert isinstance(door, Personalize)
    assert not isinstance(gate(plain), Personalize)
    assert door.personal(reader(1)) == behind.personal(reader(1))
    assert door.shared(0) == behind.shared(0)
