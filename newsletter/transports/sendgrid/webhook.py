"""SendGrid's signed Event Webhook. Without a verification key the route does not exist."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from newsletter.audience.keys import Keys
from newsletter.errors import InputError
from newsletter.feedback.apply import apply
from newsletter.settings.model import Settings
from newsletter.store.engine import Store
from newsletter.transports.base import WebhookReply
from newsletter.transports.sendgrid.events import read_events

log = logging.getLogger("newsletter.web")

MAX_BYTES = 4 * 1024 * 1024
"""SendGrid posts after 30 seconds or 768 KB of events, whichever comes first."""
OLDEST_S = 25 * 3600.0
"""SendGrid retries for 24 hours. A replay within that time does no harm: repeats are ignored."""
FASTEST_CLOCK_S = 300.0
"""How far SendGrid's clock may be ahead of ours."""

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
_SECONDS = re.compile(r"[0-9]{1,12}")


class SendgridWebhook:
    """Receives SendGrid's events; implements `newsletter.transports.base.Webhook`.

    Args:
        store: Where events are applied.
        keys: The keys of addresses and tokens.
        settings: Their ``sendgrid.webhook_key`` verifies signatures.

    Raises:
        InputError: That key is invalid.
    """

    max_bytes = MAX_BYTES

    def __init__(self, store: Store, keys: Keys, settings: Settings) -> None:
        # Imported here: only a `serve` with a key needs them.
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
        from sendgrid.helpers.eventwebhook import EventWebhook

        self._store = store
        self._keys = keys
        self._hold_after = settings.hold.policy
        try:
            self._verifier = EventWebhook(settings.sendgrid.webhook_key)
        except (ValueError, UnsupportedAlgorithm):
            self._verifier = EventWebhook()
        # The library accepts any kind of public key, and fails only when it verifies.
        if not isinstance(self._verifier.public_key, EllipticCurvePublicKey):
            raise InputError(
                "sendgrid.webhook_key is not a verification key",
                fix="copy it from SendGrid's Settings, Mail Settings, Event Webhook",
            )

    def receive(self, headers: Mapping[str, str], body: bytes) -> WebhookReply:
        """Reply 204 once everything is committed; 4xx if it is not signed, or not a list."""
        with self._store.read() as connection:
            now = self._store.now(connection)
        signature, timestamp = headers.get(SIGNATURE, ""), headers.get(TIMESTAMP, "")
        if not self._is_genuine(body, signature, timestamp, now):
            log.warning("webhook refused", extra={"size": len(body)})
            return WebhookReply(403, "not signed, or too old")
        try:
            events = read_events(body.decode(), now)
        except InputError as error:
            return WebhookReply(400, error.message)
        done = apply(self._store, self._keys, events, hold_after=self._hold_after)
        facts = {"new": sum(done.kinds.values()), "unverified": done.unverified}
        log.info("events received", extra={**facts, "repeated": done.repeated})
        return WebhookReply(204)

    def _is_genuine(self, raw: bytes, signature: str, timestamp: str, now: float) -> bool:
        if not signature or not _SECONDS.fullmatch(timestamp):
            return False
        # The library checks no age: a recorded request would stay valid forever.
        if not -FASTEST_CLOCK_S <= now - int(timestamp) <= OLDEST_S:
            return False
        # It raises if the signature is not base64, or the body not UTF-8.
        try:
            return bool(self._verifier.verify_signature(raw.decode(), signature, timestamp))
        except (ValueError, TypeError):
            return False
