"""Complete responses: each decides the outcome of every recipient of its call."""

import time

import pytest

from newsletter.delivery.model import Result
from newsletter.errors import InputError, UnavailableError
from tests.integration.sendgrid.conftest import MakeBench
from tests.integration.sendgrid.sending import readers, results
from tests.support.sendgrid_fake import KEY, FakeSendGrid, Fault, refusal


def test_accepted_outcomes_name_the_message_id(bench: MakeBench) -> None:
    outcomes = bench().send(readers(2))
    assert len({one.reply for one in outcomes.values()}) == 1
    assert outcomes[1].reply.startswith("X-Message-Id: message-")
    assert {one.code for one in outcomes.values()} == {202}


def test_the_sandbox_validates_and_sends_nothing(bench: MakeBench, server: FakeSendGrid) -> None:
    outcomes = bench(sandbox=True).send(readers(3))
    assert {one.reply for one in outcomes.values()} == {"sandbox: not sent"}
    assert (server.checked, server.sent) == (3, [])


def test_a_200_outside_the_sandbox_is_not_acceptance(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    server.faults.append(Fault(status=200))
    assert results(bench().send(readers(2))) == {"uncertain": 2}


def test_only_recipients_named_by_a_400_fail(bench: MakeBench, server: FakeSendGrid) -> None:
    errors = tuple(
        {
            "message": "Does not contain a valid address.",
            "field": f"personalizations.{n}.to.0.email",
        }
        for n in (1, 3)
    )
    server.faults.append(Fault(status=400, errors=errors))
    outcomes = bench().send(readers(6))
    assert {n for n, one in outcomes.items() if one.result is Result.FAILED} == {2, 4}
    assert results(outcomes) == {"accepted": 4, "failed": 2}
    assert outcomes[2].reply == "Does not contain a valid address."
    assert server.calls == [6, 4]


def test_a_400_may_name_one_recipient_after_another(bench: MakeBench, server: FakeSendGrid) -> None:
    server.faults += [refusal(400, "no", "personalizations.0.to")] * 3
    outcomes = bench().send(readers(5))
    assert results(outcomes) == {"accepted": 2, "failed": 3}
    assert server.calls == [5, 4, 3, 2]


def test_a_400_about_the_message_stops_everything(bench: MakeBench, server: FakeSendGrid) -> None:
    server.faults.append(refusal(400, "The subject of reader9@mail.example is wrong", "subject"))
    with pytest.raises(UnavailableError, match="subject of") as caught:
        bench().send(readers(5))
    assert "reader9" not in str(caught.value)
    assert not server.sent


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_sends_nothing_and_is_named(
    bench: MakeBench, server: FakeSendGrid, status: int
) -> None:
    server.faults += [refusal(status, "access forbidden")] * 4
    on = bench(batch=10)
    with pytest.raises(UnavailableError, match="SENDGRID_API_KEY"):
        on.send(readers(40))
    assert not server.sent
    assert {one.result for one in on.log.replies} == {Result.RETURNED}
    assert {one.position for one in on.log.replies} == set(on.log.begun_at)


def test_a_key_refused_halfway_returns_the_rest(bench: MakeBench, server: FakeSendGrid) -> None:
    server.faults += [refusal(413, "content too large")]
    on = bench(concurrency=1)
    original = server.take

    def take_one_call(call: dict[str, object]) -> int:
        server.faults.append(refusal(401, "expired"))
        return original(call)

    server.take = take_one_call  # type: ignore[method-assign]
    outcomes = on.send(readers(8))
    assert results(outcomes) == {"accepted": 4, "returned": 4}


def test_the_key_is_never_shown(bench: MakeBench, server: FakeSendGrid) -> None:
    server.faults.append(refusal(403, f"the key {KEY} may not send"))
    on = bench()
    with pytest.raises(UnavailableError) as caught:
        on.send(readers(1))
    shown = f"{caught.value!r} {caught.value} {caught.value.fix} {on.log.replies}"
    assert KEY not in shown
    assert "[key]" in shown


@pytest.mark.parametrize("key", ["", "SG.x\n", "SG.é", "SG x"])
def test_a_malformed_key_is_refused_before_anything_is_sent(
    bench: MakeBench, server: FakeSendGrid, key: str
) -> None:
    on = bench()
    on.key = key
    with pytest.raises(InputError, match="SENDGRID_API_KEY"):
        on.send(readers(1))
    assert not server.asked_at


def test_a_call_that_is_too_large_is_split_until_it_fits(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    html = Fault(status=413, body="<html>413 Request Entity Too Large</html>")
    server.faults += [html] * 3
    assert results(bench().send(readers(8))) == {"accepted": 8}
    assert max(server.calls[3:]) <= 4


def test_a_single_message_that_is_too_large_fails(bench: MakeBench, server: FakeSendGrid) -> None:
    server.faults.append(Fault(status=413))
    outcomes = bench().send(readers(1))
    assert (outcomes[1].result, outcomes[1].code) == (Result.FAILED, 413)


def test_the_rate_limit_is_waited_for(bench: MakeBench, server: FakeSendGrid) -> None:
    reset = int(time.time()) + 2
    server.faults.append(refusal(429, "too many requests", X_RateLimit_Reset=str(reset)))
    assert results(bench().send(readers(3))) == {"accepted": 3}
    assert server.asked_at[1] >= reset


def test_a_distant_reset_defers(bench: MakeBench, server: FakeSendGrid) -> None:
    reset = int(time.time()) + 3600
    server.faults.append(refusal(429, "too many requests", X_RateLimit_Reset=str(reset)))
    outcomes = bench().send(readers(3))
    assert results(outcomes) == {"deferred": 3}
    assert {one.code for one in outcomes.values()} == {429}


@pytest.mark.parametrize("reset", ["", "soon", "0"])
def test_a_rate_limit_that_does_not_end_defers(
    bench: MakeBench, server: FakeSendGrid, reset: str
) -> None:
    server.faults += [refusal(429, "too many requests", X_RateLimit_Reset=reset)] * 4
    assert results(bench().send(readers(2))) == {"deferred": 2}
    assert len(server.asked_at) == 4


@pytest.mark.parametrize("status", [500, 503])
def test_sendgrids_own_errors_defer(bench: MakeBench, server: FakeSendGrid, status: int) -> None:
    server.faults.append(refusal(status, "internal server error"))
    outcomes = bench().send(readers(2))
    assert results(outcomes) == {"deferred": 2}
    assert outcomes[1].reply == "internal server error"
    assert len(server.asked_at) == 1


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateways_errors_are_uncertain(
    bench: MakeBench, server: FakeSendGrid, status: int
) -> None:
    server.faults.append(Fault(status=status, body="<html>Bad gateway</html>"))
    assert results(bench().send(readers(2))) == {"uncertain": 2}
    assert len(server.asked_at) == 1
