"""Interprets SendGrid's responses: what each means for the recipients of its call.

Sources: https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses
(status codes), .../mail-send/errors (the `errors` array) and .../rate-limits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.delivery.model import Outcome, Result
from newsletter.errors import UnavailableError
from newsletter.transports.sendgrid.client import ApiResponse
from newsletter.transports.sendgrid.payload import Call

MAX_REPLY = 500
"""Characters of a reply that are kept (see `Outcome`)."""

ACCEPTED, VALIDATED, BAD_REQUEST, TOO_LARGE = 202, 200, 400, 413
TOO_MANY = 429
NOT_TAKEN = frozenset([TOO_MANY, 500, 503])
"""SendGrid's own "not now". Other 5xx come from a gateway, which cannot know what was taken."""
KEY_REFUSED = frozenset([401, 403])

_NAMED = re.compile(r"personalizations[.\[](\d+)\b")
_ADDRESS = re.compile(r"\S+@\S+")


@dataclass(slots=True)
class CallResult:
    """What follows from a call.

    ``outcomes`` of the recipients that are done; calls to make ``again`` at once for the others;
    and why everything must ``stop``, if it must.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    again: list[Call] = field(default_factory=list)
    stop: UnavailableError | None = None


def interpret(call: Call, response: ApiResponse, *, sandbox: bool) -> CallResult:
    """Say what follows from a response."""
    status = response.status
    # Outside the sandbox a 200 comes from something other than SendGrid, a proxy for instance.
    if status == ACCEPTED or (status == VALIDATED and sandbox):
        receipt = f"X-Message-Id: {response.headers.get('X-Message-Id', 'none')}"[:MAX_REPLY]
        reply = "sandbox: not sent" if status == VALIDATED else receipt
        return CallResult(call.outcomes(Result.ACCEPTED, status, reply))
    if status == TOO_LARGE and len(call.recipients) > 1:
        return CallResult(again=call.halves())
    if status == TOO_LARGE:
        reply = "SendGrid: the message is too large"
        return CallResult(call.outcomes(Result.FAILED, status, reply))
    if status in NOT_TAKEN:
        return CallResult(call.outcomes(Result.DEFERRED, status, _reason(response)))
    if 300 <= status < 500:
        return _refused(call, response)
    return uncertain(call, f"HTTP {status}: {_reason(response)}"[:MAX_REPLY], status)


def uncertain(call: Call, why: str, status: int | None = None) -> CallResult:
    """Nobody knows whether SendGrid acted on the call."""
    return CallResult(call.outcomes(Result.UNCERTAIN, status, why[:MAX_REPLY]))


def give_back(call: Call, why: UnavailableError) -> CallResult:
    """No recipient of the call was mailed, and none can be right now."""
    return CallResult(call.outcomes(Result.RETURNED, None, why.message[:MAX_REPLY]), stop=why)


def _refused(call: Call, response: ApiResponse) -> CallResult:
    # A 400 refuses the whole call, even if it names single recipients: those fail, and the rest
    # goes out in a new call.
    reasons: dict[int, str] = {}
    for error in _errors(response) if response.status == BAD_REQUEST else ():
        named = _NAMED.match(str(error.get("field")))
        if named and int(named[1]) < len(call.recipients):
            reasons.setdefault(int(named[1]), str(error.get("message"))[:MAX_REPLY])
    if reasons:
        failed = [
            Outcome(call.recipients[index].position, Result.FAILED, response.status, reply=reason)
            for index, reason in reasons.items()
        ]
        rest = [one for index, one in enumerate(call.recipients) if index not in reasons]
        return CallResult(failed, [call.only(rest)] if rest else [])
    # Otherwise the request itself is wrong, whoever it is for, and so would be the next one. The
    # error is shown and logged: no address may be in it.
    reason = _ADDRESS.sub("[address]", _reason(response))
    if response.status in KEY_REFUSED:
        fix = "check SENDGRID_API_KEY, its Mail Send permission, and that the sender is verified"
    else:
        fix = "check the sender's address and sendgrid.host, then run again"
    refusal = f"SendGrid refused the request ({response.status}): {reason}"
    return give_back(call, UnavailableError(refusal, fix=fix))


def _reason(response: ApiResponse) -> str:
    messages = "; ".join(str(error.get("message")) for error in _errors(response))
    return (messages or f"HTTP {response.status} without a reason")[:MAX_REPLY]


def _errors(response: ApiResponse) -> list[Mapping[str, object]]:
    """The `errors` array; empty if the body is not one of SendGrid's."""
    try:
        errors = json.loads(response.text)["errors"]
        return [error for error in errors if isinstance(error, dict)]
    except (ValueError, KeyError, TypeError):
        return []
