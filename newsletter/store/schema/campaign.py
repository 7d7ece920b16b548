"""Approvals and campaigns.

Nothing of a campaign is offered before ``not_before``, and nothing beyond position ``canary`` (0:
there is none) before everyone up to it has an outcome. ``segment`` is the canonical text of which
part of the list ``audience`` it is for; empty for all of it.
"""

from sqlalchemy import (
    JSON,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from newsletter.store.schema.base import metadata

compiled_issue = Table(
    "compiled_issue",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("slug", String(80), nullable=False, index=True),
    Column("payload", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
)

approval = Table(
    "approval",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", ForeignKey("compiled_issue.digest"), nullable=False, index=True),
    Column("audience", Text, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("waivers", JSON, nullable=False, server_default="{}"),
    Column("at", Double, nullable=False),
)

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
