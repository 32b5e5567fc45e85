"""A campaign may be on several channels; its items have assets on each of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

READY_MEDIA_BEFORE = """
SELECT items.campaign_id, items.ref, campaigns.channel_id, media.media_id, media.mime_type,
       media.sha256, media.expires_at
FROM items
JOIN campaigns ON campaigns.id = items.campaign_id
JOIN media ON media.asset_id = items.asset_id
WHERE media.is_current AND media.deleted_at IS NULL AND media.expires_at > CURRENT_TIMESTAMP
      AND campaigns.cancelled_at IS NULL
"""
READY_MEDIA = """
SELECT items.campaign_id, items.ref, campaigns.channel_id, media.media_id, media.mime_type,
       media.sha256, media.expires_at
FROM items
JOIN campaigns ON campaigns.id = items.campaign_id
JOIN media ON media.asset_id = items.asset_id
WHERE media.is_current AND media.deleted_at IS NULL AND media.expires_at > CURRENT_TIMESTAMP
      AND campaigns.cancelled_at IS NULL
UNION ALL
SELECT items.campaign_id, items.ref, item_assets.channel_id, media.media_id, media.mime_type,
       media.sha256, media.expires_at
FROM items
JOIN campaigns ON campaigns.id = items.campaign_id
JOIN item_assets ON item_assets.item_id = items.id AND item_assets.token = items.token
JOIN media ON media.asset_id = item_assets.asset_id
WHERE media.is_current AND media.deleted_at IS NULL AND media.expires_at > CURRENT_TIMESTAMP
      AND campaigns.cancelled_at IS NULL
"""
WITH_FURTHER: dict[str, Any] = {
    "postgresql_where": sa.text("further_channels IS NOT NULL"),
    "sqlite_where": sa.text("further_channels IS NOT NULL"),
}


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("further_channels", sa.Text(), nullable=True))
    op.create_index("ix_campaigns_further_channels", "campaigns", ["id"], **WITH_FURTHER)
    op.create_table(
        "item_assets",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel_id", sa.String(64), nullable=False),
        sa.Column("asset_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item_assets")),
        sa.UniqueConstraint("item_id", "channel_id", name=op.f("uq_item_assets_item_id_channel_id")),
        sa.ForeignKeyConstraint(
            ["item_id"], ["items.id"], name=op.f("fk_item_assets_item_id_items"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_item_assets_channel_id_channels")
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], name=op.f("fk_item_assets_asset_id_assets")),
    )
    op.create_index(op.f("ix_item_assets_asset_id"), "item_assets", ["asset_id"])
    op.execute("DROP VIEW ready_media")
    op.execute(f"CREATE VIEW ready_media AS {READY_MEDIA}")


def downgrade() -> None:
    op.execute("DROP VIEW ready_media")
    op.drop_table("item_assets")
    op.drop_index("ix_campaigns_further_channels", table_name="campaigns")
    op.drop_column("campaigns", "further_channels")
    op.execute(f"CREATE VIEW ready_media AS {READY_MEDIA_BEFORE}")
