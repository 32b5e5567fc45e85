"""Tokens that only read, and who is logged in to the pages by one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "api_tokens", sa.Column("read_only", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "page_sessions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("token_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_page_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_page_sessions_digest")),
        sa.ForeignKeyConstraint(
            ["token_id"],
            ["api_tokens.id"],
            name=op.f("fk_page_sessions_token_id_api_tokens"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(op.f("ix_page_sessions_token_id"), "page_sessions", ["token_id"])


def downgrade() -> None:
    op.drop_table("page_sessions")
    # Without the column they would write, too, once it is there again.
    op.execute("DELETE FROM api_tokens WHERE read_only")
    op.drop_column("api_tokens", "read_only")
