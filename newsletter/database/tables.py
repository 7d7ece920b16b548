"""Every table of the program, in one place for migrations, copies and backups.

Each package defines its own; importing them here fills the shared metadata.
"""

import newsletter.audience.tables
import newsletter.campaign.tables
import newsletter.delivery.ledger.tables
import newsletter.feedback.tables
import newsletter.queues.tables  # noqa: F401
from newsletter.store.metadata import metadata

__all__ = ["metadata"]
