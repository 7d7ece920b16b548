"""Which part of its list a campaign is for."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Campaigns until now were for the whole list."""
    op.add_column("campaign", sa.Column("segment", sa.Text(), server_default="", nullable=False))
