"""What an answer of SendGrid means for the readers of a call.

Sources: https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses
(status codes), .../mail-send/errors (the `errors` array) and .../rate-limits.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from newsletter.delivery.model import Outcome, Result
from newsletter.errors import UnavailableError
from newsletter.transports.sendgrid.client import ApiResponse
from newsletter.transports.sendgrid.payload import Call

MAX_REPLY = 500
"""Characters of a reply that are kept (see `Outcome`)."""

ACCEPTED, CHECKED, BAD_REQUEST, TOO_LARGE = 202, 200, 400, 413
TOO_MANY = 429
NOT_TAKEN = frozenset([TOO_MANY, 500, 503])
"""SendGrid's own "not now". Other 5xx come from a gateway, which cannot know what was taken."""
KEY_REFUSED = frozenset([401, 403])

_NAMED = re.compile(r"personalizations[.\[](\d+)\b")
_ADDRESS = re.compile(r"\S+@\S+")


@dataclass(slots=True)
class ResponseClass:
    """Who is settled, whom to try again at once in smaller calls, and whether all must stop."""

    outcomes: list[Outcome] = field(default_factory=list)
    again: list[Call] = field(default_factory=list)
    stop: UnavailableError | None = None


def judge(call: Call, answer: ApiResponse, *, sandbox: bool) -> ResponseClass:
    """Say what follows from an answer."""
    status = answer.status
    if status == ACCEPTED or (status == CHECKED and sandbox):
        return ResponseClass(call.outcomes(Result.ACCEPTED, status, _receipt(answer)))
    if status == BAD_REQUEST:
        return _bad_request(call, answer)
    if status == TOO_LARGE:
        return _too_large(call)
    if status in NOT_TAKEN:
        return ResponseClass(call.outcomes(Result.DEFERRED, status, _said(answer)))
    if 300 <= status < 500:
        return _refused(call, answer)
    return uncertain(call, f"HTTP {status}: {_said(answer)}"[:MAX_REPLY], status)


def uncertain(call: Call, why: str, status: int | None = None) -> ResponseClass:
    """Nobody knows whether the call was acted upon."""
    return ResponseClass(call.outcomes(Result.UNCERTAIN, status, why[:MAX_REPLY]))


def give_back(call: Call, why: UnavailableError) -> ResponseClass:
    """Nobody of the call was mailed, and nobody can be just now."""
    return ResponseClass(call.outcomes(Result.RETURNED, None, why.message[:MAX_REPLY]), stop=why)


def _receipt(answer: ApiResponse) -> str:
    if answer.status == CHECKED:
        return "sandbox: not sent"
    return f"X-Message-Id: {answer.headers.get('X-Message-Id', 'none')}"[:MAX_REPLY]


def _bad_request(call: Call, answer: ApiResponse) -> ResponseClass:
    """Fail those that the errors name; the call as a whole was refused, so the rest goes again."""
    reasons: dict[int, str] = {}
    for error in _errors(answer):
        named = _NAMED.match(str(error.get("field")))
        if named and int(named[1]) < len(call.recipients):
            reasons.setdefault(int(named[1]), str(error.get("message"))[:MAX_REPLY])
    if not reasons:
        return _refused(call, answer)
    failed = [
        Outcome(call.recipients[index].position, Result.FAILED, answer.status, reply=reason)
        for index, reason in reasons.items()
    ]
    rest = [one for index, one in enumerate(call.recipients) if index not in reasons]
    return ResponseClass(failed, [call.only(rest)] if rest else [])


def _too_large(call: Call) -> ResponseClass:
    if len(call.recipients) > 1:
        return ResponseClass(again=call.halves())
    reply = "SendGrid: the message is too large"
    return ResponseClass(call.outcomes(Result.FAILED, TOO_LARGE, reply))


def _refused(call: Call, answer: ApiResponse) -> ResponseClass:
    """The request itself is wrong, whoever it is for: nothing more may go out like it."""
    what = f"SendGrid refuses ({answer.status}): {_ADDRESS.sub('[address]', _said(answer))}"
    if answer.status in KEY_REFUSED:
        fix = "check SENDGRID_API_KEY, its Mail Send permission, and that the sender is verified"
    else:
        fix = "check the sender's address and sendgrid.host, then run again"
    return give_back(call, UnavailableError(what, fix=fix))


def _said(answer: ApiResponse) -> str:
    said = "; ".join(str(error.get("message")) for error in _errors(answer))
    return (said or f"HTTP {answer.status} without a reason")[:MAX_REPLY]


def _errors(answer: ApiResponse) -> list[dict[str, Any]]:
    """The `errors` array; empty where the body is none of SendGrid's."""
    try:
        errors = json.loads(answer.text)["errors"]
        return [error for error in errors if isinstance(error, dict)]
    except (ValueError, KeyError, TypeError):
        return []
