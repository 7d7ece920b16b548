"""Faults at every step: nobody twice, nobody lost, and a true outcome for each."""

import asyncio

import pytest

from newsletter.delivery.model import Result
from newsletter.errors import UnavailableError
from tests.integration.smtp.sending import BODY, Log, bench, compose, deliveries, results
from tests.support.smtp_server import Fault, Server, certificate

MODES = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])


def send(count, *faults, log=None, settings=None, **server):
    async def run():
        async with Server(faults=faults, **server) as running:
            test = bench(running, log, **(settings or {}))
            return test, await test.send(deliveries(count))

    return asyncio.run(run())


@MODES
@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize(
    ("reply", "expected"),
    [("450 4.2.1 later", Result.DEFERRED), ("550 5.1.1 no such user", Result.FAILED)],
)
def test_a_refusal_at_any_step_affects_its_recipient_only(pipelining, at, reply, expected):
    fault = Fault(at, reply, every=5)
    test, outcomes = send(23, fault, pipelining=pipelining)
    refused = [one for one in outcomes.values() if one.result is expected]
    assert len(refused) == 4
    assert {(one.code, one.status) for one in refused} == {(int(reply[:3]), reply[4:9])}
    assert results(outcomes)["accepted"] == 19
    assert test.server.connections <= 2


@MODES
def test_one_of_ten_recipients_refused(pipelining):
    fault = Fault("rcpt", "550 5.1.1 no such user here", to="reader4@")
    _, outcomes = send(10, fault, pipelining=pipelining)
    assert outcomes[4].result is Result.FAILED
    assert outcomes[4].reply == "5.1.1 no such user here"
    assert results(outcomes)["accepted"] == 9


@MODES
@pytest.mark.parametrize("at", ["mail", "rcpt", "data"])
@pytest.mark.parametrize("how", ["421", "before", "after"])
def test_a_connection_lost_before_a_body_affects_nobody(pipelining, at, how):
    fault = Fault(at, "421 4.3.2 closing" if how == "421" else "", drop="" if how == "421" else how)
    fault.every, fault.times = 7, 4
    test, outcomes = send(30, fault, pipelining=pipelining)
    assert results(outcomes) == {"accepted": 30}
    assert test.server.connections > 2


@MODES
def test_a_recipient_that_closes_every_connection_is_deferred(pipelining):
    _, outcomes = send(20, Fault("rcpt", "421 4.7.0 go away", to="reader7@"), pipelining=pipelining)
    assert outcomes[7].result is Result.DEFERRED
    assert results(outcomes)["accepted"] == 19


@MODES
@pytest.mark.parametrize("kept", ["before", "after"])
def test_a_connection_lost_after_the_dot_is_uncertain(pipelining, kept):
    test, outcomes = send(30, Fault("dot", drop=kept, every=7), pipelining=pipelining)
    assert results(outcomes) == {"accepted": 26, "uncertain": 4}
    assert sum(test.server.copies.values()) == (26 if kept == "before" else 30)


@MODES
def test_a_421_to_the_dot_defers(pipelining):
    _, outcomes = send(30, Fault("dot", "421 4.3.2 closing", every=9), pipelining=pipelining)
    assert results(outcomes) == {"accepted": 27, "deferred": 3}


@MODES
@pytest.mark.parametrize("octets", [1, 5000, len(BODY)])
def test_a_connection_lost_within_a_body_is_uncertain(pipelining, octets):
    """The kernel had the whole message, so this side cannot know where it was cut off."""
    fault = Fault("body", after_bytes=octets, every=6)
    _, outcomes = send(20, fault, pipelining=pipelining)
    assert results(outcomes) == {"accepted": 17, "uncertain": 3}


