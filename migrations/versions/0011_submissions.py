"""An item says in which submission of its campaign it stood last: the end of one removes the others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("submission", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("campaigns", sa.Column("submission_key", sa.String(64), nullable=True))
    op.add_column("items", sa.Column("submission", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("items", "submission")
    op.drop_column("campaigns", "submission_key")
    op.drop_column("campaigns", "submission")
