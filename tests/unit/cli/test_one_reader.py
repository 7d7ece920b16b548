"""What is said of one reader: the end of it first, then everything in order."""

from __future__ import annotations

from typing import Any

import pytest

from newsletter.cli.subscriber_view import describe

KNOWN: dict[str, Any] = {
    "email": "maria@mail.example",
    "known": True,
    "suppressed": [],
    "first_name": "Maria",
    "attributes": {"city": "Wien", "age": "41"},
    "created_at": "2026-01-02T03:04:05Z",
    "paused_until": None,
    "lists": {"pain": "active", "sleep": "unsubscribed"},
    "not_mailed": {"sleep": "unsubscribed"},
    "consent": [
        {"at": "2026-01-02T03:04:05Z", "action": "imported", "list_name": "pain", "source": "csv"},
        {"at": "2026-03-01T00:00:00Z", "action": "paused", "list_name": "", "source": "page"},
    ],
    "deliveries": [
        {"at": "2026-02-01T00:00:00Z", "issue": "spring", "outcome": "accepted"},
        {"at": "2026-04-01T00:00:00Z", "issue": "summer", "outcome": "skipped: paused"},
    ],
    "reports": [
        {"at": "2026-02-02T00:00:00Z", "kind": "bounce", "verdict": "hard", "source": "mail"}
    ],
}


def test_everything_is_said_in_order() -> None:
    assert list(describe(KNOWN)) == [
        "maria@mail.example is mailed: active on pain",
        "email: maria@mail.example",
        "first_name: Maria",
        "attributes: city = Wien, age = 41",
        "created_at: 2026-01-02 03:04 UTC",
        "paused_until: no",
        "lists: pain (active), sleep (unsubscribed)",
        "2026-01-02 03:04 UTC  imported pain (csv)",
        "2026-02-01 00:00 UTC  issue spring: accepted",
        "2026-02-02 00:00 UTC  bounce, hard (mail)",
        "2026-03-01 00:00 UTC  paused (page)",
        "2026-04-01 00:00 UTC  issue summer: skipped, paused",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"suppressed": ["bounced", "manual"]}, ": suppressed (bounced, manual)"),
        ({"lists": {"sleep": "unsubscribed"}}, ": not active on any list"),
        (
            {
                "paused_until": "2999-01-01T00:00:00Z",
                "not_mailed": {"pain": "paused", "sleep": "unsubscribed"},
            },
            " until 2999-01-01 00:00 UTC: paused",
        ),
        ({"known": False}, ": no subscriber has this address"),
    ],
)
def test_who_gets_no_mail_is_said_first_with_the_reason(changes: dict[str, Any], said: str) -> None:
    first = next(describe(KNOWN | changes))
    assert first == f"maria@mail.example is not mailed{said}"


def test_a_pause_that_is_over_holds_nothing_back() -> None:
    assert next(describe(KNOWN | {"paused_until": "2020-01-01T00:00:00Z"})).startswith(
        "maria@mail.example is mailed:"
    )
