"""The tables. Times are Unix seconds (UTC) as floats; JSON columns hold objects."""

from newsletter.store.schema.audience import (
    consent_event,
    import_member,
    key_check,
    mailed_link,
    mailing_list,
    subscriber,
    subscription,
    suppression,
)
from newsletter.store.schema.base import metadata
from newsletter.store.schema.campaign import approval, campaign, campaign_event, compiled_issue
from newsletter.store.schema.events import event
from newsletter.store.schema.ledger import attempt, chunk, chunk_member, delivery, rate

__all__ = [
    "approval",
    "attempt",
    "campaign",
    "campaign_event",
    "chunk",
    "chunk_member",
    "compiled_issue",
    "consent_event",
    "delivery",
    "event",
    "import_member",
    "key_check",
    "mailed_link",
    "mailing_list",
    "metadata",
    "rate",
    "subscriber",
    "subscription",
    "suppression",
]
