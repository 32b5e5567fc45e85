"""Mark used, mark dead: write down what senders report of media IDs."""

from __future__ import annotations

import logging
import reprlib
from collections.abc import Sequence
from typing import Any

from celery import Task, shared_task
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from greenroom.contract import ReportRow
from greenroom.errors import ManifestError
from greenroom.manifest import parse_moment
from greenroom.task_names import TaskName
from greenroom.untrusted_text import one_line
from models import usage_reports
from models.usage_reports import UsageReport
from tasks.runtime.announcements import Message, announce
from tasks.runtime.bisecting_writes import write_bisecting
from tasks.runtime.checked_task import CheckedTask, until_done
from tasks.runtime.context import Context, current_context

logger = logging.getLogger(__name__)


def mark_used(context: Context, reports: Sequence[Sequence[str]]) -> int:
    """Record that messages were sent, from which the life of their media counts; returns how many reports.

    Repeated and out of order is fine. A report that cannot be read is left out, and logged: the others of
    its batch would be lost with it.

    Args:
        context: the world.
        reports: ``[channel, media ID, moment in ISO 8601 with a zone]`` each.

    Raises:
        TransientError: the database is away; nothing was written.
    """
    read = _read(context, reports)

    def write(connection: Connection, part: Sequence[UsageReport]) -> int:
        usage_reports.record_uses(connection, part, rules_of=context.settings.life_rules)
        return len(part)

    return sum(write_bisecting(context.database, read, write, refused=_left_out))


def mark_dead(context: Context, reports: Sequence[Sequence[str]]) -> int:
    """Take IDs that senders found dead out of service, and upload what is needed at once.

    Returns how many were in service until now.

    Args:
        context: the world.
        reports: as those of :func:`mark_used`, with the moment at which a message failed.

    Raises:
        TransientError: the database is away; nothing was written.
    """
    read, now = _read(context, reports), context.clock.now()

    def write(connection: Connection, part: Sequence[UsageReport]) -> int:
        return usage_reports.record_dead(connection, part, now=now)

    dead = sum(write_bisecting(context.database, read, write, refused=_left_out))
    if dead:
        summary = f"{dead} media IDs were found dead"
        announce(context, Message(name=TaskName.DISPATCH, args=[], summary=summary))
    return dead


#: Each by itself, so that one that cannot be read costs no other.
_ROW = TypeAdapter(ReportRow)


def _left_out(report: UsageReport, error: Exception) -> int:
    logger.error("A report cannot be written, and is left out: %s", one_line(repr(report)), exc_info=error)
    return 0


def _read(context: Context, reports: Sequence[Sequence[str]]) -> list[UsageReport]:
    now = context.clock.now()
    read, unread = [], []
    for report in reports:
        try:
            channel_id, media_id, moment = _ROW.validate_python(report)
            # A clock that runs ahead elsewhere must not lengthen a life.
            at = min(parse_moment(moment), now)
        except (ManifestError, ValidationError, OverflowError):
            unread.append(report)
        else:
            read.append(UsageReport(channel_id=channel_id, media_id=media_id, at=at))
    if unread:
        # One line, however many there are.
        text = "%d of %d reports cannot be read, and are left out; the first: %s"
        logger.error(text, len(unread), len(reports), reprlib.repr(unread[0]))
    return read


@shared_task(base=CheckedTask, name=TaskName.MARK_USED, bind=True, max_retries=None)
def mark_used_task(self: Task[Any, Any], uses: Sequence[Sequence[str]]) -> int:
    """Record when messages were sent."""
    return until_done(self, lambda: mark_used(current_context(), uses))


@shared_task(base=CheckedTask, name=TaskName.MARK_DEAD, bind=True, max_retries=None)
def mark_dead_task(self: Task[Any, Any], reports: Sequence[Sequence[str]]) -> int:
    """Record media IDs that were found dead."""
    return until_done(self, lambda: mark_dead(current_context(), reports))
