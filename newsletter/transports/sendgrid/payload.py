"""A batch as calls to SendGrid's Mail Send: grouped by variant, each within the published limits.

The limits: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations and, for
substitutions and custom arguments, the API's own description (`twilio/sendgrid-oai`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from newsletter.delivery.compose.substitutions import Personalize, SharedContent, Substitutions
from newsletter.delivery.model import Delivery, Outcome, Result
from newsletter.errors import InputError
from newsletter.settings.model import Sendgrid

MAX_CALL = 30_000_000
"""Bytes of one call, less than."""
MAX_SUBSTITUTIONS = 10_000
"""Bytes of one reader's substitutions, keys counted in."""

_OFF = {"enable": False}
_NO_TRACKING = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": _OFF,
    "subscription_tracking": _OFF,
    "ganalytics": _OFF,
}


@dataclass(frozen=True, slots=True)
class Personalization:
    """One reader's place in a call; ``size`` is in bytes, as sent."""

    position: int
    address: str
    personalization: Mapping[str, Any]
    size: int


@dataclass(frozen=True, slots=True)
class Call:
    """One request: a message, and the readers it is for."""

    message: Mapping[str, Any]
    recipients: tuple[Personalization, ...]

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object to post."""
        return {
            **self.message,
            "personalizations": [one.personalization for one in self.recipients],
        }

    def outcomes(self, result: Result, code: int | None, reply: str) -> list[Outcome]:
        """The same outcome for each reader."""
        return [Outcome(one.position, result, code, "", reply) for one in self.recipients]

    def halves(self) -> list[Call]:
        """The same readers in two calls."""
        middle = len(self.recipients) // 2
        return [
            replace(self, recipients=self.recipients[:middle]),
            replace(self, recipients=self.recipients[middle:]),
        ]

    def only(self, recipients: Iterable[Personalization]) -> Call:
        """A call for some of its readers."""
        return replace(self, recipients=tuple(recipients))


def plan_calls(
    batch: Sequence[Delivery], personalize: Personalize, settings: Sendgrid
) -> tuple[list[Call], list[Outcome]]:
    """Give the calls that carry a batch, and the outcomes of those that cannot be carried."""
    refused: list[Outcome] = []
    groups: dict[int, list[Personalization]] = {}
    for delivery in batch:
        try:
            recipient = _recipient(delivery, personalize.personal(delivery))
        except InputError as error:
            refused.append(Outcome(delivery.position, Result.FAILED, reply=error.message))
        else:
            groups.setdefault(delivery.variant, []).append(recipient)
    calls = []
    for variant, recipients in groups.items():
        message = _message(personalize.shared(variant), sandbox=settings.sandbox)
        calls += _calls(message, recipients, settings.batch)
    return calls, refused


def _calls(message: Mapping[str, Any], recipients: list[Personalization], most: int) -> list[Call]:
    """Fill call after call: at most so many readers and bytes, and each address once."""
    room = MAX_CALL - len(json.dumps(message)) - len(', "personalizations": []')
    calls: list[list[Personalization]] = []
    while recipients:
        taken: dict[str, Personalization] = {}
        left: list[Personalization] = []
        size = 0
        for one in recipients:
            fits = size + one.size < room or not taken
            if fits and len(taken) < most and one.address not in taken:
                taken[one.address] = one
                size += one.size
            else:
                left.append(one)
        calls.append(list(taken.values()))
        recipients = left
    return [Call(message, tuple(each)) for each in calls]


def _recipient(delivery: Delivery, personal: Substitutions) -> Personalization:
    """One reader's personalization.

    All headers and arguments stand here, and none at the level of the message: whether SendGrid
    merges the two levels or lets one replace the other is not documented.

    Raises:
        InputError: SendGrid cannot carry it.
    """
    if not personal.to.isascii():
        raise InputError("SendGrid takes ASCII addresses only")
    values = personal.substitutions
    if sum(len(key) + len(value.encode()) for key, value in values.items()) > MAX_SUBSTITUTIONS:
        raise InputError(f"the merge values are more than SendGrid's {MAX_SUBSTITUTIONS} bytes")
    personalization = {
        "to": [{"email": personal.to}],
        "headers": dict(personal.headers),
        "substitutions": dict(values),
        "custom_args": {
            "campaign": str(delivery.campaign_id),
            "position": str(delivery.position),
        },
    }
    size = len(json.dumps(personalization)) + len(", ")
    return Personalization(delivery.position, personal.to.lower(), personalization, size)


def _message(shared: SharedContent, *, sandbox: bool) -> dict[str, Any]:
    sender = {"email": shared.from_address, "name": shared.from_name}
    message: dict[str, Any] = {
        "from": {key: value for key, value in sender.items() if value},
        "subject": shared.subject,
        "content": [
            {"type": "text/plain", "value": shared.text},
            {"type": "text/html", "value": shared.html},
        ],
        "tracking_settings": _NO_TRACKING,
        "mail_settings": {"footer": _OFF, "sandbox_mode": {"enable": sandbox}},
    }
    if shared.reply_to:
        message["reply_to"] = {"email": shared.reply_to}
    return message
