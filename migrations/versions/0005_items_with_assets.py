"""Items are found by their asset once they have one: those that wait are in no index for it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WITH_ASSET: dict[str, Any] = {
    "postgresql_where": sa.text("asset_id IS NOT NULL"),
    "sqlite_where": sa.text("asset_id IS NOT NULL"),
}


def upgrade() -> None:
    op.drop_index("ix_items_asset_id", "items")
    op.create_index("ix_items_asset_id", "items", ["asset_id"], **WITH_ASSET)


def downgrade() -> None:
    op.drop_index("ix_items_asset_id", "items")
    op.create_index("ix_items_asset_id", "items", ["asset_id"])
