"""Every table of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "compiled_issue",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_compiled_issue")),
    )
    op.create_index(op.f("ix_compiled_issue_slug"), "compiled_issue", ["slug"], unique=False)
    op.create_table(
        "consent_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber_uid", sa.BigInteger(), nullable=False),
        sa.Column("list_name", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("wording_version", sa.String(length=40), server_default="", nullable=False),
        sa.Column("evidence", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_event")),
    )
    op.create_index(
        op.f("ix_consent_event_subscriber_uid"), "consent_event", ["subscriber_uid"], unique=False
    )
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("provider_id", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("subscriber_uid", sa.BigInteger(), nullable=True),
        sa.Column("address_hash", sa.LargeBinary(), nullable=True),
        sa.Column("verdict", sa.String(length=12), nullable=False),
        sa.Column("verified", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_event_provider_id")),
    )
    op.create_index(op.f("ix_event_address_hash"), "event", ["address_hash"], unique=False)
    op.create_index(
        "ix_event_campaign_id_position", "event", ["campaign_id", "position"], unique=False
    )
    op.create_table(
        "import_member",
        sa.Column("batch", sa.String(length=40), nullable=False),
        sa.Column(
            "subscriber_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("batch", "subscriber_id", name=op.f("pk_import_member")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "key_check",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_key_check")),
    )
    op.create_table(
        "mailed_link",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("subscriber_uid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("details", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailed_link")),
    )
    op.create_index(op.f("ix_mailed_link_email_key"), "mailed_link", ["email_key"], unique=False)
    op.create_index(op.f("ix_mailed_link_expires_at"), "mailed_link", ["expires_at"], unique=False)
    op.create_table(
        "mailing_list",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailing_list")),
        sa.UniqueConstraint("name", name=op.f("uq_mailing_list_name")),
    )
    op.create_table(
        "rate",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tat", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rate")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subscriber",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("first_name", sa.Text(), server_default="", nullable=False),
        sa.Column("last_name", sa.Text(), server_default="", nullable=False),
        sa.Column("attributes", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("language", sa.String(length=35), server_default="", nullable=False),
        sa.Column("time_zone", sa.String(length=64), server_default="", nullable=False),
        sa.Column("paused_until", sa.Double(), server_default="0", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
        sa.UniqueConstraint("email_key", name=op.f("uq_subscriber_email_key")),
        sa.UniqueConstraint("uid", name=op.f("uq_subscriber_uid")),
    )
    op.create_table(
        "suppression",
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("address_hash", "reason", name=op.f("pk_suppression")),
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("waivers", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"], ["compiled_issue.digest"], name=op.f("fk_approval_digest_compiled_issue")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    op.create_index(op.f("ix_approval_digest"), "approval", ["digest"], unique=False)
    op.create_table(
        "campaign",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("transport", sa.String(length=16), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("again_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("not_before", sa.Double(), server_default="0", nullable=False),
        sa.Column("canary", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"], ["compiled_issue.digest"], name=op.f("fk_campaign_digest_compiled_issue")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
    )
    op.create_index("ix_campaign_slug_audience", "campaign", ["slug", "audience"], unique=False)
    op.create_table(
        "subscription",
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column(
            "subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_list.id"],
            name=op.f("fk_subscription_list_id_mailing_list"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_subscription_subscriber_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("list_id", "subscriber_id", name=op.f("pk_subscription")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_subscription_subscriber_id", "subscription", ["subscriber_id"], unique=False
    )
    op.create_table(
        "campaign_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=False),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_campaign_event_campaign_id_campaign"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_event")),
    )
    op.create_index(
        op.f("ix_campaign_event_campaign_id"), "campaign_event", ["campaign_id"], unique=False
    )
    op.create_table(
        "chunk",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("offered", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("journal", sa.String(length=32), server_default="", nullable=False),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.Double(), server_default="0", nullable=False),
        sa.Column("due_at", sa.Double(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_chunk_campaign_id_campaign"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chunk")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_chunk_campaign_id_state_due_at",
        "chunk",
        ["campaign_id", "state", "due_at"],
        unique=False,
    )
    op.create_table(
        "delivery",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscriber_uid", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.String(length=24), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_delivery_campaign_id_campaign"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "position", name=op.f("pk_delivery")),
        sa.UniqueConstraint(
            "campaign_id", "email_key", name=op.f("uq_delivery_campaign_id_email_key")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_delivery_email_key", "delivery", ["email_key"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chunk_id", sa.Integer(), nullable=False),
        sa.Column("result", sa.String(length=12), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=16), server_default="", nullable=False),
        sa.Column("reply", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_attempt_campaign_id_campaign"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["chunk_id"], ["chunk.id"], name=op.f("fk_attempt_chunk_id_chunk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("campaign_id", "position", "chunk_id", name=op.f("pk_attempt")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "chunk_member",
        sa.Column("chunk_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["chunk_id"],
            ["chunk.id"],
            name=op.f("fk_chunk_member_chunk_id_chunk"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("chunk_id", "index", name=op.f("pk_chunk_member")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop everything."""
    op.drop_table("chunk_member")
    op.drop_table("attempt")
    op.drop_index("ix_delivery_email_key", table_name="delivery")
    op.drop_table("delivery")
    op.drop_index("ix_chunk_campaign_id_state_due_at", table_name="chunk")
    op.drop_table("chunk")
    op.drop_index(op.f("ix_campaign_event_campaign_id"), table_name="campaign_event")
    op.drop_table("campaign_event")
    op.drop_index("ix_subscription_subscriber_id", table_name="subscription")
    op.drop_table("subscription")
    op.drop_index("ix_campaign_slug_audience", table_name="campaign")
    op.drop_table("campaign")
    op.drop_index(op.f("ix_approval_digest"), table_name="approval")
    op.drop_table("approval")
    op.drop_table("suppression")
    op.drop_table("subscriber")
    op.drop_table("rate")
    op.drop_table("mailing_list")
    op.drop_index(op.f("ix_mailed_link_expires_at"), table_name="mailed_link")
    op.drop_index(op.f("ix_mailed_link_email_key"), table_name="mailed_link")
    op.drop_table("mailed_link")
    op.drop_table("key_check")
    op.drop_table("import_member")
    op.drop_index("ix_event_campaign_id_position", table_name="event")
    op.drop_index(op.f("ix_event_address_hash"), table_name="event")
    op.drop_table("event")
    op.drop_index(op.f("ix_consent_event_subscriber_uid"), table_name="consent_event")
    op.drop_table("consent_event")
    op.drop_index(op.f("ix_compiled_issue_slug"), table_name="compiled_issue")
    op.drop_table("compiled_issue")
