"""The transport `outbox` is called `file`: campaigns under way must still be found by it."""

from alembic import op
from sqlalchemy import column, table

revision = "0003"
down_revision = "0002"

campaign = table("campaign", column("transport"))


def upgrade() -> None:
    """Rename it in every campaign."""
    renamed = campaign.update().where(campaign.c.transport == "outbox")
    op.execute(renamed.values(transport="file"))
