"""Possible orphans are counted by index: a look at them, or a scrape, reads no other asset."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_assets_lost_answers",
        "assets",
        ["lost_answers"],
        postgresql_where=sa.text("lost_answers > 0"),
        sqlite_where=sa.text("lost_answers > 0"),
    )


def downgrade() -> None:
    op.drop_index("ix_assets_lost_answers", table_name="assets")
