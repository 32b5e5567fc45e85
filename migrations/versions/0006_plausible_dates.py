"""Dates of campaigns lie within bounds: sums with one far away were no dates, and stopped a task for all."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from models.base import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

#: As `greenroom.clock` had them when this was written.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

MOMENTS = {
    "campaigns": ("send_at", "keep_until"),
    "items": ("due_at",),
    "assets": ("due_at",),
    "media": ("retire_at",),
}


def upgrade() -> None:
    for table, columns in MOMENTS.items():
        for name in columns:
            column = sa.column(name, UtcDateTime())
            rows = sa.table(table, column)
            op.execute(sa.update(rows).where(column > LATEST).values({name: LATEST}))
            op.execute(sa.update(rows).where(column < EARLIEST).values({name: EARLIEST}))


def downgrade() -> None:
    """What they were before is not known, and the version before takes these, too."""
