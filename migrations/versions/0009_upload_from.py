"""A campaign says from when its media are uploaded, where that is later than now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from models.base import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("upload_from", UtcDateTime(), nullable=True))
    op.create_index(
        "ix_campaigns_upload_from",
        "campaigns",
        ["upload_from"],
        postgresql_where=sa.text("upload_from IS NOT NULL"),
        sqlite_where=sa.text("upload_from IS NOT NULL"),
    )


def downgrade() -> None:
    """The version before uploads at once: its assets that nobody wanted yet are put into the backlog."""
    op.execute(
        sa.text(
            "UPDATE assets SET state = 'waiting' WHERE state = 'idle' AND id IN ("
            "SELECT items.asset_id FROM items JOIN campaigns ON campaigns.id = items.campaign_id"
            " WHERE campaigns.upload_from IS NOT NULL AND campaigns.cancelled_at IS NULL)"
        )
    )
    op.drop_index("ix_campaigns_upload_from", table_name="campaigns")
    op.drop_column("campaigns", "upload_from")