@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "tls"])
def test_what_the_kernel_did_not_accept_was_not_delivered(encrypted, tmp_path):
    """The end of a large message is held back until the kernel has the rest.

    Under TLS that cannot be observed, since its layer accepts everything at once.
    """
    big = b"X" * 78 + b"\r\n"

    def compose_big(delivery):
        message = compose(delivery)
        return type(message)(message.mail_from, message.rcpt_to, message.data + big * 40_000)

    async def run():
        fault = Fault("body", after_bytes=1_000, to="reader2@")
        context, pem = certificate(tmp_path) if encrypted else (None, "")
        async with Server(faults=[fault], tls=context) as server:
            security = "starttls" if encrypted else "none"
            test = bench(server, connections=1, security=security, ca_file=str(pem))
            transport = test.transport()
            batch = deliveries(3)
            outcomes = test.promises(batch, await transport.deliver(batch, compose_big, test.log))
            await transport.close()
            return outcomes

    outcomes = asyncio.run(run())
    assert outcomes[2].result is (Result.UNCERTAIN if encrypted else Result.DEFERRED)
    assert results(outcomes)["accepted"] == 2


def test_a_refusal_inside_a_body_is_believed():
    _, outcomes = send(9, Fault("body", "552 5.3.4 too large", after_bytes=500, to="reader5@"))
    assert outcomes[5].result is Result.FAILED


@MODES
def test_354_after_a_refused_recipient_sends_no_body(pipelining, caplog):
    fault = Fault("rcpt", "550 5.1.1 no such user", every=4)
    test, outcomes = send(12, fault, pipelining=pipelining, careless=True)
    assert results(outcomes) == {"accepted": 9, "failed": 3}
    assert test.server.empty == (3 if pipelining else 0)
    assert ("without recipients" in caplog.text) is pipelining


@MODES
def test_a_server_that_accepts_few_messages_per_connection(pipelining):
    test, outcomes = send(30, pipelining=pipelining, messages_per_connection=4)
    assert results(outcomes) == {"accepted": 30}
    assert test.server.connections >= 8


def test_our_own_share_of_messages_per_connection_ends_in_quit():
    test, outcomes = send(20, settings={"messages_per_connection": 3, "connections": 1})
    assert results(outcomes) == {"accepted": 20}
    quits = [number for number, verb in test.server.commands if verb == "QUIT"]
    assert sorted(quits) == list(range(1, test.server.connections + 1))


@pytest.mark.parametrize("at", ["connect", "ehlo", "mail", "rcpt"])
def test_a_server_that_keeps_failing_is_given_up_in_bounded_time(at):
    """Some recipients may be deferred meanwhile; nobody else is affected."""

    async def run():
        async with Server(faults=[Fault(at, "421 4.3.2 not now")]) as server:
            test = bench(server)
            with pytest.raises(UnavailableError) as caught:
                await test.send(deliveries(1 if at in ("mail", "rcpt") else 20))
            return test, caught.value

    if at in ("mail", "rcpt"):
        test, outcomes = send(20, Fault(at, "421 4.3.2 not now"))
        assert set(results(outcomes)) == {"returned", "deferred"}
        assert results(outcomes)["deferred"] <= 4
    else:
        test, error = asyncio.run(run())
        assert f"127.0.0.1:{test.server.port}" in error.message
        assert "not now" in error.message
    assert test.server.connections <= 6


def test_a_server_that_swallows_messages_does_not_get_the_whole_list():
    _, outcomes = send(200, Fault("dot", drop="after"))
    assert set(results(outcomes)) <= {"uncertain", "returned"}
    assert results(outcomes)["uncertain"] <= 8


@MODES
@pytest.mark.parametrize("at", ["rcpt", "dot"])
def test_a_server_that_stops_answering(pipelining, at):
    fault = Fault(at, delay=600.0, every=6, times=1)
    _, outcomes = send(12, fault, pipelining=pipelining, settings={"timeout": 0.3})
    expected = {"accepted": 12} if at == "rcpt" else {"accepted": 11, "uncertain": 1}
    assert results(outcomes) == expected


