"""How a subscriber is shown: first whether they are mailed, then everything known about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

_HISTORY = {
    "consent": "{action} {list_name} ({source})",
    "deliveries": "issue {issue}: {outcome}",
    "reports": "{kind}, {verdict} ({source})",
}
"""How the events of each kind are shown as a line."""
_SHOWN_FIRST = {"known", "suppressed", "not_mailed"}


def describe(known: Mapping[str, Any]) -> Iterator[str]:
    """What is known about a subscriber, line by line; their history in order of time."""
    yield _mailed_or_not(known)
    for name, value in known.items():
        if name not in _HISTORY and name not in _SHOWN_FIRST:
            yield f"{name}: {_shown(name, value)}"
    history = [
        (event["at"], " ".join(line.format_map(event).split()).replace("skipped: ", "skipped, "))
        for name, line in _HISTORY.items()
        for event in known[name]
    ]
    for at, line in sorted(history, key=lambda event: event[0]):
        yield f"{_minute(at)}  {line}"


def _mailed_or_not(known: Mapping[str, Any]) -> str:
    address, not_mailed = known["email"], known.get("not_mailed", {})
    mailed = [name for name in known.get("lists", {}) if name not in not_mailed]
    if known["suppressed"]:
        return f"{address} is not mailed: suppressed ({', '.join(known['suppressed'])})"
    if not known["known"]:
        return f"{address} is not mailed: no subscriber has this address"
    if mailed:
        return f"{address} is mailed: active on {', '.join(mailed)}"
    if "paused" in not_mailed.values():
        return f"{address} is not mailed until {_minute(known['paused_until'])}: paused"
    return f"{address} is not mailed: not active on any list"


def _shown(name: str, value: object) -> str:
    if name == "lists" and isinstance(value, Mapping):
        return ", ".join(f"{each} ({state})" for each, state in value.items()) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{each} = {text}" for each, text in value.items()) or "none"
    if value is None:
        return "no"
    return _minute(str(value)) if name in {"created_at", "paused_until"} else str(value)


def _minute(at: str) -> str:
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"
