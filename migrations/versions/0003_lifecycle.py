"""The life of media IDs: when each is looked at, what was observed of them, and failed look-ups."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A cancelled campaign's IDs are of no use to anybody.
READY_MEDIA = """
SELECT items.campaign_id, items.ref, campaigns.channel_id, media.media_id, media.mime_type,
       media.sha256, media.expires_at
FROM items
JOIN campaigns ON campaigns.id = items.campaign_id
JOIN media ON media.asset_id = items.asset_id
WHERE media.is_current AND media.deleted_at IS NULL AND media.expires_at > CURRENT_TIMESTAMP
      AND campaigns.cancelled_at IS NULL
"""
READY_MEDIA_BEFORE = """
SELECT items.campaign_id, items.ref, campaigns.channel_id, media.media_id, media.mime_type,
       media.sha256, media.expires_at
FROM items
JOIN campaigns ON campaigns.id = items.campaign_id
JOIN media ON media.asset_id = items.asset_id
WHERE media.is_current AND media.deleted_at IS NULL AND media.expires_at > CURRENT_TIMESTAMP
"""
MOMENTS = ("refresh_at", "retire_at", "verify_at", "seen_alive_at", "doubted_at", "died_at")


def only_where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    op.execute("DROP VIEW ready_media")
    op.add_column("channels", sa.Column("media_life_seconds", sa.BigInteger(), nullable=True))
    op.add_column("channels", sa.Column("life_rules", sa.String(length=255), nullable=True))
    op.add_column("channels", sa.Column("early_deaths", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("channels", sa.Column("shortest_life_seconds", sa.BigInteger(), nullable=True))
    op.add_column("channels", sa.Column("longest_life_seconds", sa.BigInteger(), nullable=True))
    for moment in MOMENTS:
        op.add_column("media", sa.Column(moment, sa.DateTime(timezone=True), nullable=True))

    op.drop_index("ix_media_uploaded", "media")
    op.drop_index("ix_media_expires", "media")
    op.create_index("ix_media_refresh", "media", ["refresh_at"], **only_where("is_current"))
    op.create_index("ix_media_retire", "media", ["retire_at"], **only_where("is_current"))
    op.create_index(
        "ix_media_verify",
        "media",
        ["channel_id", "verify_at"],
        **only_where("is_current AND verify_at IS NOT NULL"),
    )
    op.create_index("ix_media_deleted", "media", ["deleted_at"], **only_where("deleted_at IS NOT NULL"))
    op.create_index(
        "ix_campaigns_cancelled", "campaigns", ["cancelled_at"], **only_where("cancelled_at IS NOT NULL")
    )
    op.create_index("ix_assets_failed", "assets", ["channel_id"], **only_where("state = 'failed'"))
    op.create_table(
        "lookup_failures",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_lookup_failures_channel_id_channels"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_lookup_failures"),
    )
    op.create_index("ix_lookup_failures_channel_id_at", "lookup_failures", ["channel_id", "at"])
    op.execute(f"CREATE VIEW ready_media AS {READY_MEDIA}")


def downgrade() -> None:
    op.execute("DROP VIEW ready_media")
    op.drop_table("lookup_failures")
    op.drop_index("ix_assets_failed", "assets")
    op.drop_index("ix_campaigns_cancelled", "campaigns")
    for index in ("ix_media_refresh", "ix_media_retire", "ix_media_verify", "ix_media_deleted"):
        op.drop_index(index, "media")
    op.create_index("ix_media_expires", "media", ["expires_at"], **only_where("is_current"))
    op.create_index("ix_media_uploaded", "media", ["uploaded_at"], **only_where("is_current"))
    for moment in MOMENTS:
        op.drop_column("media", moment)
    for column in (
        "media_life_seconds",
        "life_rules",
        "early_deaths",
        "shortest_life_seconds",
        "longest_life_seconds",
    ):
        op.drop_column("channels", column)
    op.execute(f"CREATE VIEW ready_media AS {READY_MEDIA_BEFORE}")