@MODES
def test_a_server_may_take_its_time_for_a_complete_message(pipelining):
    fault = Fault("dot", delay=3.0, times=1)
    timeouts = {"timeout": 2.0, "final_timeout": 120.0}
    _, outcomes = send(6, fault, pipelining=pipelining, settings=timeouts)
    assert results(outcomes) == {"accepted": 6}


def test_a_stop_does_not_wait_for_a_slow_server():
    async def run():
        async with Server(faults=[Fault("dot", delay=600.0)]) as server:
            test = bench(server, timeout=2.0, final_timeout=600.0, connections=1)
            transport = test.transport()
            flight = asyncio.create_task(transport.deliver(deliveries(1), compose, test.log))
            while not test.log.begun_at:
                await asyncio.sleep(0.01)
            await asyncio.sleep(2.5)
            assert not flight.done()
            transport.recall()
            (outcome,) = await asyncio.wait_for(flight, 120)
            await transport.close()
            return outcome

    assert asyncio.run(run()).result is Result.UNCERTAIN


@MODES
def test_replies_that_arrive_byte_by_byte(pipelining):
    _, outcomes = send(8, pipelining=pipelining, trickle=True)
    assert results(outcomes) == {"accepted": 8}


@MODES
@pytest.mark.parametrize("at", ["ehlo", "mail", "rcpt", "data", "dot", "rset"])
@pytest.mark.parametrize(
    "garbage",
    ["hello", "250 ok\n250 bare", "999 no", "250" + "x" * 5000, "250-a\r\n251 b", "334 more"],
)
def test_garbage_closes_the_connection_and_outcomes_follow_the_order_of_commands(
    pipelining, at, garbage
):
    refusal = Fault("rcpt", "550 5.1.1 no such user", to="reader3@")
    fault = Fault(at, garbage, times=1)
    _, outcomes = send(8, refusal, fault, pipelining=pipelining)
    uncertain = 1 if at == "dot" else 0
    assert results(outcomes)["uncertain"] == uncertain
    assert results(outcomes)["returned"] == 0


def test_a_354_with_more_behind_it_gets_no_body():
    fault = Fault("data", "354 go ahead\r\n250 2.0.0 queued already", times=1)
    _, outcomes = send(5, fault)
    assert results(outcomes) == {"accepted": 5}


def test_a_reply_of_endless_lines_is_cut_off():
    endless = "\r\n".join(["250-more"] * 1000) + "\r\n250 done"
    _, outcomes = send(5, Fault("dot", endless, times=1))
    assert results(outcomes) == {"accepted": 4, "uncertain": 1}


@pytest.mark.parametrize("lines", [1, 2, 7, 12])
def test_a_full_disk_stops_the_sending(lines):
    async def run():
        async with Server() as server:
            test = bench(server, Log(full_at=lines))
            transport = test.transport()
            batch = deliveries(20)
            try:
                outcomes = test.promises(batch, await transport.deliver(batch, compose, test.log))
            except UnavailableError:
                outcomes = {}
            with pytest.raises(UnavailableError, match="No space left on device"):
                await transport.deliver(deliveries(1, 21), compose, Log())
            await transport.close()
            return outcomes, test

    outcomes, test = asyncio.run(run())
    assert len(test.log.begun_at) <= lines
    assert sum(test.server.copies.values()) == results(outcomes)["accepted"]


class BesideOthers(Fault):
    """Affects every connection but the first."""

    def due(self, at, recipient):
        return super().due(at, recipient) and self.seen > 1


@MODES
def test_a_server_that_allows_one_connection_gets_one(pipelining):
    fault = BesideOthers("connect", "421 4.7.0 too many connections from you")
    test, outcomes = send(60, fault, pipelining=pipelining, settings={"connections": 4})
    assert results(outcomes) == {"accepted": 60}
    assert len({one.connection for one in test.server.received}) == 1
    assert test.server.connections <= 4
