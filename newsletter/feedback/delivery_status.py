"""Delivery status notifications (RFC 3464), wherever in a message their fields stand."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.feedback.addresses import clean
from newsletter.feedback.message import STATUS, Fields, Mail, parse_fields

_OURS = re.compile(
    r"(?im)^(?:final-recipient|original-recipient|x-actual-recipient|action|status|diagnostic-code"
    r"|remote-mta|last-attempt-date|final-log-id|will-retry-until):"
)
_KEPT = frozenset(
    ["final-recipient", "original-recipient", "x-actual-recipient", "action", "status",
     "diagnostic-code", "x-powermta-bouncecategory"]
)  # fmt: skip
_CATEGORIES = {
    "bad-domain": "5.1.2",
    "bad-mailbox": "5.1.1",
    "inactive-mailbox": "5.2.1",
    "message-expired": "4.4.7",
    "no-answer-from-host": "4.4.1",
    "policy-related": "5.7.1",
    "quota-issues": "5.2.2",
    "routing-errors": "4.4.0",
    "spam-related": "5.7.1",
}
"""What PowerMTA makes of a refusal, as the code that means it."""
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_TYPE = re.compile(r"\s*([\w.-]{1,40})\s*;\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class StatusEntry:
    """The fields of one recipient (RFC 3464 section 2.3)."""

    address: str
    """Original-Recipient where given: that is whom we mailed."""
    action: str
    status: str
    diagnostic: str
    category: str = ""
    """The status code that the reporting server's own category stands for, if it gives one."""

    @classmethod
    def from_fields(cls, group: dict[str, str]) -> StatusEntry:
        """Read the fields of one recipient, their names in lower case."""
        names = ("original-recipient", "final-recipient", "x-actual-recipient")
        addresses = (clean(group.get(name, "")) for name in names)
        status = _STATUS.search(group.get("status", ""))
        action = group.get("action", "").split()
        typed = _TYPE.fullmatch(group.get("diagnostic-code", ""))
        return cls(
            address=next((address for address in addresses if address), ""),
            action=action[0].strip(";,.").lower() if action else "",
            status=status[0] if status else "",
            diagnostic=typed[2] if typed else group.get("diagnostic-code", ""),
            category=_CATEGORIES.get(group.get("x-powermta-bouncecategory", "").lower(), ""),
        )

    @property
    def meaning(self) -> str:
        """The status code; where it says no more than that it failed, the category's."""
        is_vague = not self.status or self.status.endswith(".0.0")
        return (is_vague and self.category) or self.status

    @property
    def succeeded(self) -> bool:
        """Whether the message arrived, or was handed on."""
        return self.action in {"delivered", "relayed", "expanded"} or (
            self.action not in {"failed", "delayed"} and self.status.startswith("2.")
        )


def read_status(mail: Mail, *, anywhere: bool) -> list[StatusEntry]:
    """The recipients of a report; empty if the message is none.

    Args:
        mail: The message.
        anywhere: A mail system wrote it, so that the fields also count in its text, as gateways
            flatten reports; from people, only a part of the right type is a report.
    """
    report = "\n\n".join(mail.texts(*STATUS))
    places = (report, mail.notice, mail.everything) if anywhere else (report,)
    return next((found for text in places if (found := _entries(text))), [])


def _entries(text: str) -> list[StatusEntry]:
    groups: list[dict[str, str]] = []
    for block in re.split(r"\n[ \t]*\n", text):
        for group in _groups(block):
            if groups and not groups[-1].keys() & group.keys():
                groups[-1].update(group)
            else:
                groups.append(group)
    entries = [StatusEntry.from_fields(group) for group in groups]
    return [e for e in entries if (e.action or e.status) and (e.address or e.diagnostic)]


def _groups(block: str) -> list[dict[str, str]]:
    """The recipients in a block: a field that comes again begins the next one."""
    start = _OURS.search(block)
    if start is None:
        return []
    fields: Fields = parse_fields(block[start.start() :])[0]
    groups: list[dict[str, str]] = [{}]
    for name, value in fields.pairs:
        key = name.lower()
        if key not in _KEPT or not value:
            continue
        if key in groups[-1]:
            groups.append({})
        groups[-1][key] = value
    return [group for group in groups if group]
