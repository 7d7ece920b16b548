"""Transactional mail waits in the database, no longer in the process that answered."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing waits yet: what was under way under the former release was in its memory."""
    op.create_table(
        "outgoing_message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("transport", sa.String(16), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("subscriber_uid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("link_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("details", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unanswered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.Double(), server_default="0", nullable=False),
        sa.Column("code", sa.Integer()),
        sa.Column("status", sa.String(16), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_message")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outgoing_message_email_key"), "outgoing_message", ["email_key"])
    op.create_index(
        op.f("ix_outgoing_message_subscriber_uid"), "outgoing_message", ["subscriber_uid"]
    )
    op.create_index("ix_outgoing_message_state_due_at", "outgoing_message", ["state", "due_at"])
