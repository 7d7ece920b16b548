"""The rows of a report: approvals, state changes, problem deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from newsletter.delivery.ledger import statistics
from newsletter.delivery.ledger.outcomes import DeliveryOutcome
from newsletter.smtp_replies.classify import ReplyClass


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved the digest, and which warnings they waived for which reason."""

    by: str
    at: float
    waivers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StateChange:
    """One change of a campaign's state."""

    from_state: str
    to_state: str
    by: str
    note: str
    at: float


@dataclass(frozen=True, slots=True)
class DeliveryProblem:
    """A delivery that failed or is uncertain, and the class of the reply."""

    fate: DeliveryOutcome
    kind: ReplyClass

    @property
    def said(self) -> str:
        """The server's reply in one line."""
        return statistics.said(self.fate.code, self.fate.status, self.fate.reply)

    @property
    def answer(self) -> str:
        """Only the codes of the reply: its text may name the recipient."""
        return statistics.said(self.fate.code, self.fate.status, "")
