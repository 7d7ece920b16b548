"""Compiled issues and their approvals."""

from sqlalchemy import (
    JSON,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from newsletter.store.metadata import metadata

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
