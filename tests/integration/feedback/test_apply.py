"""The consequences of events, on both databases."""

from __future__ import annotations

import itertools
import random
import zlib

import pytest
from sqlalchemy import select, update

from newsletter.audience.keys import Keys
from newsletter.audience.subscribers import find
from newsletter.audience.tables import consent_event, subscription
from newsletter.database.erasure import erase
from newsletter.delivery.ledger.tables import attempt, campaign
from newsletter.errors import RefusedError
from newsletter.feedback import apply as applying
from newsletter.feedback.event import EventKind
from newsletter.smtp_replies.classify import ReplyClass
from tests.integration.feedback.conftest import DAY, HOLD_AFTER, KEYS, Sent


@pytest.mark.parametrize(
    ("kind", "verdict", "reasons"),
    [
        (EventKind.BOUNCED, ReplyClass.HARD, {"bounced"}),
        (EventKind.DROPPED, ReplyClass.HARD, {"bounced"}),
        (EventKind.COMPLAINED, ReplyClass.HARD, {"complained"}),
        (EventKind.UNSUBSCRIBED, ReplyClass.HARD, {"unsubscribed"}),
        (EventKind.BOUNCED, ReplyClass.SOFT, set()),
        (EventKind.BOUNCED, ReplyClass.BLOCK, set()),
        (EventKind.BOUNCED, ReplyClass.UNKNOWN, set()),
        (EventKind.COMPLAINED, ReplyClass.BLOCK, set()),
        (EventKind.DEFERRED, ReplyClass.HARD, set()),
        (EventKind.DELIVERED, ReplyClass.UNKNOWN, set()),
        (EventKind.UNKNOWN, ReplyClass.HARD, set()),
    ],
)
def test_each_event_affects_only_its_recipient(sent, kind, verdict, reasons):
    done = sent.apply(sent.event("a", kind, 2, verdict=verdict))
    assert sent.suppressed(2) == reasons
    assert (done.kinds, done.suppressed) == ({kind.value: 1}, len(reasons))
    assert not sent.suppressed(1)


def test_an_unsubscribe_at_the_provider_ends_every_subscription(sent):
    sent.apply(sent.event("a", EventKind.UNSUBSCRIBED, 2))
    with sent.store.read() as connection:
        leaver = find(connection, sent.address(2))
        states = connection.execute(
            select(subscription.c.state).where(subscription.c.subscriber_id == leaver.id)
        )
        assert states.scalars().all() == ["unsubscribed"]
        last = connection.execute(
            select(consent_event).where(consent_event.c.action == "unsubscribed")
        ).one()
    assert (last.subscriber_uid, last.source) == (leaver.uid, "tests")


@pytest.mark.parametrize(
    "wrong",
    [
        {"position": 3},
        {"position": 99},
        {"position": None},
        {"campaign_id": 7},
        {"campaign_id": None},
        {"campaign_id": 0},
        {"campaign_id": 0, "source": "mail"},
        {"email": ""},
        {"email": "somebody@mail.example"},
        {"email": "not an address"},
        {"email": "\udcff@\udcff"},
        {"subscriber_uid": 12345},
    ],
)
def test_an_unattributed_event_is_recorded_and_changes_nothing(sent, wrong):
    done = sent.apply(sent.event("a", EventKind.BOUNCED, 2, **wrong))
    assert (done.unverified, done.suppressed, dict(done.kinds)) == (1, 0, {})
    assert [row.verified for row in sent.rows()] == [0]
    assert not any(sent.suppressed(position) for position in (1, 2, 3))


def test_a_token_attributes_whatever_the_address(sent):
    uid = sent.row(4).subscriber_uid
    facts = {"position": None, "email": "", "subscriber_uid": uid}
    sent.apply(sent.event("a", EventKind.BOUNCED, 4, **facts))
    assert sent.suppressed(4) == {"bounced"}
    other = {**facts, "email": "list@elsewhere.example"}
    sent.apply(sent.event("b", EventKind.COMPLAINED, 4, **other))
    assert sent.suppressed(4) == {"bounced"}


def test_repeats_are_counted_and_ignored(sent):
    bounce = sent.event("a", EventKind.BOUNCED, 2)
    first = sent.apply(bounce, bounce)
    again = sent.apply(bounce, sent.event("b", EventKind.DELIVERED, 1))
    assert (first.repeated, again.repeated, sent.count()) == (1, 1, 2)
    assert again.suppressed == 0


def test_the_order_of_arrival_does_not_matter(sent):
    events = [
        sent.event("a", EventKind.ACCEPTED, 5, verdict=ReplyClass.UNKNOWN),
        sent.event("b", EventKind.BOUNCED, 5),
        sent.event("c", EventKind.DELIVERED, 5, verdict=ReplyClass.UNKNOWN),
        sent.event("d", EventKind.COMPLAINED, 5),
    ]
    orders = list(itertools.permutations(events))
    for each in random.Random(7).choice(orders):
        sent.apply(each)
    assert sent.suppressed(5) == {"bounced", "complained"}
    assert sent.result(5) == "accepted"


