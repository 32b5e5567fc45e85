"""Sweep: put back what a worker had claimed and went silent on."""

from __future__ import annotations

from greenroom.task_names import TaskName
from models.asset import sweep_assets
from models.item import sweep_items
from models.statistics import refresh_statistics
from tasks.context import Context, Message, announce

#: Rows put back in one transaction.
CHUNK = 500


def sweep(context: Context) -> dict[str, int]:
    """Put back lapsed claims; answers how many inspections and uploads."""
    _refresh_statistics(context)
    most = context.settings.max_attempts
    inspections = uploads = 0
    while True:
        now = context.clock.now()
        with context.database.write() as connection:
            items = sweep_items(connection, now=now, max_attempts=most, limit=CHUNK)
            assets = sweep_assets(connection, now=now, max_attempts=most, limit=CHUNK)
        inspections, uploads = inspections + items, uploads + assets
        if max(items, assets) < CHUNK:
            if inspections or uploads:
                summary = f"{inspections + uploads} files of silent workers are back"
                announce(context, Message(name=TaskName.DISPATCH, args=[], summary=summary))
            return {"inspections": inspections, "uploads": uploads}


def _refresh_statistics(context: Context) -> None:
    """What follows finds its rows by index then; see `models.statistics`."""
    with context.database.write() as connection:
        refresh_statistics(connection)
