"""SendGrid's Event Webhook: JSON into events.

The fields: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event. Everything
is read as if anything may stand anywhere: fields are missing, numbers come as text, a category is
a text or a list. Opens and clicks are not kept: nobody is watched.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any

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
_WATCHING = frozenset(["open", "click"])
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
"""SendGrid remembers what the reader said to it before."""
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
    """Every event of one request that is kept, in the order given.

    Args:
        body: A JSON list of objects.
        received_at: Unix seconds; stands in for a time that cannot be read.

    Raises:
        InputError: It is no JSON list.
    """
    try:
        told = json.loads(body)
        if isinstance(told, list):
            return [_event(each, received_at) for each in told if not _is_watching(each)]
    except (ValueError, RecursionError):
        raise InputError("the events are not JSON") from None
    raise InputError("the events are no list")


def _is_watching(told: Any) -> bool:
    return isinstance(told, dict) and _text(told, "event") in _WATCHING


def _event(told: Any, received_at: float) -> Event:
    payload = json.dumps(told, sort_keys=True).encode()
    fields = told if isinstance(told, dict) else {}
    kind, verdict = _meaning(fields)
    given = _text(fields, "sg_event_id")
    name = given if _ID.fullmatch(given) else hashlib.sha256(payload).hexdigest()
    return Event(
        provider_id=f"{SOURCE}:{name}",
        kind=kind,
        source=SOURCE,
        is_signed=True,
        at=_time(fields.get("timestamp"), received_at),
        payload=payload,
        verdict=verdict,
        email=_text(fields, "email"),
        campaign_id=_campaign(fields.get("campaign")),
        position=_number(fields.get("position")),
    )


def _meaning(fields: dict[str, Any]) -> tuple[EventKind, ReplyClass]:
    kind = _KINDS.get(_text(fields, "event"), EventKind.UNKNOWN)
    if kind is EventKind.DROPPED:
        return _drop(_text(fields, "reason"))
    if kind in {EventKind.COMPLAINED, EventKind.UNSUBSCRIBED}:
        return kind, ReplyClass.HARD
    if kind in {EventKind.BOUNCED, EventKind.DEFERRED}:
        return kind, _refusal(fields)
    return kind, ReplyClass.UNKNOWN


def _drop(reason: str) -> tuple[EventKind, ReplyClass]:
    said = reason.strip().lower().partition(" (")[0]
    if kind := _DROPS_AS.get(said):
        return kind, ReplyClass.HARD
    return EventKind.DROPPED, _DROPS.get(said, ReplyClass.UNKNOWN)


def _refusal(fields: dict[str, Any]) -> ReplyClass:
    """Our own reading of the words comes first, SendGrid's where they say nothing to us."""
    said = (_text(fields, "reason") or _text(fields, "response"))[:2000]
    code = _REPLY.match(said)
    words = said[code.end() :] if code else said
    verdict = classify(int(code[1]) if code else None, _text(fields, "status"), words)
    if verdict is ReplyClass.UNKNOWN:
        told = _text(fields, "bounce_classification")
        verdict = _CLASSES.get(told, ReplyClass.UNKNOWN)
    blocked = _text(fields, "type") == "blocked"
    # What SendGrid calls blocked, it does not hold against the address.
    return ReplyClass.SOFT if blocked and verdict is ReplyClass.HARD else verdict


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _campaign(value: Any) -> int | None:
    """0 is that of mail outside any campaign."""
    return 0 if value == "0" else _number(value)


def _number(value: Any) -> int | None:
    """A number from 1 to 999,999,999, as text or not."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return int(text) if _NUMBER.fullmatch(text) else None


def _time(value: Any, received_at: float) -> float:
    try:
        at = float(value)
    except (TypeError, ValueError, OverflowError):
        return received_at
    return at if math.isfinite(at) and 0 < at <= received_at else received_at
