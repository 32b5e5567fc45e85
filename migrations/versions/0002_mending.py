"""Mending: whether an item is to be mended, what was done, and the hash of the original."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("items", sa.Column("mend", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("items", sa.Column("original_sha256", sa.String(length=64), nullable=True))
    op.add_column("items", sa.Column("mended", sa.Text(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("items", "mended")
    op.drop_column("items", "original_sha256")
    op.drop_column("items", "mend")
