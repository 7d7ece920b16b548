"""Subscribers, lists, consent and suppression."""

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
)

from newsletter.store.metadata import MANY, metadata

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", MANY, primary_key=True),
    Column("uid", BigInteger, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, unique=True),
    Column("address_hash", LargeBinary, nullable=False),
    Column("first_name", Text, nullable=False, server_default=""),
    Column("last_name", Text, nullable=False, server_default=""),
    Column("attributes", JSON, nullable=False, server_default="{}"),
    Column("language", String(35), nullable=False, server_default=""),
    Column("time_zone", String(64), nullable=False, server_default=""),
    Column("paused_until", Double, nullable=False, server_default="0"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)

mailing_list = Table(
    "mailing_list",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("title", Text, nullable=False, server_default=""),
    Column("created_at", Double, nullable=False),
)

subscription = Table(
    "subscription",
    metadata,
    Column("list_id", ForeignKey("mailing_list.id", ondelete="CASCADE"), primary_key=True),
    Column("subscriber_id", ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("ix_subscription_subscriber_id", "subscriber_id"),
    sqlite_with_rowid=False,
)

import_member = Table(
    "import_member",
    metadata,
    Column("batch", String(40), primary_key=True),
    Column("subscriber_id", MANY, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""The subscribers in one imported file: the audience of ``send --csv``.

Short-lived and written a million rows at a time, so it has no foreign key with its index.
"""

consent_event = Table(
    "consent_event",
    metadata,
    Column("id", MANY, primary_key=True),
    Column("subscriber_uid", BigInteger, nullable=False, index=True),
    Column("list_name", String(80), nullable=False),
    Column("action", String(24), nullable=False),
    Column("source", Text, nullable=False),
    Column("wording_version", String(40), nullable=False, server_default=""),
    Column("evidence", JSON, nullable=False, server_default="{}"),
    Column("at", Double, nullable=False),
)

suppression = Table(
    "suppression",
    metadata,
    Column("address_hash", LargeBinary, primary_key=True),
    Column("reason", String(16), primary_key=True),
    Column("source", Text, nullable=False),
    Column("at", Double, nullable=False),
)

mailed_link = Table(
    "mailed_link",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("action", String(16), nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, index=True),
    Column("subscriber_uid", BigInteger, nullable=False, server_default="0"),
    Column("details", JSON, nullable=False, server_default="{}"),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Column("used_at", Double),
)
"""What a mailed link does once its reader presses the button.

The person who typed the address may not be its owner: nothing else is stored about it before, and
this row is deleted when the link has expired.
"""

key_check = Table(
    "key_check",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
