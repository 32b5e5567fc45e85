"""The Celery tasks: each takes JSON, calls a plain function, and returns JSON.

What they are given is checked by :mod:`greenroom.contract` before anything else. A failure that has a
sentence of its own, as a message that is refused has, costs one line of the log and no traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from celery import Task, shared_task

from greenroom.contract import VERSION_HEADER, check_message
from greenroom.errors import GreenroomError, TransientError
from greenroom.task_names import TaskName
from tasks.dispatch import claims_from_json, dispatch
from tasks.inspect import inspect
from tasks.mark_used import mark_dead, mark_used
from tasks.prepare import prepare
from tasks.prune import prune
from tasks.refresh import refresh
from tasks.resolve import resolve
from tasks.retire import retire
from tasks.runtime import running
from tasks.runtime.context import current_context
from tasks.sweep import sweep
from tasks.upload import upload
from tasks.verify import verify

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
        with running.noted(str(self.name)):
            return self.run(*args, **kwargs)


def until_done(task: Task[Any, Any], work: Callable[[], Answer]) -> Answer:
    """Run work that must not be lost: a failure of the moment is tried again for as long as it takes."""
    try:
        return work()
    except TransientError as error:
        asked = error.retry_after or 2.0 ** min(task.request.retries, 5)
        # Celery would write the arguments out anew, with whatever signs the sources' addresses.
        summary: dict[str, Any] = {"argsrepr": task.request.get("argsrepr")}
        raise task.retry(exc=error, countdown=min(asked, LONGEST_COUNTDOWN_SECONDS), **summary) from error


@shared_task(base=CheckedTask, name=TaskName.PREPARE, bind=True, max_retries=None, ignore_result=False)
def prepare_task(
    self: Task[Any, Any], campaign: Mapping[str, Any], items: Sequence[Mapping[str, Any]]
) -> int:
    """Take over (a part of) a campaign's manifest."""
    return until_done(self, lambda: prepare(current_context(), campaign, items))


@shared_task(base=CheckedTask, name=TaskName.MARK_USED, bind=True, max_retries=None)
def mark_used_task(self: Task[Any, Any], uses: Sequence[Sequence[str]]) -> int:
    """Record when messages were sent."""
    return until_done(self, lambda: mark_used(current_context(), uses))


@shared_task(base=CheckedTask, name=TaskName.MARK_DEAD, bind=True, max_retries=None)
def mark_dead_task(self: Task[Any, Any], reports: Sequence[Sequence[str]]) -> int:
    """Record media IDs that were found dead."""
    return until_done(self, lambda: mark_dead(current_context(), reports))


@shared_task(base=CheckedTask, name=TaskName.RESOLVE, ignore_result=False)
def resolve_task(campaign_id: str, refs: Sequence[str]) -> dict[str, str]:
    """Return live media IDs."""
    return resolve(current_context(), campaign_id, refs)


@shared_task(base=CheckedTask, name=TaskName.INSPECT)
def inspect_task(claims: Sequence[Sequence[int]]) -> dict[str, int]:
    """Judge files."""
    return inspect(current_context(), claims_from_json(claims))


@shared_task(base=CheckedTask, name=TaskName.UPLOAD)
def upload_task(channel_id: str, claims: Sequence[Sequence[int]]) -> dict[str, int]:
    """Upload files."""
    return upload(current_context(), channel_id, claims_from_json(claims))


@shared_task(base=CheckedTask, name=TaskName.DISPATCH)
def dispatch_task(channel_id: str | None = None, *, tick: bool = False) -> dict[str, int]:
    """Hand out the next few seconds of work."""
    return dispatch(current_context(), channel_id, tick=tick)


@shared_task(base=CheckedTask, name=TaskName.SWEEP)
def sweep_task() -> dict[str, int]:
    """Put back what silent workers had claimed."""
    return sweep(current_context())


@shared_task(base=CheckedTask, name=TaskName.REFRESH)
def refresh_task() -> int:
    """Queue media that near their end."""
    return refresh(current_context())


@shared_task(base=CheckedTask, name=TaskName.RETIRE)
def retire_task() -> dict[str, int]:
    """Delete media that nothing needs."""
    return retire(current_context())


@shared_task(base=CheckedTask, name=TaskName.VERIFY)
def verify_task(channel_id: str | None = None) -> dict[str, int]:
    """Look media IDs up at the provider."""
    return verify(current_context(), channel_id)


@shared_task(base=CheckedTask, name=TaskName.PRUNE)
def prune_task() -> int:
    """Drop rows of what is long over."""
    return prune(current_context())
