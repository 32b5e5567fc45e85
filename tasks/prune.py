"""Prune: drop the rows of what is long over, and the fixed copies that nothing is read from any more."""

from __future__ import annotations

import logging
from collections.abc import Callable

from celery import shared_task
from sqlalchemy import Connection

from greenroom.copy_record import is_place_of_copy, remove_copy
from greenroom.figures import counted
from greenroom.task_names import TaskName
from models.lookups import drop_old_failures
from models.prune import Pruned, prune_campaigns, prune_media, sources_in_use
from tasks.runtime.context import Context, current_context
from tasks.runtime.reporting_task import ReportingTask

logger = logging.getLogger(__name__)

#: Rows dropped in one transaction, and transactions in one tick for each sort of row.
PRUNE_CHUNK = 1_000
PRUNE_CHUNKS_A_TICK = 100


def prune(context: Context) -> int:
    """Drop what is over; returns how many rows. Media rows of live IDs are never among them."""
    before = context.clock.now() - context.settings.prune_after
    with context.database.write() as connection:
        drop_old_failures(connection, now=context.clock.now())
    return _in_chunks(
        context, lambda connection: prune_campaigns(connection, before=before, limit=PRUNE_CHUNK)
    ) + _in_chunks(context, lambda connection: prune_media(connection, before=before, limit=PRUNE_CHUNK))


def _in_chunks(context: Context, drop: Callable[[Connection], Pruned]) -> int:
    rows = 0
    for _ in range(PRUNE_CHUNKS_A_TICK):
        with context.database.write() as connection:
            dropped = drop(connection)
        _remove_copies(context, dropped.sources)
        rows += dropped.rows
        if dropped.rows == 0:
            break
    return rows


def _remove_copies(context: Context, sources: tuple[str, ...]) -> None:
    """Remove fixed copies; the files that people gave are never touched, wherever they are."""
    folder = context.settings.fixed_folder
    if folder is None:
        return
    copies = [source for source in sources if is_place_of_copy(source, folder)]
    if not copies:
        return
    with context.database.read() as connection:
        in_use = sources_in_use(connection, copies)
    for source in copies:
        if source not in in_use and remove_copy(source, folder):
            logger.info("The fixed copy %s is not needed any more.", source)


@shared_task(base=ReportingTask, name=TaskName.PRUNE)
def prune_task() -> str:
    """Drop rows of what is long over."""
    rows = prune(current_context())
    return f"dropped {counted(rows, 'row')} of what is long over" if rows else ""
