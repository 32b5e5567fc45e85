"""Work that is asked for, beside what beat asks for."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celery import current_app
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

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
        message.name, args=message.args, queue=QUEUES[message.name], argsrepr=message.summary
    )


def announce(context: Context, message: Message) -> None:
    """Ask for work that beat would ask for anyway: a broker that is away fails nothing that is done."""
    try:
        context.publish(message)
    except (KombuError, RedisError, OSError) as error:
        logger.warning("%s waits for beat's next tick: %s", message.name, error)
    except AttributeError as error:
        if not is_lost_connection(error):
            raise
        logger.warning("%s waits for beat's next tick: the connection was lost.", message.name)


#: Set while a dispatch that was asked for has not begun.
DISPATCH_ASKED = "greenroom:dispatch-asked"
#: Seconds after which one that was asked for is taken to be lost.
DISPATCH_LOST_SECONDS = 5


def announce_dispatch(context: Context, *, why: str) -> None:
    """Ask for a dispatch of everything, unless one is on its way that has not begun: it will see all."""
    try:
        first = context.redis.set(DISPATCH_ASKED, "1", nx=True, ex=DISPATCH_LOST_SECONDS)
    except RedisError:
        first = True
    if first:
        announce(context, Message(name=TaskName.DISPATCH, args=[], summary=why))


def dispatch_begins(context: Context) -> None:
    """From now on, whoever asks for a dispatch gets another one."""
    with suppress(RedisError):
        context.redis.delete(DISPATCH_ASKED)
