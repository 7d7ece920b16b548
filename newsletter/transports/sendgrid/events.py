"""Reads the JSON of SendGrid's Event Webhook.

The fields: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event. Any field may
be missing or have any type: numbers come as text, a category is a text or a list. Opens and clicks
are not kept, since nobody's reading is tracked.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress

from newsletter.errors import InputError
from newsletter.feedback.event import Event, EventKind
from newsletter.smtp_replies.classify import ReplyClass, classify

SOURCE = "sendgrid"

_KINDS = {
    "processed": EventKind.ACCEPTED,
    "delivered": EventKind.DELIVERED,
    "deferred": EventKind.DEFERRED,
    "bounce": EventKind.BOUNCED,
    "dropped": EventKind.DROPPED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
}
_TRACKING = frozenset(["open", "click"])
_DROPS = {
    "bounced address": ReplyClass.HARD,
    "invalid": ReplyClass.HARD,
    "spam content": ReplyClass.BLOCK,
    "recipient list over package quota": ReplyClass.BLOCK,
    "invalid smtpapi header": ReplyClass.BLOCK,
}
_DROPS_AS = {
    "unsubscribed address": EventKind.UNSUBSCRIBED,
    "spam reporting address": EventKind.COMPLAINED,
}
"""Drops because of what the recipient told SendGrid earlier."""
_CLASSES = {
    "Invalid Address": ReplyClass.HARD,
    "Mailbox Unavailable": ReplyClass.SOFT,
    "Technical Failure": ReplyClass.SOFT,
    "Content": ReplyClass.BLOCK,
    "Reputation": ReplyClass.BLOCK,
    "Frequency or Volume Too High": ReplyClass.BLOCK,
}
"""Values of ``bounce_classification``."""
_ID = re.compile(r"[!-~]{1,100}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_REPLY = re.compile(r"\s*([245]\d\d)\b[ \-]*")


def read_events(body: str, received_at: float) -> list[Event]:
    """Return the events of one request, in order, without those that track reading.

    Args:
        body: A JSON list of objects.
        received_at: Unix seconds, used for events without a valid time.

    Raises:
        InputError: The body is not a JSON list.
    """
    try:
        entries: object = json.loads(body)
        if not isinstance(entries, list):
            raise InputError("the events are not a list")
        return [
            _event(entry, received_at)
            for entry in entries
            if not (isinstance(entry, dict) and _text(entry, "event") in _TRACKING)
        ]
    except (ValueError, RecursionError):
        raise InputError("the events are not JSON") from None


def _event(entry: object, received_at: float) -> Event:
    payload = json.dumps(entry, sort_keys=True).encode()
    fields: Mapping[str, object] = entry if isinstance(entry, dict) else {}
    kind, verdict = _meaning(fields)
    given = _text(fields, "sg_event_id")
    # An event without a usable ID is named by its content, so that a repeat has the same name.
    name = given if _ID.fullmatch(given) else hashlib.sha256(payload).hexdigest()
    timestamp = fields.get("timestamp")
    at = received_at
    if isinstance(timestamp, (int, float, str)):
        with suppress(ValueError, OverflowError):
            at = float(timestamp)
    # A time in the future would make this event the last word about its delivery.
    if not (math.isfinite(at) and 0 < at <= received_at):
        at = received_at
    campaign = fields.get("campaign")
    return Event(
        provider_id=f"{SOURCE}:{name}",
        kind=kind,
        source=SOURCE,
        is_signed=True,
        at=at,
        payload=payload,
        verdict=verdict,
        email=_text(fields, "email"),
        # 0 is for mail outside any campaign, such as confirmations.
        campaign_id=0 if campaign == "0" else _number(campaign),
        position=_number(fields.get("position")),
    )


def _meaning(fields: Mapping[str, object]) -> tuple[EventKind, ReplyClass]:
    kind = _KINDS.get(_text(fields, "event"), EventKind.UNKNOWN)
    reason = _text(fields, "reason")
    if kind is EventKind.DROPPED:
        # "Spam Content (if Spam Checker app is enabled)"
        cause = reason.strip().lower().partition(" (")[0]
        if earlier := _DROPS_AS.get(cause):
            return earlier, ReplyClass.HARD
        return kind, _DROPS.get(cause, ReplyClass.UNKNOWN)
    if kind in {EventKind.COMPLAINED, EventKind.UNSUBSCRIBED}:
        return kind, ReplyClass.HARD
    if kind not in {EventKind.BOUNCED, EventKind.DEFERRED}:
        return kind, ReplyClass.UNKNOWN
    # The reply is classified as one over SMTP is, so that both transports treat it alike.
    reply = (reason or _text(fields, "response"))[:2000]
    code = _REPLY.match(reply)
    words = reply[code.end() :] if code else reply
    verdict = classify(int(code[1]) if code else None, _text(fields, "status"), words)
    if verdict is ReplyClass.UNKNOWN:
        verdict = _CLASSES.get(_text(fields, "bounce_classification"), ReplyClass.UNKNOWN)
    # SendGrid does not suppress an address for a blocked message, so neither do we.
    if verdict is ReplyClass.HARD and _text(fields, "type") == "blocked":
        verdict = ReplyClass.SOFT
    return kind, verdict


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    """A number from 1 to 999,999,999, as text or not."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return int(text) if _NUMBER.fullmatch(text) else None
