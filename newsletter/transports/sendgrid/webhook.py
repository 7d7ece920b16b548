"""SendGrid's signed Event Webhook. Without a verification key nothing is taken in."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from newsletter.audience.keys import Keys
from newsletter.errors import InputError
from newsletter.feedback.apply import apply
from newsletter.settings.model import Settings
from newsletter.store.engine import Store
from newsletter.transports.base import WebhookReply
from newsletter.transports.sendgrid.events import read_events

if TYPE_CHECKING:
    from sendgrid.helpers.eventwebhook import EventWebhook

log = logging.getLogger("newsletter.web")

MAX_BYTES = 4 * 1024 * 1024
"""SendGrid sends after 30 seconds or 768 KB, whichever comes first."""
OLDEST_S = 25 * 3600.0
"""SendGrid tries for 24 hours; repeats of what was taken in are ignored anyway."""
FASTEST_CLOCK_S = 300.0

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
_SECONDS = re.compile(r"[0-9]{1,12}")


class SendgridWebhook:
    """Takes in what SendGrid reports, once it is proved that SendGrid reports it.

    Implements `newsletter.transports.base.Webhook`.

    Args:
        settings: Whose ``sendgrid.webhook_key`` verifies.

    Raises:
        InputError: That key is invalid.
    """

    max_bytes = MAX_BYTES

    def __init__(self, store: Store, keys: Keys, settings: Settings) -> None:
        self._store = store
        self._keys = keys
        self._hold_after = settings.hold.policy
        self._verifier = _verifier(settings.sendgrid.webhook_key)

    def receive(self, headers: Mapping[str, str], body: bytes) -> WebhookReply:
        """Reply 204 once everything is committed; 4xx to what is not signed or not a list."""
        with self._store.read() as connection:
            now = self._store.now(connection)
        signature, timestamp = headers.get(SIGNATURE, ""), headers.get(TIMESTAMP, "")
        if not self._is_genuine(body, signature, timestamp, now):
            log.warning("webhook refused", extra={"size": len(body)})
            return WebhookReply(403, "not signed, or not in time")
        try:
            events = read_events(body.decode(), now)
        except InputError as error:
            return WebhookReply(400, error.message)
        done = apply(self._store, self._keys, events, hold_after=self._hold_after)
        facts = {"new": sum(done.kinds.values()), "unverified": done.unverified}
        log.info("events taken in", extra={**facts, "repeated": done.repeated})
        return WebhookReply(204)

    def _is_genuine(self, raw: bytes, signature: str, timestamp: str, now: float) -> bool:
        """The library verifies; it raises on what is no base64 and knows no age."""
        if not signature or not _SECONDS.fullmatch(timestamp):
            return False
        if not -FASTEST_CLOCK_S <= now - int(timestamp) <= OLDEST_S:
            return False
        try:
            return bool(self._verifier.verify_signature(raw.decode(), signature, timestamp))
        except (ValueError, TypeError):
            return False


def _verifier(key: str) -> EventWebhook:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from sendgrid.helpers.eventwebhook import EventWebhook

    try:
        verifier = EventWebhook(key)
    except (ValueError, UnsupportedAlgorithm):
        verifier = EventWebhook()
    if not isinstance(verifier.public_key, EllipticCurvePublicKey):
        raise InputError(
            "sendgrid.webhook_key is no verification key",
            fix="copy it from SendGrid's Settings, Mail Settings, Event Webhook",
        )
    return verifier
