"""When a campaign pauses by itself: too many refusals, or servers that refuse us as a sender."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from newsletter.delivery.ledger.states import SYSTEM, CampaignState, lock_state, transition
from newsletter.delivery.model import Outcome, Result
from newsletter.smtp_replies.classify import ReplyClass, classify
from newsletter.store.engine import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """When to pause.

    ``failures``: the share of sent messages that failed or are uncertain; 0 never pauses.
    ``minimum``: how many must have been sent before a share means anything. ``policy``: the number
    of replies that refuse the sender rather than the recipient; 0 never pauses.
    """

    failures: float = 0.0
    minimum: int = 1
    policy: int = 0


NEVER = BreakerRule()


class CircuitBreaker:
    """Judges the outcomes of one chunk, so that a resumed campaign starts from zero."""

    def __init__(self, rule: BreakerRule) -> None:
        self._rule = rule
        self._accepted = 0
        self._failed = 0
        self._uncertain = 0
        self._policy = 0
        self._last = ""

    def learn(self, outcomes: Iterable[Outcome]) -> None:
        """Count outcomes."""
        for outcome in outcomes:
            if outcome.result == Result.ACCEPTED:
                self._accepted += 1
            elif outcome.result == Result.UNCERTAIN:
                self._uncertain += 1
            elif outcome.result in {Result.FAILED, Result.DEFERRED}:
                self._failed += outcome.result == Result.FAILED
                kind = classify(outcome.code, outcome.status, outcome.reply)
                if kind is ReplyClass.BLOCK:
                    self._policy += 1
                    # Only the codes: the server's text may name the recipient.
                    self._last = f"{outcome.code or ''} {outcome.status}".strip()

    @property
    def verdict(self) -> str:
        """Why to pause; empty to continue. It names nobody."""
        # Uncertain deliveries count, too: a server that accepts mail without ever replying would
        # otherwise leave a whole list uncertain.
        rule, lost = self._rule, self._failed + self._uncertain
        ended = self._accepted + lost
        if rule.policy and self._policy >= rule.policy:
            said = f", the last with {self._last}" if self._last else ""
            return f"{self._policy} replies reject us as a sender{said}"
        if rule.failures and ended >= rule.minimum and lost / ended >= rule.failures:
            silent = f", and {self._uncertain} got no reply" if self._uncertain else ""
            return (
                f"{self._failed} of the last {ended} were refused permanently{silent} "
                f"({lost / ended:.0%}; the limit is {rule.failures:.0%})"
            )
        return ""


def trip(store: Store, campaign_id: int, reason: str) -> bool:
    """Pause a campaign that is sending, and record why.

    Returns:
        Whether it was sending.
    """
    with store.write() as connection:
        if lock_state(connection, campaign_id) is not CampaignState.SENDING:
            return False
        now = store.now(connection)
        transition(connection, campaign_id, CampaignState.PAUSED, by=SYSTEM, now=now, note=reason)
    log.warning("campaign held", extra={"campaign": campaign_id})
    return True
