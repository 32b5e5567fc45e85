"""A campaign says since when it is known that its uploads come too late."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from models.base import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("at_risk_since", UtcDateTime(), nullable=True))
    op.create_index(
        "ix_campaigns_at_risk",
        "campaigns",
        ["at_risk_since"],
        postgresql_where=sa.text("at_risk_since IS NOT NULL"),
        sqlite_where=sa.text("at_risk_since IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_campaigns_at_risk", table_name="campaigns")
    op.drop_column("campaigns", "at_risk_since")
