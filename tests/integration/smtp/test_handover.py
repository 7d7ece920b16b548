"""Delivering batches: overlapping, canceled, closed midway, or unfit to be sent."""

import asyncio
from itertools import chain

import pytest
from aiosmtpd.smtp import SMTP

from newsletter.delivery.model import Message, Result
from newsletter.errors import InputError, RefusedError, UnavailableError
from newsletter.settings.model import Smtp
from newsletter.transports.smtp import connection
from newsletter.transports.smtp.transport import SmtpTransport
from tests.integration.smtp.sending import Log, bench, compose, deliveries, results
from tests.support.smtp_server import Fault, Server


def scene(play, *faults, connections=2, **server):
    async def run():
        async with Server(faults=faults, **server) as running:
            test = bench(running, connections=connections)
            transport = test.transport()
            try:
                return await play(transport, running, test)
            finally:
                await transport.close()

    return asyncio.run(run())


def test_batches_overlap_on_the_same_connections():
    async def play(transport, server, test):
        batches = [deliveries(40, first) for first in (1, 41, 81)]
        done = await asyncio.gather(
            *(transport.deliver(batch, compose, test.log) for batch in batches)
        )
        for batch, outcomes in zip(batches, done, strict=True):
            assert sorted(one.position for one in outcomes) == [one.position for one in batch]
        test.promises([one for batch in batches for one in batch], list(chain(*done)))
        assert server.connections == 2
        again = await transport.deliver(deliveries(40, 121), compose, test.log)
        assert {one.result for one in again} == {Result.ACCEPTED}
        assert server.connections == 2

    scene(play)


def test_a_single_message_opens_a_single_connection():
    async def play(transport, server, test):
        await transport.deliver(deliveries(1), compose, test.log)
        assert server.connections == 1

    scene(play, connections=8)


def test_an_empty_batch_needs_no_server():
    async def play(transport, server, test):
        assert await transport.deliver([], compose, test.log) == []
        assert server.connections == 0

    scene(play)


def test_a_resting_connection_that_the_server_closed_affects_nobody():
    async def play(transport, server, test):
        await transport.deliver(deliveries(3), compose, test.log)
        for task in server._tasks:
            task.cancel()
        outcomes = await transport.deliver(deliveries(3, 4), compose, test.log)
        assert {one.result for one in outcomes} == {Result.ACCEPTED}
        assert len(server.copies) == 6
        assert set(server.copies.values()) == {1}

    scene(play)


def test_a_connection_without_work_says_goodbye(monkeypatch):
    monkeypatch.setattr(connection, "IDLE", 0.05)

    async def play(transport, server, test):
        await transport.deliver(deliveries(1), compose, test.log)
        while (1, "QUIT") not in server.commands:
            await asyncio.sleep(0.01)
        outcomes = await transport.deliver(deliveries(1, 2), compose, test.log)
        assert outcomes[0].result is Result.ACCEPTED
        assert server.connections == 2

    scene(play)


def test_when_canceled_it_begins_nothing_more_and_the_journal_has_what_was_sent():
    async def play(transport, server, test):
        sending = asyncio.create_task(transport.deliver(deliveries(500), compose, test.log))
        while len(test.log.replies) < 10:
            await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        begun = len(test.log.begun_at)
        await transport.deliver(deliveries(5, 501), compose, test.log)
        later = [position for position in test.log.begun_at[begun:] if position <= 500]
        assert later == []
        told = {one.position for one in test.log.replies if one.result is Result.ACCEPTED}
        assert told == {int(key[1:].partition("@")[0]) for key in server.copies}
        assert set(server.copies.values()) == {1}

    scene(play)


def test_closing_midway_finishes_announced_messages_and_returns_the_rest():
    async def play(transport, server, test):
        batch = deliveries(500)
        sending = asyncio.create_task(transport.deliver(batch, compose, test.log))
        while len(test.log.replies) < 10:
            await asyncio.sleep(0)
        await transport.close()
        outcomes = test.promises(batch, await sending)
        assert set(results(outcomes)) == {"accepted", "returned"}
        quits = [number for number, verb in server.commands if verb == "QUIT"]
        assert len(quits) == server.connections
        with pytest.raises(UnavailableError, match="closed"):
            await transport.deliver(batch, compose, test.log)

    scene(play)


