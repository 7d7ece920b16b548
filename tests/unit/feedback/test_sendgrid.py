"""SendGrid's events as ours, whatever the JSON holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import InputError
from newsletter.feedback.event import EventKind
from newsletter.smtp_replies.classify import ReplyClass
from newsletter.transports.sendgrid.events import read_events

NOW = 1_790_000_000.0


def read(**fields):
    return read_events(json.dumps([{"sg_event_id": "a", **fields}]), NOW)[0]


@pytest.mark.parametrize(
    ("fields", "kind", "verdict"),
    [
        ({"event": "processed"}, EventKind.ACCEPTED, ReplyClass.UNKNOWN),
        ({"event": "delivered", "response": "250 OK"}, EventKind.DELIVERED, ReplyClass.UNKNOWN),
        (
            {"event": "bounce", "type": "bounce", "reason": "550 5.1.1 User unknown"},
            EventKind.BOUNCED,
            ReplyClass.HARD,
        ),
        (
            {"event": "bounce", "bounce_classification": "Invalid Address", "reason": "550 no"},
            EventKind.BOUNCED,
            ReplyClass.HARD,
        ),
        (
            {"event": "bounce", "type": "blocked", "reason": "550 5.7.1 spam detected"},
            EventKind.BOUNCED,
            ReplyClass.BLOCK,
        ),
        (
            {"event": "bounce", "type": "blocked", "reason": "550 User unknown"},
            EventKind.BOUNCED,
            ReplyClass.SOFT,
        ),
        (
            {"event": "bounce", "reason": "552 5.2.2 mailbox full"},
            EventKind.BOUNCED,
            ReplyClass.SOFT,
        ),
        ({"event": "dropped", "reason": "Bounced Address"}, EventKind.DROPPED, ReplyClass.HARD),
        ({"event": "dropped", "reason": "Invalid"}, EventKind.DROPPED, ReplyClass.HARD),
        (
            {"event": "dropped", "reason": "Invalid SMTPAPI header"},
            EventKind.DROPPED,
            ReplyClass.BLOCK,
        ),
        (
            {"event": "dropped", "reason": "Spam Content (if Spam Checker app is enabled)"},
            EventKind.DROPPED,
            ReplyClass.BLOCK,
        ),
        (
            {"event": "dropped", "reason": "Unsubscribed Address"},
            EventKind.UNSUBSCRIBED,
            ReplyClass.HARD,
        ),
        (
            {"event": "dropped", "reason": "Spam Reporting Address"},
            EventKind.COMPLAINED,
            ReplyClass.HARD,
        ),
        ({"event": "dropped", "reason": "something new"}, EventKind.DROPPED, ReplyClass.UNKNOWN),
        ({"event": "account_status_change"}, EventKind.UNKNOWN, ReplyClass.UNKNOWN),
    ],
)
def test_each_event_is_understood(fields, kind, verdict):
    event = read(**fields)
    assert (event.kind, event.verdict) == (kind, verdict)


def test_a_repeat_has_the_same_provider_id_with_and_without_an_event_id():
    assert read(event="bounce").provider_id == "sendgrid:a"
    assert read(sg_event_id="").provider_id == read(sg_event_id="").provider_id
    assert read(sg_event_id="\0", x=1).provider_id != read(sg_event_id="\0", x=2).provider_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["event", "email", "timestamp", "campaign", "position", "reason", "status", "sg_event_id"]
)


@given(st.lists(JSON | st.dictionaries(FIELDS, JSON | st.just("bounce"), max_size=8), max_size=4))
def test_any_json_becomes_events_that_can_be_stored(told):
    for event in read_events(json.dumps(told), NOW):
        assert event.provider_id.isascii()
        assert len(event.provider_id) <= 120
        assert 0 < event.at <= NOW
        assert event.payload.isascii()
        assert all(
            number is None or 0 <= number < 2**31 for number in (event.campaign_id, event.position)
        )


@given(st.text(max_size=50))
def test_any_text_is_a_list_or_refused(text):
    try:
        read_events(text, NOW)
    except InputError:
        return
    assert isinstance(json.loads(text), list)
