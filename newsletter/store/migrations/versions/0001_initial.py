"""Every table of the first release."""

from alembic import op

from newsletter.store.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Drop everything."""
    metadata.drop_all(op.get_bind())
