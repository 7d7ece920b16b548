"""Calls without a complete response: what may have been accepted is uncertain, never repeated."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from newsletter.delivery.ledger.journal import Evidence, FileJournal, own_evidence
from newsletter.delivery.model import Origin, Outcome, Result
from newsletter.errors import UnavailableError
from newsletter.render.model import Part
from newsletter.settings.model import Sendgrid
from tests.integration.sendgrid.conftest import MakeBench
from tests.integration.sendgrid.sending import COMPOSER, Bench, Log, readers, results
from tests.support.sendgrid_fake import FakeSendGrid, Fault, refusal
from tests.unit.delivery.issues import compiled, composer


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("kind", ["hang", "drop", "cut"])
def test_a_call_without_a_complete_response_is_uncertain(
    bench: MakeBench, server: FakeSendGrid, kind: str, taken: bool
) -> None:
    server.faults.append(Fault(kind, taken=taken))  # type: ignore[arg-type]
    on = bench(timeout=3.0 if kind == "hang" else 60.0)
    outcomes = on.send(readers(5))
    assert results(outcomes) == {"uncertain": 5}
    assert len(server.sent) == (5 if taken else 0)
    assert len(server.asked_at) == 1
    assert not on.log.replies


def test_other_calls_of_the_batch_are_not_affected(bench: MakeBench, server: FakeSendGrid) -> None:
    server.faults.append(Fault("drop", taken=True))
    outcomes = bench(batch=10, concurrency=1).send(readers(30))
    assert results(outcomes) == {"accepted": 20, "uncertain": 10}


def test_a_closed_port_returns_everything(bench: MakeBench, server: FakeSendGrid) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        on = bench(host=f"http://127.0.0.1:{unheard.getsockname()[1]}", batch=2)
        with pytest.raises(UnavailableError, match="out of reach") as caught:
            on.send(readers(5))
    assert "sendgrid.host" in caught.value.fix
    assert {one.result for one in on.log.replies} == {Result.RETURNED}
    assert {one.position for one in on.log.replies} == set(on.log.begun_at)


def test_a_server_without_tls_returns_everything(bench: MakeBench, server: FakeSendGrid) -> None:
    on = bench()
    on.settings = Sendgrid(host=server.url.replace("http:", "https:"))
    with pytest.raises(UnavailableError, match="out of reach"):
        on.send(readers(2))
    assert not server.sent


def test_a_connection_lost_during_the_request_is_retried(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    server.faults += [Fault("early"), Fault("early")]
    outcomes = bench().send(readers(2), composer(compiled(html=Part(("x" * 12_000_000,)))))
    assert results(outcomes) == {"accepted": 2}
    assert len(server.asked_at) == 3


def test_a_full_disk_stops_before_the_call(bench: MakeBench, server: FakeSendGrid) -> None:
    on = bench(batch=5, concurrency=1)
    on.log.full_at = 8
    with pytest.raises(OSError, match="No space"):
        on.send(readers(20))
    assert len(server.sent) <= 5
    assert all(int(one.custom_args["position"]) in on.log.begun_at for one in server.sent)


def test_when_canceled_it_waits_for_calls_under_way(bench: MakeBench, server: FakeSendGrid) -> None:
    server.faults.append(Fault("late", taken=True))
    on = bench(batch=5, concurrency=1)

    async def main() -> None:
        transport = on.transport()
        flight = asyncio.create_task(transport.deliver(readers(20), COMPOSER, on.log))
        while not server.sent:
            await asyncio.sleep(0.01)
        flight.cancel()
        await asyncio.sleep(0.05)
        server.released.set()
        with pytest.raises(asyncio.CancelledError):
            await flight
        await transport.close()

    asyncio.run(main())
    assert on.log.begun_at == [1, 2, 3, 4, 5]
    assert {one.result for one in on.log.replies} == {Result.ACCEPTED}
    assert len(on.log.replies) == len(server.sent) == 5


def test_when_canceled_during_a_wait_it_sends_nothing(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    headers = (("X-RateLimit-Reset", "9999999999"),)
    server.faults += [Fault(status=429, headers=headers)]
    on = bench(batch=5, concurrency=1)

    async def main() -> list[Outcome]:
        transport = on.transport()
        first = await transport.deliver(readers(5), COMPOSER, on.log)
        flight = asyncio.create_task(transport.deliver(readers(5, first=6), COMPOSER, on.log))
        await asyncio.sleep(0.05)
        flight.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flight
        await transport.close()
        return first

    first = asyncio.run(main())
    assert {one.result for one in first} == {Result.DEFERRED}
    assert on.log.begun_at == [1, 2, 3, 4, 5]
    assert len(server.asked_at) == 1


def recalled_after(on: Bench, count: int) -> dict[int, Outcome]:
    """The outcomes of ``count`` deliveries, recalled once the first call was made."""

    async def main() -> list[Outcome]:
        transport = on.transport()
        flight = asyncio.create_task(transport.deliver(readers(count), COMPOSER, on.log))
        while not on.server.asked_at:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        transport.recall()
        on.server.released.set()
        outcomes = await asyncio.wait_for(flight, 60)
        await transport.close()
        return outcomes

    return on.promises(readers(count), asyncio.run(main()))


def test_when_recalled_during_a_wait_it_mails_nobody(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    reset = str(int(time.time()) + 30)
    server.faults.append(refusal(429, "too many requests", X_RateLimit_Reset=reset))
    outcomes = recalled_after(bench(batch=5, concurrency=1), 10)
    assert results(outcomes) == {"deferred": 5, "returned": 5}
    assert (len(server.asked_at), server.sent) == (1, [])


def test_when_recalled_it_waits_for_the_call_under_way_and_makes_no_other(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    server.faults.append(Fault("late", taken=True))
    outcomes = recalled_after(bench(batch=5, concurrency=1), 20)
    assert results(outcomes) == {"accepted": 5, "returned": 15}
    assert len(server.sent) == 5


def test_once_closed_it_accepts_no_batch(bench: MakeBench, server: FakeSendGrid) -> None:
    async def main() -> None:
        transport = bench().transport()
        await transport.close()
        await transport.deliver(readers(1), COMPOSER, Log())

    with pytest.raises(UnavailableError, match="closed"):
        asyncio.run(main())
    assert not server.asked_at


def test_a_journal_that_ends_while_a_refused_call_waits_proves_that_nobody_was_mailed(
    bench: MakeBench, server: FakeSendGrid, tmp_path: Path
) -> None:
    reset = str(time.time() + 30)
    server.faults.append(refusal(429, "too many requests", X_RateLimit_Reset=reset))
    journal = FileJournal(tmp_path / "journal", Origin(7, 1.0, 1))

    async def main() -> Evidence:
        transport = bench().transport()
        sending = asyncio.create_task(transport.deliver(readers(5), COMPOSER, journal))
        while not own_evidence(journal).replies:
            assert not sending.done()
            await asyncio.sleep(0.01)
        found = own_evidence(journal)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await transport.close()
        return found

    evidence = asyncio.run(main())
    assert {evidence.outcome(one.position).result for one in readers(5)} == {Result.RETURNED}
    assert not server.sent


def test_a_journal_that_ends_during_a_repeated_call_leaves_it_uncertain(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal", Origin(7, 1.0, 1))
    journal.begun(1)
    journal.replied(Outcome(1, Result.RETURNED))
    journal.begun(1)
    assert own_evidence(journal).outcome(1).result is Result.UNCERTAIN
