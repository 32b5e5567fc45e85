"""A claim says which worker has it, so that those of one that is gone need not wait for their leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("assets", "items")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("worker", sa.String(64), nullable=True))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "worker")
