"""Report error: act upon what webhooks say of messages that failed, as far as it is about media."""

from __future__ import annotations

import logging
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery import Task, shared_task
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from greenroom.contract import FailedMessageRow
from greenroom.errors import ManifestError
from greenroom.manifest import parse_moment
from greenroom.provider.answer_reader import code_and_text
from greenroom.provider.message_error_table import MessageError, MessageFault, fault_of
from greenroom.provider.quoting import quoted
from greenroom.task_names import TaskName
from greenroom.untrusted_text import one_line
from models import usage_reports
from models.usage_reports import FileFault, UsageReport
from tasks.runtime.announcements import Message, announce
from tasks.runtime.bisecting_writes import write_bisecting
from tasks.runtime.checked_task import CheckedTask, until_done
from tasks.runtime.context import Context, current_context

logger = logging.getLogger(__name__)

#: Where the ID before it was replaced within so long, and this one cannot be sent either, it is the file.
REPLACED_LATELY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class _FailedMessage:
    """One report, read: what it was sent with, and what of that is at fault."""

    report: UsageReport
    error: MessageError
    fault: MessageFault

    @property
    def key(self) -> tuple[str, str]:
        return self.report.channel_id, self.report.media_id


def report_error(context: Context, reports: Sequence[Sequence[Any]]) -> dict[str, int]:
    """Replace IDs that are dead, give files up that cannot be sent, and leave everything else alone.

    Returns how many IDs were ``dead``, how many files are at ``fault``, and how many reports were
    ``ignored``, which is logged.

    Args:
        context: the world.
        reports: ``[channel, media ID, moment in ISO 8601 with a zone, errors]`` each; the errors as they are
            in a webhook's ``statuses[].errors``, and the media ID null where it is not known.

    Raises:
        TransientError: the database is away; report again.
    """
    read, ignored = read_failures(context, reports)
    dead, faults = _sorted(context, read, ignored)
    if ignored:
        # One line, however many there are.
        logger.info("%d failed messages are not about media, and ignored; the first: %s", *_first(ignored))
    return {
        "dead": _record_dead(context, dead),
        "fault": _record_faults(context, faults),
        "ignored": len(ignored),
    }


def _first(ignored: Sequence[str]) -> tuple[int, str]:
    return len(ignored), one_line(ignored[0])


#: Each by itself, so that one that cannot be read costs no other.
_ROW = TypeAdapter(FailedMessageRow)


def read_failures(
    context: Context, reports: Sequence[Sequence[Any]]
) -> tuple[list[_FailedMessage], list[str]]:
    """Read each report by itself; returns those that are about media, and of the others what they say."""
    now = context.clock.now()
    read: list[_FailedMessage] = []
    ignored: list[str] = []
    unread = []
    for given in reports:
        try:
            channel_id, media_id, moment, errors = _ROW.validate_python(given)
            at = min(parse_moment(moment), now)
        except (ManifestError, ValidationError, OverflowError):
            unread.append(given)
            continue
        error, fault = _worst([error.model_dump() for error in errors])
        if media_id is None or fault is MessageFault.OTHER:
            ignored.append(str(error) if media_id is not None else f"{error} (of no media ID)")
            continue
        report = UsageReport(channel_id=channel_id, media_id=media_id, at=at)
        read.append(_FailedMessage(report=report, error=error, fault=fault))
    if unread:
        text = "%d of %d failed messages cannot be read, and are left out; the first: %s"
        shown = unread[0][:3] if isinstance(unread[0], list) else unread[0]
        logger.error(text, len(unread), len(reports), reprlib.repr(shown))
    return read, ignored


def _worst(errors: Sequence[Mapping[str, Any]]) -> tuple[MessageError, MessageFault]:
    """The first error that is about media, or else the first."""
    judged = []
    for each in errors:
        code, text = code_and_text(dict(each))
        error = MessageError(code=code, text=quoted(text))
        judged.append((error, fault_of(error)))
    about_media = (one for one in judged if one[1] is not MessageFault.OTHER)
    return next(about_media, judged[0])


def _sorted(
    context: Context, read: Sequence[_FailedMessage], ignored: list[str]
) -> tuple[list[UsageReport], list[FileFault]]:
    """Which IDs are dead, and which files are at fault; what was sent as something else is neither."""
    keys = {one.key for one in read}
    with context.database.read() as connection:
        categories = usage_reports.categories_of(connection, keys)
        lately = usage_reports.replaced_since(connection, keys, since=context.clock.now() - REPLACED_LATELY)
    dead, faults = [], []
    for one in read:
        if one.error.sent_as not in (None, categories.get(one.key)):
            ignored.append(f"{one.error} (it was sent as what it is not)")
        elif one.fault is MessageFault.FILE or (one.fault is MessageFault.ID_OR_FILE and one.key in lately):
            detail = f"WhatsApp took the file, and could not send it: {one.error}"
            faults.append(FileFault(**vars(one.report), detail=detail))
        else:
            dead.append(one.report)
    return dead, faults


def _record_dead(context: Context, dead: Sequence[UsageReport]) -> int:
    now = context.clock.now()

    def write(connection: Connection, part: Sequence[UsageReport]) -> int:
        return usage_reports.record_dead(connection, part, now=now)

    replaced = sum(write_bisecting(context.database, dead, write, refused=_left_out)) if dead else 0
    if replaced:
        summary = f"{replaced} media IDs were found dead"
        announce(context, Message(name=TaskName.DISPATCH, args=[], summary=summary))
    return replaced


def _record_faults(context: Context, faults: Sequence[FileFault]) -> int:
    now = context.clock.now()

    def write(connection: Connection, part: Sequence[FileFault]) -> int:
        return usage_reports.record_unsendable(connection, part, now=now)

    given_up = sum(write_bisecting(context.database, faults, write, refused=_left_out)) if faults else 0
    if given_up:
        logger.warning("%d files were given up; the first: %s", given_up, one_line(faults[0].detail))
    return given_up


def _left_out(report: UsageReport, error: Exception) -> int:
    logger.error("A report cannot be written, and is left out: %s", one_line(repr(report)), exc_info=error)
    return 0


@shared_task(base=CheckedTask, name=TaskName.REPORT_ERROR, bind=True, max_retries=None)
def report_error_task(self: Task[Any, Any], reports: Sequence[Sequence[Any]]) -> dict[str, int]:
    """Record what webhooks said of failed messages."""
    return until_done(self, lambda: report_error(current_context(), reports))
