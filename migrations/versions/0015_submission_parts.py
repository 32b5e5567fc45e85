"""What stands unchanged in a submission is noted once for a part of it, and no longer in each item."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.base import BigKey, OutsideText

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "submission_parts",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("campaign_id", OutsideText(128), nullable=False),
        sa.Column("submission", sa.BigInteger(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "item_ids", postgresql.ARRAY(sa.BigInteger()).with_variant(sa.Text(), "sqlite"), nullable=False
        ),
        # Workers of before prune campaigns, and know nothing of their parts.
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name="fk_submission_parts_campaign_id_campaigns",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_submission_parts"),
    )
    op.create_index("ix_submission_parts_campaign_id", "submission_parts", ["campaign_id"])


def downgrade() -> None:
    op.drop_table("submission_parts")
