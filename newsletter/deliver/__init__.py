"""CompiledIssue + audience -> outcomes: compose, ledger, retry, transports."""

from newsletter.deliver.compose import Composer
from newsletter.deliver.ledger import plan
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
    "Fate",
    "Journal",
    "Limits",
    "Message",
    "Outcome",
    "Result",
    "RetryPolicy",
    "Tally",
    "Transport",
    "outcomes",
    "plan",
    "resolve",
    "run_campaign",
    "taken_or_uncertain",
    "tally",
]
