"""What a person does to a campaign that was begun, on both databases."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from newsletter.audience.tables import subscriber, suppression
from newsletter.campaign import control, launch, mailer, run, schedule
from newsletter.campaign.status import Status, status
from newsletter.campaign.subscriber_history import show
from newsletter.delivery.ledger import states
from newsletter.delivery.ledger.outcomes import delivery_outcomes
from newsletter.delivery.ledger.recover import resolve
from newsletter.delivery.ledger.states import CampaignState
from newsletter.delivery.ledger.tables import attempt, campaign, campaign_event, chunk, delivery
from newsletter.delivery.model import Delivery, Outcome, Result
from newsletter.errors import InputError, RefusedError
from newsletter.transports.memory import MemoryTransport, accept
from tests.integration.campaign.conftest import READERS, Office


def now(office: Office) -> float:
    with office.app.store.read() as connection:
        return office.app.store.now(connection)


def one(office: Office, number: int = 1) -> Status:
    with office.app.store.read() as connection:
        return status(connection, number)


def events(office: Office) -> list[tuple[str, str, str, str]]:
    with office.app.store.read() as connection:
        rows = connection.execute(select(campaign_event).order_by(campaign_event.c.id))
        return [(row.from_state, row.to_state, row.by, row.note) for row in rows]


def scheduled(office: Office, seconds: float) -> int:
    opened = office.open()
    launch.begin(office.app, opened, not_before=now(office) + seconds)
    return opened.status.campaign_id


def its_time_was(office: Office, seconds_ago: float) -> None:
    with office.app.store.write() as connection:
        at = office.app.store.now(connection) - seconds_ago
        connection.execute(update(campaign).values(not_before=at))


def answering(office: Office, **results: Result) -> None:
    """Readers answered otherwise than accepted, once: `reader1=Result.FAILED`."""

    def script(each: Delivery, tries: int) -> Outcome:
        result = results.get(each.email.partition("@")[0])
        if result is None or tries > 1:
            return accept(each, tries)
        return Outcome(each.position, result, 550 if result is Result.FAILED else 451)

    office.transport = MemoryTransport(script)


def run_briefly(office: Office, monkeypatch: pytest.MonkeyPatch) -> Status:
    """Send without waiting for retries."""
    limits = mailer.limits_of(office.app.settings)
    monkeypatch.setattr(mailer, "limits_of", lambda _: type(limits)(patience=0.0, hold=limits.hold))
    return office.run(office.open())


def test_nothing_is_sent_before_its_time_and_everything_after(office: Office) -> None:
    number = scheduled(office, 3600)
    assert schedule.start_due(office.app.store, office.app.settings) == []
    assert (one(office).state, office.mailed) == ("scheduled", [])
    its_time_was(office, 5)
    assert schedule.start_due(office.app.store, office.app.settings) == [number]
    assert schedule.start_due(office.app.store, office.app.settings) == []
    assert office.run(office.open()).tally.accepted == 5
    assert [event[:3] for event in events(office)] == [
        ("approved", "scheduled", "ann"),
        ("scheduled", "sending", "system"),
        ("sending", "finished", "ann"),
    ]


def test_the_waiting_command_begins_it_by_itself(office: Office) -> None:
    told: list[float] = []
    opened = office.open()
    launch.begin(office.app, opened, not_before=now(office) + 1)
    schedule.wait(office.app.store, office.app.settings, 1, told.append)
    result = office.send(opened)
    assert result.tally.accepted == 5
    assert told
    assert told == sorted(told, reverse=True)


def test_who_leaves_while_it_is_scheduled_is_not_mailed(office: Office) -> None:
    scheduled(office, 3600)
    with office.app.store.write() as connection:
        row = connection.execute(select(delivery).where(delivery.c.position == 2)).one()
        connection.execute(
            insert(suppression).values(
                address_hash=row.address_hash, reason="unsubscribed", source="test", at=0
            )
        )
    its_time_was(office, 5)
    result = office.run(office.open())
    assert (result.tally.accepted, dict(result.tally.skipped)) == (4, {"unsubscribed": 1})
    assert row.email not in office.mailed


def test_one_found_much_too_late_waits_for_a_person(office: Office) -> None:
    number = scheduled(office, 3600)
    its_time_was(office, office.app.settings.schedule_grace + 60)
    assert schedule.start_due(office.app.store, office.app.settings) == []
    found = one(office)
    assert (found.state, found.held, found.has_problems) == ("paused", True, True)
    assert "late" in found.note
    with pytest.raises(RefusedError, match="resume"):
        office.run(office.open())
    assert office.mailed == []
    with office.app.store.write() as connection:
        assert states.resume(connection, number, by="ann", now=now(office)) == "sending"
    assert office.run(office.open()).tally.accepted == 5


def test_a_scheduled_campaign_can_be_cancelled_or_paused_or_put_off(office: Office) -> None:
    number = scheduled(office, 3600)
    control.halt(office.app, number, CampaignState.PAUSED)
    with office.app.store.write() as connection:
        assert states.resume(connection, number, by="ann", now=now(office)) == "scheduled"
    opened = office.open()
    assert opened.continuing
    later = now(office) + 7200
    launch.begin(office.app, opened, not_before=later)
    assert one(office).not_before == pytest.approx(later)
    found, on_the_way = control.halt(office.app, number, CampaignState.CANCELLED)
    assert (found.state, on_the_way) == ("cancelled", 0)
    assert (found.tally.queued, found.tally.skipped) == (0, {"cancelled": 5})
    its_time_was(office, 5)
    assert schedule.start_due(office.app.store, office.app.settings) == []


def test_one_that_is_sending_cannot_be_put_off(office: Office) -> None:
    office.interrupted(office.open(), after=2)
    with pytest.raises(RefusedError, match="is sending"):
        launch.begin(office.app, office.open(), not_before=now(office) + 60)


def test_in_the_undo_window_calling_off_costs_nothing(office: Office) -> None:
    office.app = type(office.app)(
        office.app.settings.model_copy(update={"undo_window": 2.0}),
        office.app.store,
        office.app.keys,
        "ann",
    )
    opened = office.open()

    def cancel(_left: float) -> None:
        if one(office).state == "scheduled":
            control.halt(office.app, 1, CampaignState.CANCELLED)

    launch.begin(office.app, opened)
    with pytest.raises(RefusedError, match="is cancelled"):
        schedule.wait(office.app.store, office.app.settings, 1, cancel)
    assert office.mailed == []
    again = office.run(office.open())
    assert again.tally.accepted == 5


def test_a_pause_says_how_many_had_gone(office: Office) -> None:
    office.interrupted(office.open(), after=2)
    found, on_the_way = control.halt(office.app, 1, CampaignState.PAUSED)
    assert (found.tally.accepted, found.tally.queued, on_the_way) == (2, 3, 0)


def test_deferred_ones_can_be_due_now(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(office, reader2=Result.DEFERRED)
    found = run_briefly(office, monkeypatch)
    assert (found.tally.deferred, found.state) == (1, "sending")
    assert found.next_retry is not None
    assert found.next_retry > now(office)
    assert control.retry(office.app, 1).tally.deferred == 1
    found = office.run(office.open())
    assert (found.tally.accepted, found.state, found.next_retry) == (5, "finished", None)


def test_failed_ones_go_out_again_only_when_a_person_says_why(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(office, reader1=Result.FAILED, reader3=Result.FAILED)
    assert run_briefly(office, monkeypatch).tally.failed == 2
    with pytest.raises(InputError, match="no reason"):
        control.retry_failed(office.app, 1, " ")

    assert control.retry_failed(office.app, 1, "their server was down") == 2
    found = one(office)
    assert (found.state, found.tally.failed, found.tally.queued) == ("sending", 0, 2)
    assert office.run(office.open()).tally.accepted == 5
    assert sorted(office.mailed) == sorted(set(office.mailed))
    with office.app.store.read() as connection:
        notes = connection.execute(
            select(attempt.c.reply).where(attempt.c.result == Result.RETURNED)
        ).scalars()
        assert set(notes) == {"ann: their server was down"}
    assert control.retry_failed(office.app, 1, "once more") == 0
    assert one(office).state == "finished"


def test_of_two_who_try_failed_ones_again_at_once_only_one_does(office: Office) -> None:
    number = 30
    office.on_list("readers", [f"reader{n}@mail.example" for n in range(number)])
    answering(office, **{f"reader{n}": Result.FAILED for n in range(number)})
    office.run(office.open())
    assert one(office).tally.failed == number
    with office.app.store.write() as connection:
        connection.execute(update(campaign).values(state="paused"))
    with ThreadPoolExecutor(4) as people:
        again = [people.submit(control.retry_failed, office.app, 1, "mended") for _ in range(4)]
        assert sorted(each.result() for each in again) == [0, 0, 0, number]
    with office.app.store.write() as connection:
        connection.execute(update(campaign).values(state="sending"))
    office.run(office.open())
    assert len(office.mailed) == len(set(office.mailed)) == number


def test_who_failed_here_and_got_it_by_a_later_campaign_is_not_tried_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(office, reader1=Result.FAILED)
    assert run_briefly(office, monkeypatch).tally.failed == 1
    before = list(office.mailed)
    office.transport = MemoryTransport()
    office.edit()
    assert office.run(office.open()).tally.accepted == 1
    with pytest.raises(RefusedError, match="campaign 2"):
        control.retry_failed(office.app, 1, "please")
    mailed = before + office.mailed
    assert sorted(mailed) == sorted(set(mailed))


def test_a_cancelled_campaign_mails_nobody_any_more(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(office, reader1=Result.FAILED, reader2=Result.DEFERRED)
    run_briefly(office, monkeypatch)
    control.halt(office.app, 1, CampaignState.CANCELLED)
    with pytest.raises(RefusedError, match="cancelled"):
        control.retry_failed(office.app, 1, "please")
    with pytest.raises(RefusedError, match="cancelled"):
        control.retry(office.app, 1)
    with pytest.raises(RefusedError, match="already cancelled"):
        control.halt(office.app, 1, CampaignState.CANCELLED)


def dead(office: Office, *names: str) -> None:
    """Let the relay say of these readers that there are none."""

    def script(each: Delivery, tries: int) -> Outcome:
        if each.email.partition("@")[0] not in names:
            return accept(each, tries)
        return Outcome(each.position, Result.FAILED, 550, "5.1.1", "5.1.1 no such user")

    office.transport = MemoryTransport(script)


def suppressed(office: Office) -> set[str]:
    with office.app.store.read() as connection:
        rows = connection.execute(
            select(subscriber.c.email, suppression.c.reason).join(
                suppression, suppression.c.address_hash == subscriber.c.address_hash
            )
        ).all()
    assert {row.reason for row in rows} <= {"bounced"}
    return {row.email for row in rows}


def test_who_is_refused_as_dead_is_not_mailed_again(office: Office) -> None:
    dead(office, "reader2")
    found = office.run(office.open())
    assert (found.state, found.tally.accepted, found.tally.failed) == ("finished", 4, 1)
    assert suppressed(office) == {"reader2@mail.example"}
    office.edit()
    after = office.run(office.open(again="a correction"))
    assert (after.tally.accepted, after.tally.skipped) == (4, {"bounced": 1})


def test_who_was_refused_as_dead_before_a_cancel_is_not_mailed_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead(office, "reader2")
    monkeypatch.setattr(run, "complete_finished", lambda *_, **__: [])
    office.run(office.open())
    control.halt(office.app, 1, CampaignState.CANCELLED)
    assert suppressed(office) == {"reader2@mail.example"}


def test_a_relay_that_calls_too_many_dead_is_not_believed(office: Office) -> None:
    dead(office, "reader1", "reader2", "reader4")
    found = office.run(office.open())
    assert (found.state, found.tally.failed) == ("finished", 3)
    assert "an implausible number" in found.note
    assert suppressed(office) == set()


def test_a_refusal_that_says_nothing_of_the_reader_suppresses_nobody(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(office, reader1=Result.FAILED)
    run_briefly(office, monkeypatch)
    assert suppressed(office) == set()


def test_whose_pause_is_over_by_then_is_not_left_out(office: Office) -> None:
    with office.app.store.write() as connection:
        soon, late = now(office) + 1000, now(office) + 9000
        for email, until in (("reader1@mail.example", soon), ("reader2@mail.example", late)):
            wanted = subscriber.c.email == email
            connection.execute(update(subscriber).where(wanted).values(paused_until=until))
    opened = launch.open_campaign(
        office.app, office.may_go_to("readers"), READERS, not_before=now(office) + 3600
    )
    assert opened.status.tally.skipped == {"paused": 1}
    launch.discard(office.app.store, opened)
    assert office.open().status.tally.skipped == {"paused": 2}


def test_everybody_in_a_cancelled_campaign_has_a_final_state(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(office, reader1=Result.FAILED, reader2=Result.DEFERRED)
    run_briefly(office, monkeypatch)
    found, _ = control.halt(office.app, 1, CampaignState.CANCELLED)
    counts = found.tally
    assert (counts.accepted, counts.failed, counts.deferred, counts.queued) == (3, 1, 0, 0)
    assert counts.skipped == {"cancelled": 1}
    with office.app.store.read() as connection:
        fates = {fate.email: (fate.state, fate.reply) for fate in delivery_outcomes(connection, 1)}
    assert fates["reader2@mail.example"] == ("skipped", "cancelled")
    told = show(office.app.store, "reader2@mail.example", office.app.keys)
    assert [each["outcome"] for each in told["deliveries"]] == ["skipped: cancelled"]


def in_doubt(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    answering(office, reader1=Result.UNCERTAIN, reader3=Result.UNCERTAIN, reader4=Result.UNCERTAIN)
    found = run_briefly(office, monkeypatch)
    assert (found.state, found.tally.uncertain) == ("finished", 3)
    listed = control.uncertain(office.app, 1)
    assert [each.email for each in listed] == [f"reader{n}@mail.example" for n in (1, 3, 4)]
    return [each.position for each in listed]


def test_a_person_settles_what_is_uncertain(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = in_doubt(office, monkeypatch)
    assert control.resolve_uncertain(
        office.app, 1, "accepted", [first, 999], "she answered it"
    ) == [999]
    assert (
        control.resolve_uncertain(office.app, 1, "failed", [second], "the provider says so") == []
    )
    assert one(office).state == "finished"
    before = len(office.mailed)
    assert control.resolve_uncertain(office.app, 1, "send-again", [third], "it never came") == []
    assert (one(office).state, one(office).tally.queued) == ("sending", 1)
    found = office.run(office.open())
    assert (found.tally.accepted, found.tally.failed, found.tally.uncertain) == (4, 1, 0)
    assert len(office.mailed) == before + 1
    assert control.uncertain(office.app, 1) == []
    assert control.resolve_uncertain(office.app, 1, "failed", [first], "too late") == [first]


def test_evidence_settles_once_and_for_all(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = in_doubt(office, monkeypatch)
    store = office.app.store
    said = "delivered, says the provider"
    assert resolve(store, 1, [first], Result.ACCEPTED, note=said) == 1
    assert resolve(store, 1, [first], Result.FAILED, note="a bounce that came later") == 0
    assert resolve(store, 1, [second], Result.FAILED, note="bounced") == 1
    with pytest.raises(InputError):
        resolve(store, 1, [second], Result.DEFERRED, note="no")
    found = one(office)
    assert (found.tally.accepted, found.tally.failed, found.tally.uncertain) == (3, 1, 1)


def test_what_a_dead_sender_left_is_listed(office: Office) -> None:
    office.interrupted(office.open(), after=2)
    with office.app.store.write() as connection:
        connection.execute(
            update(chunk)
            .where(chunk.c.kind == "returned")
            .values(state="leased", offered=1, lease_until=1, journal="lost")
        )
    (found,) = control.uncertain(office.app, 1)
    assert (found.position, found.email) == (3, "reader2@mail.example")
    assert found.known == "its sender, , died and left the journal lost"
    assert one(office).tally.uncertain == 1


def test_a_worker_that_was_quicker_is_no_failure(office: Office) -> None:
    number = scheduled(office, 3600)
    with office.app.store.write() as connection:
        connection.execute(update(campaign).values(state="finished"))
    schedule.wait(office.app.store, office.app.settings, number)


def test_a_large_audience_has_a_canary_and_a_bad_one_stops_there(
    office: Office, tmp_path: Path
) -> None:
    settings = office.app.settings
    canary = settings.canary.model_copy(update={"size": 50, "above": 100})
    office.app = type(office.app)(
        settings.model_copy(update={"canary": canary}),
        office.app.store,
        office.app.keys,
        "ann",
    )
    office.on_list("readers", [f"new{n}@mail.example" for n in range(150)])

    def dead(each: Delivery, tries: int) -> Outcome:
        if each.position % 5 == 0:
            return Outcome(each.position, Result.FAILED, 550, "5.1.1", "no such user")
        return accept(each, tries)

    office.transport = MemoryTransport(dead)
    found = office.run(office.open())
    assert (found.state, found.held) == ("paused", True)
    assert found.tally.accepted + found.tally.failed == 50
    assert "refused permanently" in found.note
    with office.app.store.write() as connection:
        states.resume(connection, 1, by="ann", now=time.time())
    office.transport = MemoryTransport()
    assert office.run(office.open()).tally.queued == 0
