"""Sweep: put back what a worker had claimed and went silent on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from greenroom.clock import EARLIEST
from greenroom.task_names import TaskName
from models.asset import sweep_assets
from models.database import DatabaseUnavailable
from models.item import sweep_items
from models.locks import wait_for_claims
from models.statistics import refresh_statistics
from tasks.context import Context, Message, announce

logger = logging.getLogger(__name__)

#: Rows put back in one transaction.
CHUNK = 500
#: Set while claims may have lapsed for no fault of their workers.
NOT_RENEWED = "greenroom:claims-could-not-be-renewed"
#: Seconds for which it is set: a living worker renews within three, and beat's next tick sets it anew.
RENEWING_SECONDS = 15


def sweep(context: Context) -> dict[str, int]:
    """Put back lapsed claims; answers how many inspections and uploads.

    A claim that lapsed while nobody could write to the database says nothing about its worker. So a sweep
    that finds the database away, or the tables locked, says so, and those that follow soon leave all claims
    alone: the living renew theirs first, and send nothing twice.

    Raises:
        DatabaseUnavailable: it is away, or somebody has locked the tables; the next tick tries again.
    """
    _refresh_statistics(context)
    inspections = uploads = 0
    try:
        while True:
            items, assets = _sweep(context)
            inspections, uploads = inspections + items, uploads + assets
            if max(items, assets) < CHUNK:
                break
    except DatabaseUnavailable:
        with suppress(RedisError):
            context.redis.set(NOT_RENEWED, "1", ex=RENEWING_SECONDS)
        raise
    if inspections or uploads:
        summary = f"{inspections + uploads} files of silent workers are back"
        announce(context, Message(name=TaskName.DISPATCH, args=[], summary=summary))
    return {"inspections": inspections, "uploads": uploads}


def put_back_claims_of(context: Context, silent: Sequence[str]) -> None:
    """Put back what these workers have claimed, who are dead, whatever their leases say.

    Raises:
        DatabaseUnavailable: it is away, or somebody has locked the tables.
    """
    most, uploads, inspections = context.settings.max_attempts, 0, 0
    while True:
        with context.database.write_briefly() as connection:
            # No lease ends before this moment.
            same: dict[str, Any] = {"now": EARLIEST, "max_attempts": most, "limit": CHUNK}
            items = sweep_items(connection, silent=silent, **same)
            assets = sweep_assets(connection, silent=silent, **same)
        inspections, uploads = inspections + items, uploads + assets
        if max(items, assets) < CHUNK:
            break
    if inspections or uploads:
        logger.warning(
            "Workers are gone: %d inspections and %d uploads of theirs are back.", inspections, uploads
        )
        summary = f"{inspections + uploads} files of dead workers are back"
        announce(context, Message(name=TaskName.DISPATCH, args=[], summary=summary))


def _sweep(context: Context) -> tuple[int, int]:
    now, most = context.clock.now(), context.settings.max_attempts
    with context.database.write_briefly() as connection:
        # Asked with the locks had: whoever waited for them before has said that they were held.
        wait_for_claims(connection)
        if _may_be_renewed(context):
            return 0, 0
        return (
            sweep_items(connection, now=now, max_attempts=most, limit=CHUNK),
            sweep_assets(connection, now=now, max_attempts=most, limit=CHUNK),
        )


def _may_be_renewed(context: Context) -> bool:
    """Whether the living have not had the time to renew what lapsed."""
    try:
        return bool(context.redis.exists(NOT_RENEWED))
    except RedisError:
        return False


def _refresh_statistics(context: Context) -> None:
    """What follows finds its rows by index then; see `models.statistics`."""
    try:
        with context.database.write_briefly() as connection:
            refresh_statistics(connection)
    except DatabaseUnavailable as error:
        # Most often the server makes them itself at this moment.
        logger.info("Statistics were not made: %s", error)
