"""Items that wait are found by campaign: each channel's share is had without reading the others'."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WAITING: dict[str, Any] = {
    "postgresql_where": sa.text("state = 'waiting'"),
    "sqlite_where": sa.text("state = 'waiting'"),
}


def upgrade() -> None:
    op.drop_index("ix_items_waiting", "items")
    op.create_index("ix_items_waiting", "items", ["campaign_id", "id"], **WAITING)


def downgrade() -> None:
    op.drop_index("ix_items_waiting", "items")
    op.create_index("ix_items_waiting", "items", ["due_at", "id"], **WAITING)
