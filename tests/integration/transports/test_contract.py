"""What every transport promises the runner."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr

from newsletter.delivery.model import Delivery, Message, Outcome, Result, Transport
from newsletter.errors import InputError, RefusedError, UnavailableError
from newsletter.settings.model import Publication, Sendgrid, Settings, Smtp, TransportName
from newsletter.transports.base import TransportKind
from newsletter.transports.memory import MemoryTransport
from newsletter.transports.registry import TRANSPORTS, open_transport
from tests.support.receiver import receiving
from tests.support.sendgrid_fake import KEY, sendgrid
from tests.unit.delivery.issues import compiled, composer, reader


@contextmanager
def over_smtp(folder: Path) -> Iterator[Transport]:
    with receiving(folder / "received.txt") as receiver:
        smtp = Smtp(host="127.0.0.1", port=receiver.port, security="none")
        yield open_transport(settings(transport="smtp", smtp=smtp), folder)


@contextmanager
def over_sendgrid(folder: Path) -> Iterator[Transport]:
    with sendgrid() as server:
        yield open_transport(
            settings(
                transport="sendgrid",
                sendgrid=Sendgrid(host=server.url),
                SENDGRID_API_KEY=SecretStr(KEY),
            ),
            folder,
        )


Factory = Callable[[Path], AbstractContextManager[Transport]]
FACTORIES: dict[str, Factory] = {
    # Not from the registry, which refuses to open it.
    "memory": lambda _: nullcontext(MemoryTransport()),
    "file": lambda folder: nullcontext(open_transport(settings(transport="file"), folder)),
    "smtp": over_smtp,
    "sendgrid": over_sendgrid,
}


def settings(**changed: object) -> Settings:
    publication = Publication(
        name="News",
        from_name="News",
        from_address="news@clinic.example",
        list_id="news.clinic.example",
        public_url="https://news.clinic.example",
        postal_address="1 Street",
    )
    return Settings(publication=publication, **changed)


def test_every_registered_transport_is_tested_here() -> None:
    assert set(FACTORIES) == set(TRANSPORTS)
    assert set(TRANSPORTS) == set(get_args(TransportName))


@pytest.mark.parametrize("kind", TRANSPORTS.values(), ids=lambda kind: kind.name)
def test_local_transports_reach_nobody_outside(kind: TransportKind) -> None:
    known = settings(transport=kind.name)
    assert kind.describe(known)
    assert kind.reaches_people(known) or not kind.reaches_outside(known)
    assert bool(kind.provider) == bool(kind.doctor_checks())


def test_sandbox_calls_leave_this_machine_and_mail_nobody() -> None:
    known = settings(transport="sendgrid", sendgrid=Sendgrid(sandbox=True))
    assert not TRANSPORTS["sendgrid"].reaches_people(known)
    assert TRANSPORTS["sendgrid"].reaches_outside(known)


def test_the_memory_transport_refuses_to_send(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="for tests"):
        open_transport(settings(transport="memory"), tmp_path)


class Notes:
    """A journal that records the order of its calls."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int]] = []

    def begun(self, position: int) -> None:
        self.lines.append(("begun", position))

    def replied(self, outcome: Outcome) -> None:
        self.lines.append((outcome.result.value, outcome.position))


class Broken(Notes):
    """A journal on a full disk."""

    def begun(self, position: int) -> None:
        if position == 3:
            raise OSError("no space for the sending journal")
        super().begun(position)


@pytest.fixture(params=sorted(FACTORIES))
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Transport]:
    with FACTORIES[request.param](tmp_path) as made:
        yield made


def deliver(transport: Transport, batch: list[Delivery], notes: Notes) -> list[Outcome]:
    async def main() -> list[Outcome]:
        outcomes = await transport.deliver(batch, composer(compiled()), notes)
        await transport.close()
        return outcomes

    return asyncio.run(main())


def test_every_delivery_has_one_outcome(transport: Transport) -> None:
    outcomes = deliver(transport, [reader(n) for n in range(1, 21)], Notes())
    assert sorted(outcome.position for outcome in outcomes) == list(range(1, 21))
    assert {outcome.result for outcome in outcomes} == {Result.ACCEPTED}


def test_the_journal_has_each_body_before_and_its_reply_after(transport: Transport) -> None:
    notes = Notes()
    deliver(transport, [reader(n) for n in range(1, 6)], notes)
    for position in range(1, 6):
        mine = [word for word, at in notes.lines if at == position]
        assert mine == ["begun", "accepted"]


def test_a_message_that_cannot_be_composed_fails_alone(transport: Transport) -> None:
    bad = Delivery(7, 2, 1002, "two\r\n@mail.example", 0, {})
    notes = Notes()
    outcomes = deliver(transport, [reader(1), bad, reader(3)], notes)
    results = {outcome.position: outcome.result for outcome in outcomes}
    assert results == {1: Result.ACCEPTED, 2: Result.FAILED, 3: Result.ACCEPTED}
    assert ("begun", 2) not in notes.lines


def test_a_broken_journal_stops_the_transport(transport: Transport) -> None:
    broken = Broken()

    async def main() -> None:
        for first in (1, 6):
            batch = [reader(n) for n in range(first, first + 5)]
            await transport.deliver(batch, composer(compiled()), broken)

    with pytest.raises((OSError, UnavailableError), match="no space"):
        asyncio.run(main())
    assert ("begun", 3) not in broken.lines


def test_an_empty_batch_is_accepted(transport: Transport) -> None:
    assert deliver(transport, [], Notes()) == []


def test_two_batches_may_be_under_way(transport: Transport) -> None:
    async def main() -> list[list[Outcome]]:
        compose = composer(compiled())
        batches = ([reader(n) for n in range(1, 4)], [reader(n) for n in range(4, 7)])
        calls = (transport.deliver(batch, compose, Notes()) for batch in batches)
        found = await asyncio.gather(*calls)
        await transport.close()
        return list(found)

    first, second = asyncio.run(main())
    assert sorted(outcome.position for outcome in first) == [1, 2, 3]
    assert sorted(outcome.position for outcome in second) == [4, 5, 6]


def test_the_memory_transport_fails_what_cannot_be_composed() -> None:
    def refuse(_delivery: Delivery) -> Message:
        raise InputError("no")

    async def main() -> list[Outcome]:
        return await MemoryTransport().deliver([reader()], refuse, Notes())

    assert [outcome.result for outcome in asyncio.run(main())] == [Result.FAILED]
