"""Items say in the field's words whether their files are to be fixed, and what was done."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# SQLite has this statement, too, since 3.25; Alembic would copy the whole table there.
RENAME = "ALTER TABLE items RENAME COLUMN {} TO {}"


def upgrade() -> None:
    op.execute(RENAME.format("mend", "fix"))
    op.execute(RENAME.format("mended", "fixed"))


def downgrade() -> None:
    op.execute(RENAME.format("fixed", "mended"))
    op.execute(RENAME.format("fix", "mend"))
