"""The first tables: channels, campaigns, items, assets, media, and the view `ready_media`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# What schedulers may read straight from the database: each item that can be sent now, and its media ID.
READY_MEDIA = """
SELECT items.campaign_id, items.ref, campaigns.channel_id, media.media_id, media.mime_type,
       media.sha256, media.expires_at
FROM items
JOIN campaigns ON campaigns.id = items.campaign_id
JOIN media ON media.asset_id = items.asset_id
WHERE media.is_current AND media.deleted_at IS NULL AND media.expires_at > CURRENT_TIMESTAMP
"""


def only_where(condition: str) -> dict[str, Any]:
    """Options of a partial index, which both databases have."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "channels",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("api_base_url", sa.String(length=255), nullable=False),
        sa.Column("api_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
    )
    op.create_table(
        "assets",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("mime_type", sa.String(length=128), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lost_answers", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name="fk_assets_channel_id_channels"),
        sa.PrimaryKeyConstraint("id", name="pk_assets"),
        sa.UniqueConstraint(
            "channel_id", "sha256", "mime_type", name="uq_assets_channel_id_sha256_mime_type"
        ),
    )
    op.create_index(
        "ix_assets_claimed",
        "assets",
        ["channel_id", "lease_until"],
        unique=False,
        **only_where("state IN ('claimed', 'uploading')"),
    )
    op.create_index(
        "ix_assets_waiting",
        "assets",
        ["channel_id", "priority", "due_at", "id"],
        unique=False,
        **only_where("state = 'waiting'"),
    )

    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("keep_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name="fk_campaigns_channel_id_channels"),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
    )
    op.create_index("ix_campaigns_channel_id", "campaigns", ["channel_id"], unique=False)
    op.create_index("ix_campaigns_keep_until", "campaigns", ["keep_until"], unique=False)

    op.create_table(
        "items",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("campaign_id", sa.String(length=128), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=True),
        sa.Column("mime_type", sa.String(length=128), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("notices", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], name="fk_items_asset_id_assets"),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_items_campaign_id_campaigns"),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sa.UniqueConstraint("campaign_id", "ref", name="uq_items_campaign_id_ref"),
    )
    op.create_index("ix_items_asset_id", "items", ["asset_id"], unique=False)
    op.create_index(
        "ix_items_claimed",
        "items",
        ["lease_until"],
        unique=False,
        **only_where("state IN ('claimed', 'inspecting')"),
    )
    op.create_index(
        "ix_items_waiting", "items", ["due_at", "id"], unique=False, **only_where("state = 'waiting'")
    )

    op.create_table(
        "media",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("media_id", sa.String(length=128), nullable=False),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("asset_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("mime_type", sa.String(length=128), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("delete_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delete_attempts", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], name="fk_media_asset_id_assets"),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name="fk_media_channel_id_channels"),
        sa.PrimaryKeyConstraint("id", name="pk_media"),
        sa.UniqueConstraint("channel_id", "media_id", name="uq_media_channel_id_media_id"),
    )
    op.create_index("ix_media_asset_id", "media", ["asset_id"], unique=False)
    op.create_index("ix_media_expires", "media", ["expires_at"], unique=False, **only_where("is_current"))
    op.create_index(
        "ix_media_to_delete",
        "media",
        ["delete_after"],
        unique=False,
        **only_where("deleted_at IS NULL AND delete_after IS NOT NULL"),
    )
    op.create_index("ix_media_uploaded", "media", ["uploaded_at"], unique=False, **only_where("is_current"))
    op.create_index("uq_media_current", "media", ["asset_id"], unique=True, **only_where("is_current"))

    op.execute(f"CREATE VIEW ready_media AS {READY_MEDIA}")


def downgrade() -> None:
    op.execute("DROP VIEW ready_media")

    op.drop_table("media")

    op.drop_table("items")

    op.drop_table("campaigns")

    op.drop_table("assets")
    op.drop_table("channels")
