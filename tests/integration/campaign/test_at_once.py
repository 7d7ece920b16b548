"""Two people send the same issue: whatever they do in between, nobody gets it twice."""

from __future__ import annotations

import pytest

from newsletter.campaign import launch
from newsletter.campaign.snapshot import AudienceSelection
from newsletter.campaign.status import status
from newsletter.delivery.ledger import leases, states
from newsletter.delivery.ledger.journal import FileJournal
from newsletter.delivery.ledger.sending_lock import sending_lock
from newsletter.delivery.model import Outcome, Result
from newsletter.errors import RefusedError
from tests.integration.campaign.conftest import Office

OTHERS = AudienceSelection("others")


def test_of_two_who_were_asked_only_one_sends(office: Office) -> None:
    ann, bob = office.open(), office.open()
    office.run(bob)
    with pytest.raises(RefusedError, match="meanwhile"):
        office.run(ann)
    assert len(office.mailed) == len(set(office.mailed)) == 5


def test_who_confirms_while_another_is_sending_does_not_start_it_again(office: Office) -> None:
    ann, bob = office.open(), office.open()
    with pytest.raises(RefusedError, match="meanwhile"):
        office.run(ann)
    office.interrupted(bob, after=2)
    with pytest.raises(RefusedError, match="meanwhile"):
        office.run(bob)
    office.run(office.open())
    assert len(office.mailed) == len(set(office.mailed)) == 5


def test_a_list_that_was_sent_to_while_the_question_stood_is_not_mailed_twice(
    office: Office,
) -> None:
    office.on_list("others", ["reader1@mail.example", "new@mail.example"])
    ann, bob = office.open(), office.open(OTHERS)
    office.run(bob)
    with pytest.raises(RefusedError, match="meanwhile"):
        office.run(ann)
    office.run(office.open())
    assert len(office.mailed) == len(set(office.mailed)) == 6


def test_what_was_scheduled_while_the_question_stood_counts_as_begun(office: Office) -> None:
    office.on_list("others", ["reader1@mail.example", "new@mail.example"])
    ann, bob = office.open(), office.open(OTHERS)
    move(office, bob, "scheduled")
    with pytest.raises(RefusedError, match="meanwhile"):
        office.run(ann)
    assert office.mailed == []


def test_an_issue_goes_to_one_list_after_the_other(office: Office) -> None:
    """Who is queued in one campaign could not be told from who is not to get it in the other."""
    office.on_list("others", ["reader4@mail.example", "new@mail.example"])
    office.interrupted(office.open(), after=2)
    with pytest.raises(RefusedError, match=r"campaign \d+ of this issue, to readers, is sending"):
        office.open(OTHERS)
    office.run(office.open())
    office.run(office.open(OTHERS))
    assert len(office.mailed) == len(set(office.mailed)) == 6


def test_sending_again_goes_on_with_the_second_time_and_starts_no_third(office: Office) -> None:
    office.run(office.open())
    office.interrupted(office.open(again="the phone number was wrong"), after=2)
    office.run(office.open(again="the phone number was wrong"))
    assert sorted(office.mailed.count(who) for who in set(office.mailed)) == [2] * 5


def test_again_does_not_pass_over_a_first_time_that_is_unfinished(office: Office) -> None:
    office.interrupted(office.open(), after=2)
    with pytest.raises(RefusedError, match="without --again"):
        office.open(again="the phone number was wrong")


def test_who_declines_leaves_the_campaign_of_somebody_else_alone(office: Office) -> None:
    ann, bob = office.open(), office.open()
    launch.discard(office.app.store, ann)
    assert office.run(bob).tally.accepted == 5


def test_a_pause_holds_until_somebody_ends_it(office: Office) -> None:
    opened = office.open()
    office.interrupted(opened, after=2)
    move(office, opened, "paused")
    with pytest.raises(RefusedError, match=r"paused.*resume"):
        office.run(office.open())
    assert len(office.mailed) == 2
    move(office, opened, "sending")
    assert office.run(office.open()).tally.accepted == 5


def test_what_nobody_confirmed_cannot_be_resumed(office: Office) -> None:
    opened = office.open()
    with office.app.store.write() as connection, pytest.raises(RefusedError, match="approved"):
        states.resume(connection, opened.status.campaign_id, by="bob", now=0)
    assert office.run(opened).tally.accepted == 5


def test_after_a_cancel_only_who_has_it_not_yet_gets_it(office: Office) -> None:
    opened = office.open()
    office.interrupted(opened, after=2)
    move(office, opened, "cancelled")
    result = office.run(office.open())
    assert (result.tally.accepted, result.tally.skipped) == (3, {"already-sent": 2})
    with office.app.store.read() as connection:
        before = status(connection, opened.status.campaign_id).tally
    assert (before.accepted, before.queued, before.skipped) == (2, 0, {"cancelled": 3})


def move(office: Office, opened: launch.PendingCampaign, to: str) -> None:
    store = office.app.store
    with store.write() as connection:
        now = store.now(connection)
        if to == "sending":
            states.resume(connection, opened.status.campaign_id, by="bob", now=now)
        else:
            states.transition(
                connection, opened.status.campaign_id, states.CampaignState(to), by="bob", now=now
            )


def test_a_new_send_waits_for_what_a_cancelled_one_has_on_its_way(office: Office) -> None:
    """Who comes back as not begun would else be skipped as if they had it."""
    first = office.open()
    number, store = first.status.campaign_id, office.app.store
    launch.begin(office.app, first)
    with sending_lock(store):
        lease = leases.claim(store, number, "somebody")
        assert lease is not None
        offered = leases.reserve_batch(store, lease, 3).deliveries
        move(office, first, "cancelled")
        office.edit()
        with pytest.raises(RefusedError, match="still being sent"):
            office.open()
        back = [Outcome(each.position, Result.RETURNED) for each in offered]
        leases.release(store, lease, back)
    assert office.run(office.open()).tally.accepted == 5


def test_who_was_not_begun_when_the_sender_died_is_in_the_next_campaign(office: Office) -> None:
    first = office.open()
    number, app = first.status.campaign_id, office.app
    launch.begin(app, first)
    lease = leases.claim(app.store, number, "somebody")
    assert lease is not None
    journal = FileJournal(app.journal_folder / lease.journal, lease.origin)
    offered = leases.reserve_batch(app.store, lease, 3).deliveries
    journal.begun(offered[0].position)
    journal.close(remove=False)
    move(office, first, "cancelled")
    office.edit()
    found = office.run(office.open()).tally
    assert (found.accepted, dict(found.skipped)) == (4, {"already-sent": 1})