def test_an_event_settles_only_uncertain_deliveries(sent):
    done = sent.apply(
        sent.event("a", EventKind.DELIVERED, 5, verdict=ReplyClass.UNKNOWN),
        sent.event("b", EventKind.BOUNCED, 6),
        sent.event("c", EventKind.BOUNCED, 1),
    )
    assert done.settled == 2
    assert [sent.result(position) for position in (1, 5, 6)] == ["accepted"] * 3


def test_an_event_settles_a_delivery_that_becomes_uncertain_later(sent):
    sent.apply(sent.event("a", EventKind.ACCEPTED, 1), sent.event("b", EventKind.DELIVERED, 1))
    with sent.store.write() as connection:
        mine = attempt.c.position.in_((1, 2))
        connection.execute(update(attempt).where(mine).values(result="uncertain"))
    assert applying.settle_known(sent.store, 1) == 1
    assert (sent.result(1), sent.result(2)) == ("accepted", "uncertain")


def test_an_unattributed_event_settles_nothing(sent):
    sent.apply(sent.event("a", EventKind.DELIVERED, 5, email="somebody@mail.example"))
    assert sent.result(5) == "uncertain"


def test_a_mailbox_that_stays_full_is_suppressed_on_the_fifth_day(sent):
    for day in range(5):
        assert not sent.suppressed(2)
        at = sent.now - (5 - day) * DAY
        for repeat in range(3):
            name = f"{day}-{repeat}"
            facts = {"verdict": ReplyClass.SOFT, "at": at}
            sent.apply(sent.event(name, EventKind.BOUNCED, 2, **facts))
    assert sent.suppressed(2) == {"bounced"}


def test_old_soft_bounces_are_forgotten(sent):
    for year in range(6):
        facts = {"verdict": ReplyClass.SOFT, "at": sent.now - year * 365 * DAY}
        sent.apply(sent.event(f"{year}", EventKind.BOUNCED, 2, **facts))
    assert not sent.suppressed(2)


def test_many_rejections_of_us_pause_the_campaign_and_suppress_nobody(sent):
    policy = {"verdict": ReplyClass.BLOCK}
    for position in range(1, HOLD_AFTER):
        sent.apply(sent.event(f"{position}", EventKind.BOUNCED, position, **policy))
    assert sent.state() == ("sending", [])
    done = sent.apply(sent.event("last", EventKind.BOUNCED, HOLD_AFTER, **policy))
    assert done.held == (1,)
    assert sent.state() == ("paused", ["3 reports that came back reject us as a sender"])
    assert not any(sent.suppressed(position) for position in range(1, HOLD_AFTER + 1))
    with sent.store.write() as connection:
        connection.execute(update(campaign).values(state="sending"))
    resumed = sent.apply(sent.event("one more", EventKind.BOUNCED, 4, **policy))
    assert (resumed.held, sent.state()[0]) == ((), "sending")


def test_a_batch_killed_midway_keeps_nothing_and_its_repeat_does_everything(sent, monkeypatch):
    def die(*_arguments):
        raise KeyboardInterrupt

    events = [sent.event(f"{n}", EventKind.BOUNCED, n) for n in range(1, 5)]
    with monkeypatch.context() as broken:
        broken.setattr(applying, "suppress_reported", die)
        with pytest.raises(KeyboardInterrupt):
            sent.apply(*events)
    assert (sent.count(), sent.suppressed(1)) == (0, set())
    assert sent.apply(*events).suppressed == 4


def test_under_another_suppression_key_nothing_is_applied(sent):
    sent.apply(sent.event("a", EventKind.DELIVERED, 1))
    with pytest.raises(RefusedError, match="suppression key"):
        applying.apply(
            sent.store,
            Keys(KEYS.signing, b"another key" * 3),
            [sent.event("b", EventKind.BOUNCED, 2)],
            hold_after=0,
        )
    assert sent.count() == 1


def test_the_original_is_kept_until_the_subscriber_is_erased(sent: Sent):
    sent.apply(sent.event("a", EventKind.BOUNCED, 2, payload=b"what came"))
    assert zlib.decompress(sent.rows()[0].payload) == b"what came"
    erase(sent.store, sent.address(2), KEYS, by="tests")
    sent.apply(sent.event("b", EventKind.DELIVERED, 2, payload=b"what came later"))
    assert [row.payload for row in sent.rows()] == [b"", b""]
    assert sent.suppressed(2) == {"bounced", "erased"}
