"""Campaigns have call-backs: whom they want told, and an outbox of what is to be delivered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from models.base import BigKey, OutsideText, Sentence, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "callbacks",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("campaign_id", OutsideText(128), nullable=False),
        sa.Column("target", OutsideText(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("submission", sa.BigInteger(), nullable=True),
        sa.Column("unsettled_item", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_callbacks_campaign_id_campaigns"),
        sa.PrimaryKeyConstraint("id", name="pk_callbacks"),
        sa.UniqueConstraint("campaign_id", name="uq_callbacks_campaign_id"),
    )
    op.create_index(
        "ix_callbacks_untold",
        "callbacks",
        ["campaign_id"],
        postgresql_where=sa.text("stage <> 'told'"),
        sqlite_where=sa.text("stage <> 'told'"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("campaign_id", OutsideText(128), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.Column("given_up_at", UtcDateTime(), nullable=True),
        sa.Column("failure", Sentence, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_outbox_campaign_id_campaigns"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint(
            "campaign_id", "version", "event", "number", name="uq_outbox_campaign_id_version_event_number"
        ),
    )
    op.create_index(
        "ix_outbox_due_at",
        "outbox",
        ["due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("outbox")
    op.drop_table("callbacks")
