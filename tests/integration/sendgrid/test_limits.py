"""Calls stay within SendGrid's published limits, whatever the list looks like."""

import re
from dataclasses import replace

from newsletter.delivery.model import Delivery
from newsletter.render.model import Part, Slot, SlotKind
from tests.integration.sendgrid.conftest import MakeBench
from tests.integration.sendgrid.sending import readers, results
from tests.support.sendgrid_fake import MAX_BODY, FakeSendGrid
from tests.unit.delivery.issues import compiled, composer, reader

TEN = tuple(Slot(f"field{n}", SlotKind.TEXT) for n in range(10))
LONG = compiled(text=Part(("Dear ", *["\n"] * 10), TEN))


def of_values(position: int, value: str) -> Delivery:
    return replace(reader(position), values={slot.name: value for slot in TEN})


def test_a_batch_goes_out_in_calls_of_the_configured_size(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    outcomes = bench(batch=100).send(readers(250))
    assert results(outcomes) == {"accepted": 250}
    assert sorted(server.calls) == [50, 100, 100]


def test_a_call_has_a_thousand_recipients_by_default(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    assert results(bench().send(readers(1001))) == {"accepted": 1001}
    assert sorted(server.calls) == [1, 1000]


def test_each_variant_has_calls_of_its_own(bench: MakeBench, server: FakeSendGrid) -> None:
    issue = compiled()
    second = replace(issue.variants[0], text=Part(("The other text\n",)))
    both = replace(issue, variants=(issue.variants[0], second))
    batch = [replace(one, variant=one.position % 2) for one in readers(6)]
    bench().send(batch, composer(both))
    assert server.calls == [3, 3]
    for one in server.sent:
        assert (one.text == "The other text\n") == (int(one.custom_args["position"]) % 2 == 1)


def test_a_repeated_address_is_in_two_calls(bench: MakeBench, server: FakeSendGrid) -> None:
    batch = [*readers(2), replace(reader(3), email="READER1@mail.example")]
    assert results(bench().send(batch)) == {"accepted": 3}
    assert sorted(server.calls) == [1, 2]


def test_a_recipient_with_too_many_bytes_of_values_fails_alone(
    bench: MakeBench, server: FakeSendGrid
) -> None:
    batch = [of_values(1, "x" * 900), of_values(2, "é" * 900), of_values(3, "x" * 900)]
    outcomes = bench().send(batch, composer(LONG))
    assert [outcomes[n].result.value for n in (1, 2, 3)] == ["accepted", "failed", "accepted"]
    assert "10000" in outcomes[2].reply
    assert server.calls == [2]


def test_the_limit_counts_bytes_not_characters(bench: MakeBench, server: FakeSendGrid) -> None:
    compose = composer(LONG)
    without = compose.personal(of_values(1, "")).substitutions
    left = 10_000 - sum(len(key) + len(value) for key, value in without.items())
    fits = bench().send([of_values(1, "é" * (left // 20))], compose)
    over = bench().send([of_values(2, "é" * (left // 20 + 1))], compose)
    assert (results(fits), results(over)) == ({"accepted": 1}, {"failed": 1})


def test_a_call_stays_under_thirty_megabytes(bench: MakeBench, server: FakeSendGrid) -> None:
    issue = compiled(html=Part(("é" * 4_980_000,)), text=LONG.variants[0].text)
    batch = [of_values(position, "é" * 480) for position in range(1, 7)]
    outcomes = bench().send(batch, composer(issue))
    assert results(outcomes) == {"accepted": 6}
    assert len(server.calls) > 1
    assert max(len(body) for body in server.bodies) < MAX_BODY


def test_nobody_gets_someone_elses_unsubscribe_link(bench: MakeBench, server: FakeSendGrid) -> None:
    bench(batch=7).send(readers(30))
    links = [re.findall(r"/u/([^\"\s>]+)", one.html + one.text) for one in server.sent]
    assert all(len(set(each)) == 1 for each in links)
    assert len({each[0] for each in links}) == 30
    for one, each in zip(server.sent, links, strict=True):
        assert one.headers["List-Unsubscribe"].endswith(f"/u/{each[0]}>")
