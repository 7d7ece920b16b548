"""Delivery status notifications (RFC 3464), wherever in a message their fields are."""

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
"""PowerMTA's categories of bounces, as status codes."""
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_TYPE = re.compile(r"\s*([\w.-]{1,40})\s*;\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class StatusEntry:
    """The fields of one recipient (RFC 3464 section 2.3)."""

    address: str
    """Original-Recipient where given, since that is the address we mailed."""
    action: str
    status: str
    diagnostic: str
    category: str = ""
    """The status code that the reporting server's category stands for, if it gives one."""

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
        """The status code, or that of the category where the status is unspecific."""
        is_vague = not self.status or self.status.endswith(".0.0")
        return (is_vague and self.category) or self.status

    @property
    def succeeded(self) -> bool:
        """Whether the message was delivered or passed on."""
        return self.action in {"delivered", "relayed", "expanded"} or (
            self.action not in {"failed", "delayed"} and self.status.startswith("2.")
        )


def read_status(mail: Mail, *, anywhere: bool) -> list[StatusEntry]:
    """The recipients that a message reports on; empty if it is not a report.

    Args:
        mail: The message.
        anywhere: A mail system wrote it, so fields in its text count as well: gateways flatten
            reports. From people, only a part of the right type is a report.
    """
    report = "\n\n".join(mail.texts(*STATUS))
    for text in (report, mail.free_text, mail.all_text) if anywhere else (report,):
        groups: list[dict[str, str]] = []
        for block in re.split(r"\n[ \t]*\n", text):
            start = _OURS.search(block)
            if start is None:
                continue
            fields: Fields = parse_fields(block[start.start() :])[0]
            in_block: list[dict[str, str]] = [{}]
            for name, value in fields.pairs:
                key = name.lower()
                if key not in _KEPT or not value:
                    continue
                # A repeated field begins the next recipient, where the blank line between them
                # is missing.
                if key in in_block[-1]:
                    in_block.append({})
                in_block[-1][key] = value
            for group in filter(None, in_block):
                # The fields of one recipient may be split by blank lines.
                if groups and not groups[-1].keys() & group.keys():
                    groups[-1].update(group)
                else:
                    groups.append(group)
        entries = [StatusEntry.from_fields(group) for group in groups]
        found = [e for e in entries if (e.action or e.status) and (e.address or e.diagnostic)]
        if found:
            return found
    return []