def test_closing_waits_for_the_reply_of_a_slow_server():
    async def play(transport, server, test):
        batch = deliveries(3)
        sending = asyncio.create_task(transport.deliver(batch, compose, test.log))
        while not test.log.begun_at:
            await asyncio.sleep(0)
        await transport.close()
        outcomes = test.promises(batch, await sending)
        assert results(outcomes)["uncertain"] == 0
        assert results(outcomes)["accepted"] >= 1

    scene(play, Fault("dot", delay=0.2), connections=1)


def test_closing_before_anything_was_sent():
    async def play(transport, server, test):
        sending = asyncio.create_task(transport.deliver(deliveries(9), compose, test.log))
        await asyncio.sleep(0)
        await transport.close()
        with pytest.raises(UnavailableError, match="closed"):
            await sending
        assert not server.received

    scene(play, Fault("connect", delay=0.2))


def test_a_message_that_cannot_be_composed_fails_alone():
    def composing(delivery):
        if delivery.position == 2:
            raise InputError("the first name has a line break")
        return compose(delivery)

    async def play(transport, server, test):
        batch = deliveries(4)
        outcomes = test.promises(batch, await transport.deliver(batch, composing, test.log))
        assert outcomes[2].result is Result.FAILED
        assert outcomes[2].reply == "the first name has a line break"
        assert results(outcomes)["accepted"] == 3

    scene(play)


def test_a_bug_in_composing_stops_everything_and_is_raised():
    def composing(delivery):
        if delivery.position >= 9:
            raise ZeroDivisionError
        return compose(delivery)

    async def play(transport, server, test):
        batch = deliveries(20)
        outcomes = test.promises(batch, await transport.deliver(batch, composing, test.log))
        assert results(outcomes) == {"accepted": 8, "returned": 12}
        with pytest.raises(ZeroDivisionError):
            await transport.deliver(batch, compose, test.log)

    scene(play)


@pytest.mark.parametrize(
    "data",
    [b"no line end", b"bare\nfeed\r\n", b"bare\rreturn\r\n", b"a\r\n.\r\nMAIL FROM:<>\r\n",
     b".first\r\n", "ü\r\n".encode(), b"x" * 999 + b"\r\n", b"\0\r\n", b""],
)  # fmt: skip
def test_a_malformed_message_is_never_begun(data):
    def composing(delivery):
        return compose(delivery)._replace(data=data)

    async def play(transport, server, test):
        with pytest.raises(RefusedError, match="unfit"):
            await transport.deliver(deliveries(3), composing, test.log)
        assert not server.received
        assert not test.log.begun_at

    scene(play)


def test_the_null_sender():
    def composing(delivery):
        message = compose(delivery)
        return Message("", message.rcpt_to, message.data)

    async def play(transport, server, test):
        await transport.deliver(deliveries(1), composing, Log())
        assert server.received[0].mail_from == ""

    scene(play)


@pytest.mark.parametrize("pipelining", [True, False])
def test_what_arrives_is_what_was_composed(pipelining):
    async def play(transport, server, test):
        batch = deliveries(30)
        await transport.deliver(batch, compose, test.log)
        arrived = {one.rcpt_to[0]: one for one in server.received}
        for delivery in batch:
            message = compose(delivery)
            assert arrived[delivery.email].data == message.data
            assert arrived[delivery.email].mail_from == message.mail_from

    scene(play, pipelining=pipelining)


def test_an_independent_server():
    class Keep:
        def __init__(self):
            self.envelopes = []

        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("reader3@"):
                return "550 5.1.1 no such user"
            envelope.rcpt_tos.append(address)
            return "250 ok"

        async def handle_DATA(self, server, session, envelope):
            self.envelopes.append(envelope)
            return "250 2.0.0 kept"

    async def run():
        keep = Keep()
        listening = await asyncio.get_running_loop().create_server(
            lambda: SMTP(keep, hostname="test"), "127.0.0.1", 0
        )
        port = listening.sockets[0].getsockname()[1]
        transport = SmtpTransport(Smtp(port=port, security="none", connections=3))
        outcomes = await transport.deliver(deliveries(20), compose, Log())
        await transport.close()
        listening.close()
        await listening.wait_closed()
        return keep.envelopes, {one.position: one for one in outcomes}

    envelopes, outcomes = asyncio.run(run())
    assert results(outcomes) == {"accepted": 19, "failed": 1}
    bodies = {one.rcpt_tos[0]: one.content for one in envelopes}
    expected = [compose(one) for one in deliveries(20) if one.position != 3]
    assert bodies == {one.rcpt_to: one.data for one in expected}
