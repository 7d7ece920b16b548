"""CompiledIssue + audience -> outcomes: compose, ledger, retry, transports."""

from newsletter.deliver.chunks import plan
from newsletter.deliver.compose import Composer
from newsletter.deliver.doubt import settle_by_evidence
from newsletter.deliver.figures import DomainCount, Refusals, Wait
from newsletter.deliver.model import (
    Compose,
    Delivery,
    Journal,
    Message,
    Outcome,
    Result,
    Transport,
)
from newsletter.deliver.recover import resolve
from newsletter.deliver.retry import RetryPolicy
from newsletter.deliver.runner import Limits, run_campaign
from newsletter.deliver.tally import Fate, Tally, outcomes, taken_or_uncertain, tally

__all__ = [
    "Compose",
    "Composer",
    "Delivery",
    "DomainCount",
    "Fate",
    "Journal",
    "Limits",
    "Message",
    "Outcome",
    "Refusals",
    "Result",
    "RetryPolicy",
    "Tally",
    "Transport",
    "Wait",
    "outcomes",
    "plan",
    "resolve",
    "run_campaign",
    "settle_by_evidence",
    "taken_or_uncertain",
    "tally",
]
