"""The ledger: campaigns, their recipients, what was offered, and the outcomes.

Nothing of a `campaign` is offered before ``not_before``, and nothing beyond position ``canary``
(0 for no canary) before everyone up to it has an outcome. ``segment`` is the canonical text of the
part of the list ``audience`` it is for; empty for all of it.

A `delivery` row never changes. A `chunk` is a fenced lease over deliveries: members ``first`` to
``last``, which are positions if ``kind`` is ``first``, or indexes into `chunk_member` if it is
``retry`` (deferred, due again), ``returned`` (nothing was sent) or ``limited`` (nothing was sent,
since their domain's rate is used up; all of one domain). ``offered`` is the watermark: the last
member that may have been sent (``first - 1``: none yet). Of two chunks with the same delivery, the
one with the greater ``id`` was created later: that orders attempts, and no clock does. ``journal``
names the file in which the owner of the lease recorded what it began.

A `rate` row is one limit: ``tat`` is when the next message would be on time.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from newsletter.store.metadata import metadata

campaign = Table(
    "campaign",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", String(80), nullable=False),
    Column("audience", Text, nullable=False),
    Column("digest", ForeignKey("compiled_issue.digest"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("transport", String(16), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("again_reason", Text, nullable=False, server_default=""),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
    Column("not_before", Double, nullable=False, server_default="0"),
    Column("canary", Integer, nullable=False, server_default="0"),
    Column("segment", Text, nullable=False, server_default=""),
    Index("ix_campaign_slug_audience", "slug", "audience"),
)

campaign_event = Table(
    "campaign_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "campaign_id", ForeignKey("campaign.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("from_state", String(16), nullable=False),
    Column("to_state", String(16), nullable=False),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("at", Double, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("campaign_id", ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_uid", BigInteger, nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("address_hash", LargeBinary, nullable=False),
    Column("first_name", Text, nullable=False),
    Column("last_name", Text, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("variant", Integer, nullable=False),
    Column("skipped", String(24), nullable=False, server_default=""),
    UniqueConstraint("campaign_id", "email_key"),
    Index("ix_delivery_email_key", "email_key"),
    sqlite_with_rowid=False,
)

chunk = Table(
    "chunk",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", ForeignKey("campaign.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("offered", Integer, nullable=False),
    Column("state", String(8), nullable=False),
    Column("owner", Text, nullable=False, server_default=""),
    Column("journal", String(32), nullable=False, server_default=""),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("due_at", Double, nullable=False, server_default="0"),
    Index("ix_chunk_campaign_id_state_due_at", "campaign_id", "state", "due_at"),
    sqlite_autoincrement=True,
)

chunk_member = Table(
    "chunk_member",
    metadata,
    Column("chunk_id", ForeignKey("chunk.id", ondelete="CASCADE"), primary_key=True),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
    sqlite_with_rowid=False,
)

attempt = Table(
    "attempt",
    metadata,
    Column("campaign_id", ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("chunk_id", ForeignKey("chunk.id", ondelete="CASCADE"), primary_key=True),
    Column("result", String(12), nullable=False),
    Column("code", Integer),
    Column("status", String(16), nullable=False, server_default=""),
    Column("reply", Text, nullable=False, server_default=""),
    Column("at", Double, nullable=False),
    sqlite_with_rowid=False,
)

rate = Table(
    "rate",
    metadata,
    Column("name", Text, primary_key=True),
    Column("tat", Double, nullable=False),
    sqlite_with_rowid=False,
)
