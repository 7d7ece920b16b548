"""What a report says first: what must be looked at before the next send."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
"""Shares of mail called spam: Gmail asks senders to stay below the first and never to reach the
second, Yahoo to stay below the second (https://support.google.com/mail/answer/81126,
https://senders.yahooinc.com/best-practices/).
"""
FEWEST_COMPLAINTS = 2
"""One complaint is no rate."""
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to look at: ``kind`` for scripts, ``text`` for people, ``said`` by other hosts."""

    kind: str
    text: str
    said: str = ""

    def as_json(self) -> Mapping[str, str]:
        """The alert as an object."""
        return {"kind": self.kind, "text": self.text, "said": self.said}


def alerts(
    steps: Sequence[StateChange], refusals: Refusals, after: Afterwards, accepted: int
) -> list[Alert]:
    """What must be looked at; empty if all is well. It names no reader.

    Args:
        accepted: Deliveries that were accepted.
    """
    found = [*_held(steps), *_refused(refusals)]
    if number := after.bounced.get(ReplyClass.BLOCK, 0):
        text = f"{number:,} of the bounces that came back refuse us as a sender, not the readers."
        found.append(Alert("sender-bounced", text))
    return [*found, *_complaints(after, accepted)]


def without_addresses(text: str) -> str:
    """What another host said, without the addresses in it."""
    return _ADDRESS.sub("[address]", text)


def _held(steps: Sequence[StateChange]) -> Iterator[Alert]:
    held = [step for step in steps if step.to_state == CampaignState.PAUSED and step.by == SYSTEM]
    if held:
        times = f"{len(held)} times, the last because " if len(held) > 1 else "because "
        yield Alert("held", f"The campaign paused by itself {times}{held[-1].note}.")


def _refused(refusals: Refusals) -> Iterator[Alert]:
    number = refusals.classes.get(ReplyClass.BLOCK, 0)
    if number:
        are = "refusal is" if number == 1 else "refusals are"
        yield Alert(
            "sender-refused",
            f"{number:,} {are} about us as a sender, not about the readers: reputation, "
            "authentication or content.",
            without_addresses(refusals.policy_reply),
        )


def _complaints(after: Afterwards, accepted: int) -> Iterator[Alert]:
    arrived = accepted - after.all_bounced
    if after.complained < FEWEST_COMPLAINTS:
        return
    rate = after.complained / max(arrived, after.complained)
    if rate < COMPLAINTS_WARN:
        return
    wish = f"want less than {COMPLAINTS_WARN:.1%}"
    if rate >= COMPLAINTS_LIMIT:
        wish = f"refuse mail from {COMPLAINTS_LIMIT:.1%} on"
    text = f"{after.complained:,} complaints about {arrived:,} mails are {rate:.2%}"
    yield Alert("complaints", f"{text}: large receivers {wish}.")
