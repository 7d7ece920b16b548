"""Turns a batch into calls to SendGrid's Mail Send, by variant, each within the published limits.

The limits: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations and, for
substitutions and custom arguments, the API's own description (`twilio/sendgrid-oai`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from newsletter.delivery.compose.substitutions import Personalize, Substitutions
from newsletter.delivery.model import Delivery, Outcome, Result
from newsletter.errors import InputError
from newsletter.settings.model import Sendgrid

MAX_CALL = 30_000_000
"""A call must have fewer bytes than this."""
MAX_SUBSTITUTIONS = 10_000
"""Most bytes of one recipient's substitutions, keys included."""

_OFF = {"enable": False}
# Subscription tracking would add an unsubscribe link of its own; the others track reading.
_NO_TRACKING = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": _OFF,
    "subscription_tracking": _OFF,
    "ganalytics": _OFF,
}


@dataclass(frozen=True, slots=True)
class Personalization:
    """One recipient's part of a call: the JSON ``fields``, and their ``size`` in bytes as sent."""

    position: int
    address: str
    fields: Mapping[str, object]
    size: int


@dataclass(frozen=True, slots=True)
class Call:
    """One request: a message and its recipients."""

    message: Mapping[str, object]
    recipients: tuple[Personalization, ...]

    @property
    def body(self) -> dict[str, object]:
        """The JSON object to post."""
        personalizations = [recipient.fields for recipient in self.recipients]
        return {**self.message, "personalizations": personalizations}

    def outcomes(self, result: Result, code: int | None, reply: str) -> list[Outcome]:
        """Return the same outcome for each recipient."""
        return [
            Outcome(recipient.position, result, code, "", reply) for recipient in self.recipients
        ]

    def halves(self) -> list[Call]:
        """Divide the recipients between two calls."""
        middle = len(self.recipients) // 2
        return [self.only(self.recipients[:middle]), self.only(self.recipients[middle:])]

    def only(self, recipients: Iterable[Personalization]) -> Call:
        """Return the call for some of its recipients."""
        return replace(self, recipients=tuple(recipients))


def plan_calls(
    batch: Sequence[Delivery], personalize: Personalize, settings: Sendgrid
) -> tuple[list[Call], list[Outcome]]:
    """Plan the calls for a batch.

    Returns:
        The calls, and the outcomes of deliveries that SendGrid cannot carry.
    """
    refused: list[Outcome] = []
    variants: dict[int, list[Personalization]] = {}
    for delivery in batch:
        try:
            recipient = _personalization(delivery, personalize.personal(delivery))
        except InputError as error:
            refused.append(Outcome(delivery.position, Result.FAILED, reply=error.message))
        else:
            variants.setdefault(delivery.variant, []).append(recipient)
    calls: list[Call] = []
    for variant, recipients in variants.items():
        shared = personalize.shared(variant)
        sender = {"email": shared.from_address, "name": shared.from_name}
        message: dict[str, object] = {
            "from": {key: value for key, value in sender.items() if value},
            "subject": shared.subject,
            # In this order: the API requires text/plain first.
            "content": [
                {"type": "text/plain", "value": shared.text},
                {"type": "text/html", "value": shared.html},
            ],
            "tracking_settings": _NO_TRACKING,
            "mail_settings": {"footer": _OFF, "sandbox_mode": {"enable": settings.sandbox}},
        }
        if shared.reply_to:
            message["reply_to"] = {"email": shared.reply_to}
        calls += _filled_calls(message, recipients, settings.batch)
    return calls, refused


def _personalization(delivery: Delivery, personal: Substitutions) -> Personalization:
    if not personal.to.isascii():
        raise InputError("SendGrid accepts ASCII addresses only")
    values = personal.substitutions
    if sum(len(key) + len(value.encode()) for key, value in values.items()) > MAX_SUBSTITUTIONS:
        raise InputError(f"the merge values exceed SendGrid's limit of {MAX_SUBSTITUTIONS} bytes")
    # All headers and arguments are here and none at the level of the message: whether SendGrid
    # merges the two levels, or lets one replace the other, is not documented.
    fields = {
        "to": [{"email": personal.to}],
        "headers": dict(personal.headers),
        "substitutions": dict(values),
        # Opaque numbers only: SendGrid keeps these, and shows them in its web interface.
        "custom_args": {
            "campaign": str(delivery.campaign_id),
            "position": str(delivery.position),
        },
    }
    size = len(json.dumps(fields)) + len(", ")
    return Personalization(delivery.position, personal.to.lower(), fields, size)


def _filled_calls(
    message: Mapping[str, object], recipients: list[Personalization], most: int
) -> list[Call]:
    space = MAX_CALL - len(json.dumps(message)) - len(', "personalizations": []')
    calls: list[Call] = []
    while recipients:
        taken: dict[str, Personalization] = {}
        left: list[Personalization] = []
        size = 0
        for recipient in recipients:
            # The first one is always taken, or the loop would not end; SendGrid then refuses it.
            fits = size + recipient.size < space or not taken
            # SendGrid refuses a call in which an address occurs twice.
            if fits and len(taken) < most and recipient.address not in taken:
                taken[recipient.address] = recipient
                size += recipient.size
            else:
                left.append(recipient)
        calls.append(Call(message, tuple(taken.values())))
        recipients = left
    return calls
