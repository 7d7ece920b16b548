"""Events about mail that was sent: bounces, complaints, unsubscribe requests, provider events.

``provider_id`` identifies an event, so that a repeat is recognized. A row is ``verified`` when it
proved to be about a delivery of ours; all others are recorded and have no consequences. The
``payload`` is the original, compressed with zlib; it is empty once the subscriber was erased.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from newsletter.store.metadata import MANY, metadata

event = Table(
    "event",
    metadata,
    Column("id", MANY, primary_key=True),
    Column("provider_id", String(120), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("source", String(16), nullable=False),
    Column("campaign_id", Integer),
    Column("position", Integer),
    Column("subscriber_uid", BigInteger),
    Column("address_hash", LargeBinary, index=True),
    Column("verdict", String(12), nullable=False),
    Column("verified", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("at", Double, nullable=False),
    Column("received_at", Double, nullable=False),
    Index("ix_event_campaign_id_position", "campaign_id", "position"),
)
