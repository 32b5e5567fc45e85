"""What Celery's side of every task has in common: it takes JSON, calls a plain function, and returns JSON.

What a task is given is checked by :mod:`greenroom.contract` before anything else. A failure that has a
sentence of its own, as a message that is refused has, costs one line of the log and no traceback.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from inspect import Signature, signature
from typing import Any, TypeVar

from celery import Task

from greenroom import tracing
from greenroom.contract import VERSION_HEADER, check_message
from greenroom.errors import GreenroomError, TransientError
from greenroom.log_fields import logged_about
from greenroom.task_names import TaskName
from tasks.runtime import running

Answer = TypeVar("Answer")

#: Short on purpose: a long countdown would sit with one worker, and come back after a visibility timeout.
LONGEST_COUNTDOWN_SECONDS = 30.0


class CheckedTask(Task[Any, Any]):
    """A task that is run with what its contract allows, and with nothing else."""

    abstract = True
    #: Expected: their text says it all.
    throws = (GreenroomError,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Check the message, then run.

        Raises:
            MessageRefused: it does not keep to the contract; nothing was done.
        """
        check_message(TaskName(self.name), args, kwargs, version=self.request.get(VERSION_HEADER))
        about = self._about(args, kwargs)
        with running.noted(str(self.name)), logged_about(**about), self._traced(about):
            return self.perform(*args, **kwargs)

    def _traced(self, about: dict[str, object]) -> AbstractContextManager[object]:
        """A span for this run, within whatever had the message sent."""
        if not tracing.tracing_is_on():
            return nullcontext()
        headers = {name: self.request.get(name) for name in tracing.HEADERS}
        return tracing.traced(str(self.name), parent=headers, kind="CONSUMER", **about)

    def perform(self, *args: Any, **kwargs: Any) -> Any:
        """Do what was asked, which keeps to the contract."""
        return self.run(*args, **kwargs)

    @cached_property
    def _signature(self) -> Signature:
        return signature(self.run)

    def _about(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, object]:
        """What lines of this run are about: the task, and the campaign and channel that it was given."""
        given = self._signature.bind_partial(*args, **kwargs).arguments
        campaign = given.get("campaign") or {}
        return {
            "task": str(self.name),
            "task_id": self.request.id,
            "attempt": (self.request.retries or 0) + 1,
            "campaign": given.get("campaign_id", campaign.get("id")),
            "channel": given.get("channel_id", campaign.get("channel")),
        }


def until_done(task: Task[Any, Any], work: Callable[[], Answer]) -> Answer:
    """Run work that must not be lost: a failure of the moment is tried again for as long as it takes."""
    try:
        return work()
    except TransientError as error:
        asked = error.retry_after or 2.0 ** min(task.request.retries, 5)
        # Celery would write the arguments out anew, with whatever signs the sources' addresses.
        summary: dict[str, Any] = {"argsrepr": task.request.get("argsrepr")}
        raise task.retry(exc=error, countdown=min(asked, LONGEST_COUNTDOWN_SECONDS), **summary) from error
