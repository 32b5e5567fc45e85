"""Work that is asked for, beside what beat asks for."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celery import current_app
from kombu import Exchange, Queue
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from greenroom import tracing
from greenroom.redis_client import is_lost_connection
from greenroom.task_names import QUEUES, TaskName
from greenroom.untrusted_text import one_line

if TYPE_CHECKING:
    from tasks.runtime.context import Context

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A task to be enqueued.

    Attributes:
        name: which.
        args: JSON values: ids and small things, never a secret.
        summary: what Flower shows in place of the arguments; may hold names that others gave.
    """

    name: TaskName
    args: list[Any]
    summary: str

    def __post_init__(self) -> None:
        """Let no name of a file end a line, or turn it round."""
        object.__setattr__(self, "summary", one_line(self.summary))


def publish_to_broker(message: Message) -> None:
    """Enqueue on the app that `worker` has made current."""
    current_app.send_task(
        message.name,
        args=message.args,
        queue=QUEUES[message.name],
        argsrepr=message.summary,
        headers=tracing.here(),
        # Or this process would listen for the answer of each.
        ignore_result=True,
    )


@dataclass(frozen=True, kw_only=True)
class OutsideTask:
    """A task of another program's on the same broker.

    Attributes:
        name: which.
        queue: declared as Celery does it where nobody configures anything: a direct exchange of its name.
        payload: its one argument, JSON.
        id: the task's.
        summary: what Flower shows in place of the argument.
    """

    name: str
    queue: str
    payload: Any
    id: str
    summary: str


def publish_outside_task(task: OutsideTask) -> None:
    """Enqueue on the app that `worker` has made current."""
    # Celery takes it, and its types know a name alone: one of our own queues.
    queue: Any = Queue(task.queue, Exchange(task.queue, type="direct"), routing_key=task.queue)
    current_app.send_task(
        task.name,
        args=[task.payload],
        task_id=task.id,
        queue=queue,
        argsrepr=one_line(task.summary),
        ignore_result=True,
    )


@contextmanager
def until_next_tick(what: str) -> Iterator[None]:
    """Work that beat's next tick does anyway: a broker that is away fails nothing that is done.

    Args:
        what: waits, then.
    """
    try:
        yield
    except (KombuError, RedisError, OSError) as error:
        logger.warning("%s waits for beat's next tick: %s", what, error)
    except AttributeError as error:
        if not is_lost_connection(error):
            raise
        logger.warning("%s waits for beat's next tick: the connection was lost.", what)


def announce(context: Context, message: Message) -> None:
    """Ask for work that beat would ask for anyway."""
    with until_next_tick(message.name):
        context.publish(message)


#: Set while one that was asked for has not begun.
ASKED = {
    TaskName.DISPATCH: "greenroom:dispatch-asked",
    TaskName.INSPECT: "greenroom:inspect-asked",
    TaskName.DELIVER: "greenroom:deliver-asked",
}
#: Seconds after which one that was asked for is taken to be lost.
LOST_SECONDS = 5
#: And after which whoever said that it looks again is not relied on: what it does now takes its time.
AGAIN_SECONDS = 0.4


def announce_dispatch(context: Context, *, why: str) -> None:
    """Ask for a dispatch of everything, unless one is on its way that has not begun: it will see all."""
    _announce_once(context, Message(name=TaskName.DISPATCH, args=[], summary=why))


def announce_inspection(context: Context, *, why: str) -> None:
    """Ask that somebody look at what waits, unless one is on its way to do so who has not begun."""
    _announce_once(context, Message(name=TaskName.INSPECT, args=[[]], summary=why))


def announce_delivery(context: Context, *, why: str) -> None:
    """Ask for what is due to be delivered, unless a delivery is on its way that has not begun."""
    _announce_once(context, Message(name=TaskName.DELIVER, args=[], summary=why))


def _announce_once(context: Context, message: Message) -> None:
    try:
        first = context.redis.set(ASKED[message.name], "1", nx=True, ex=LOST_SECONDS)
    except RedisError:
        first = True
    if first:
        announce(context, message)


def begins(context: Context, name: TaskName) -> None:
    """From now on, whoever asks for this task gets another one."""
    with suppress(RedisError):
        context.redis.delete(ASKED[name])


def looks_again(context: Context, name: TaskName) -> None:
    """Let nobody ask for this task for a moment: it looks by itself, now and once more."""
    with suppress(RedisError):
        context.redis.set(ASKED[name], "1", px=round(AGAIN_SECONDS * 1000))


def await_more(context: Context, name: TaskName, *, since: float) -> None:
    """Wait before looking again, so that what comes in meanwhile is looked at together.

    Args:
        context: the world, with how long to wait.
        name: of the task.
        since: the last look, a moment of `time.monotonic`.
    """
    pause = since + context.gather_seconds - time.monotonic()
    if pause > 0:
        looks_again(context, name)
        context.sleep(pause)
