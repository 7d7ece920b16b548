"""The alerts at the top of a report: what to look at before the next send."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter.campaign.report.events import Afterwards
from newsletter.delivery.ledger.states import SYSTEM, CampaignState
from newsletter.delivery.ledger.statistics import Refusals
from newsletter.smtp_replies.classify import ReplyClass

if TYPE_CHECKING:
    from newsletter.campaign.report.model import StateChange

COMPLAINTS_WARN = 0.001
COMPLAINTS_LIMIT = 0.003
"""Shares of mail reported as spam: Gmail asks senders to stay below the first and never to reach
the second, Yahoo to stay below the second (https://support.google.com/mail/answer/81126,
https://senders.yahooinc.com/best-practices/).
"""
FEWEST_COMPLAINTS = 2
"""A single complaint does not make a rate."""
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: ``kind`` for scripts, ``text`` for people, ``said`` is another host's reply."""

    kind: str
    text: str
    said: str = ""

    def as_json(self) -> Mapping[str, str]:
        """The alert as an object."""
        return {"kind": self.kind, "text": self.text, "said": self.said}


def alerts(
    steps: Sequence[StateChange], refusals: Refusals, after: Afterwards, accepted: int
) -> list[Alert]:
    """What to look at before the next send; empty if all is well. It names no reader.

    Args:
        accepted: Deliveries that were accepted.
    """
    found = []
    held = [step for step in steps if step.to_state == CampaignState.PAUSED and step.by == SYSTEM]
    if held:
        times = f" {len(held)} times, most recently" if len(held) > 1 else ""
        found.append(Alert("held", f"The campaign paused by itself{times}: {held[-1].note}."))
    if number := refusals.classes.get(ReplyClass.BLOCK, 0):
        reject = "reply rejects" if number == 1 else "replies reject"
        text = (
            f"{number:,} {reject} us as a sender rather than individual recipients: reputation, "
            "authentication or content."
        )
        found.append(Alert("sender-refused", text, without_addresses(refusals.policy_reply)))
    if number := after.bounced.get(ReplyClass.BLOCK, 0):
        reject = "bounce rejects" if number == 1 else "bounces reject"
        text = f"{number:,} {reject} us as a sender rather than individual recipients."
        found.append(Alert("sender-bounced", text))
    # Receivers count complaints per mail that arrived; reports may outnumber what they report on.
    arrived = accepted - after.all_bounced
    rate = after.complained / max(arrived, after.complained, 1)
    if after.complained >= FEWEST_COMPLAINTS and rate >= COMPLAINTS_WARN:
        limit = f"want less than {COMPLAINTS_WARN:.1%}"
        if rate >= COMPLAINTS_LIMIT:
            limit = f"refuse mail at {COMPLAINTS_LIMIT:.1%} or more"
        text = f"{after.complained:,} complaints about {arrived:,} mails are {rate:.2%}"
        found.append(Alert("complaints", f"{text}: large receivers {limit}."))
    return found


def without_addresses(text: str) -> str:
    """A reply of another host, without the addresses in it."""
    return _ADDRESS.sub("[address]", text)
