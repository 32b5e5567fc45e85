"""Where Celery's processes log, and how: one handler for all, in place of what Celery would set up."""

from __future__ import annotations

import logging
import sys
from logging.handlers import WatchedFileHandler
from typing import Any

from celery.signals import setup_logging

from greenroom.settings import Settings
from worker.log_format import JsonLines, TextLines
from worker.printable_logs import make_printable, quiet_libraries
from worker.schedule import beat_schedule

#: What Celery says at INFO of each message that comes, before anything has come of it.
_RECEIVED = "celery.worker.strategy"
#: Where it says that a task has succeeded, and with what.
_SUCCEEDED = "celery.app.trace"
#: Where beat says that it sends a tick, and how.
_BEAT, _SENDING = "celery.beat", "Scheduler: Sending due task"
#: What a tick answers that did nothing: no sentence.
_NOTHING = {"''", "None"}


class IdleTicks(logging.Filter):
    """Leaves out that beat's tasks have succeeded where they found nothing to do."""

    def __init__(self, tasks: frozenset[str]) -> None:
        super().__init__()
        self._tasks = tasks

    def filter(self, record: logging.LogRecord) -> bool:
        """Let pass what is about another task, or says that something was done."""
        data = getattr(record, "data", None)
        if not isinstance(data, dict) or data.get("name") not in self._tasks or "return_value" not in data:
            return True
        return data["return_value"] not in _NOTHING


class SentTicks(logging.Filter):
    """Leaves out that beat has sent a tick, which it says of each."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything else pass."""
        return not str(record.msg).startswith(_SENDING)


def log_as_set(settings: Settings) -> None:
    """Have the workers, beat and Flower of this process log as the settings say."""

    def configure(*, loglevel: int, logfile: str | None, **_: Any) -> None:
        from billiard.util import get_logger as get_multiprocessing_logger  # noqa: PLC0415 - loaded by then

        handler = logging.StreamHandler(sys.__stderr__) if logfile is None else WatchedFileHandler(logfile)
        on_terminal = logfile is None and sys.__stderr__ is not None and sys.__stderr__.isatty()
        as_text = settings.log_format == "text" or (settings.log_format == "auto" and on_terminal)
        handler.setFormatter(TextLines() if as_text else JsonLines())
        for logger in (logging.getLogger(), get_multiprocessing_logger()):
            logger.handlers = [handler]
            make_printable(logger)
        logging.getLogger().setLevel(loglevel)
        get_multiprocessing_logger().setLevel(logging.ERROR)
        if loglevel > logging.DEBUG:
            logging.getLogger(_BEAT).addFilter(SentTicks())
            logging.getLogger(_RECEIVED).setLevel(logging.WARNING)
            logging.getLogger(_SUCCEEDED).addFilter(IdleTicks(frozenset(beat_schedule(settings))))
        quiet_libraries()

    # Whoever makes another app of other settings in this process has them.
    setup_logging.disconnect(dispatch_uid="greenroom")
    setup_logging.connect(configure, weak=False, dispatch_uid="greenroom")
