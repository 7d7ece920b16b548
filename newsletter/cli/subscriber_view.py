"""What a person sees of one reader: first whether mail goes there, then all that is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

_HISTORY = {
    "consent": "{action} {list_name} ({source})",
    "deliveries": "issue {issue}: {outcome}",
    "reports": "{kind}, {verdict} ({source})",
}
"""What has a time each, as a line."""
_SAID_FIRST = {"known", "suppressed", "not_mailed"}


def describe(known: Mapping[str, Any]) -> Iterator[str]:
    """What is known of a subscriber, line by line; their history in order of time."""
    yield _standing(known)
    for name, value in known.items():
        if name not in _HISTORY and name not in _SAID_FIRST:
            yield f"{name}: {_told(name, value)}"
    history = sorted(_history(known), key=lambda line: line[0])
    for at, told in history:
        yield f"{_day(at)}  {told}"


def _standing(known: Mapping[str, Any]) -> str:
    address, not_mailed = known["email"], known.get("not_mailed", {})
    mailed = [name for name in known.get("lists", {}) if name not in not_mailed]
    if known["suppressed"]:
        return f"No mail goes to {address}, suppressed: {', '.join(known['suppressed'])}"
    if not known["known"]:
        return f"No mail goes to {address}: no reader here has this address"
    if mailed:
        return f"Mail goes to {address}: active on {', '.join(mailed)}"
    if "paused" in not_mailed.values():
        return f"No mail goes to {address} until {_day(known['paused_until'])}: paused"
    return f"No mail goes to {address}: active on no list"


def _told(name: str, value: object) -> str:
    if name == "lists" and isinstance(value, Mapping):
        return ", ".join(f"{each} ({state})" for each, state in value.items()) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{each} = {text}" for each, text in value.items()) or "none"
    if value is None:
        return "no"
    return _day(str(value)) if name in {"created_at", "paused_until"} else str(value)


def _history(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, line in _HISTORY.items():
        for event in known[name]:
            told = " ".join(line.format_map(event).split())
            yield event["at"], told.replace("skipped: ", "skipped, ")


def _day(at: str) -> str:
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"
