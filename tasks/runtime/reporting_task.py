"""Greenroom's own tasks: Flower is told by themselves what they did, in a sentence.

Most ticks find nothing to do, and a thousand rows that say so hide the one that matters. So Celery sends no
events of these tasks, which would tell of every run, and with a dictionary for a result; they tell of those
runs that did something, or failed (:mod:`tasks.runtime.task_events`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from greenroom.untrusted_text import one_line
from tasks.runtime.checked_task import CheckedTask
from tasks.runtime.context import current_context
from tasks.runtime.task_events import TaskEvent


@dataclass(frozen=True, kw_only=True)
class TaskReport:
    """What a task did.

    Attributes:
        sentence: in a table, and in the log.
        lines: what stands below it on the task's own page.
        failure: the error that an operator has to see to, its type and its sentence; empty where all is well.
            The task itself is done.
    """

    sentence: str
    lines: Sequence[str] = ()
    failure: str = ""


class ReportingTask(CheckedTask):
    """A task that returns a sentence on what it did; an empty one, if nothing.

    Attributes:
        shows_start: whether operators see that it runs, and whether it did something or not.
    """

    abstract = True
    #: Celery's own, of every run.
    send_events = False
    shows_start = False

    def perform(self, *args: Any, **kwargs: Any) -> str:
        """Do it, and tell of it if there is something to tell."""
        context = current_context()
        began = context.clock.now()
        if self.shows_start:
            context.events.add([self._event("task-started", {}, began=began, at=began)])
        try:
            returned = super().perform(*args, **kwargs)
        except Exception as error:
            sentence = one_line(str(error))
            failed = {"exception": f"{type(error).__name__}: {sentence}", "result": sentence}
            context.events.add([self._event("task-failed", failed, began=began, at=context.clock.now())])
            raise
        report = returned if isinstance(returned, TaskReport) else TaskReport(sentence=returned)
        if report.sentence or self.shows_start:
            done = {"result": "\n".join([report.sentence or "nothing to do", *report.lines])}
            kind = "task-failed" if report.failure else "task-succeeded"
            done |= {"exception": report.failure} if report.failure else {}
            context.events.add([self._event(kind, done, began=began, at=context.clock.now())])
        return report.sentence

    def _event(self, kind: str, said: dict[str, str], *, began: datetime, at: datetime) -> TaskEvent:
        fields = {
            "uuid": self.request.id,
            "name": self.name,
            "args": self.request.get("argsrepr") or "",
            "received": began.timestamp(),
            "started": began.timestamp(),
        }
        if at is not began:
            fields["runtime"] = (at - began).total_seconds()
        return TaskEvent(type=kind, at=at, fields=fields | said)
