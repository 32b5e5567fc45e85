"""The worker's consumer: Celery's, which throws away what it cannot work on, and outlives its connection."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import states
from celery.utils.log import get_logger
from celery.worker.consumer import Consumer as CelerysConsumer
from celery.worker.control import control_command
from celery.worker.state import SOFTWARE_INFO
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from greenroom.errors import MessageRefused
from worker.broker_transport import THROWN_AWAY, requeue_left_behind
from worker.quarantine import CONTENT_FAULTS, Poison, check_task, who_waits

logger = get_logger(__name__)

#: Seconds for which what happened to tasks waits for more to be told in one message; monitors do not mind.
EVENTS_EVERY = 0.5
#: Seconds between two events by which a worker tells monitors that it lives; missed after twice as many.
ALIVE_EVERY = 30.0
#: By gossip and mingle, workers would keep each other from running one task twice, which our claims do; each
#: would read all events of all others.
QUIET = {"without_gossip": True, "without_mingle": True}
#: Seconds between two tries to reach a broker: the first pause, by how much each is longer, the longest.
RECONNECT = {"interval_start": 0.25, "interval_step": 0.5, "interval_max": 5.0}


@control_command()
def heartbeat(state: Any) -> None:
    """Tell a monitor that begins, and asks, that this worker lives.

    In the place of Celery's own answer, which says that the next one comes in five seconds: until ours did,
    Flower would show the worker as offline.
    """
    if state.consumer.event_dispatcher:
        state.consumer.event_dispatcher.send("worker-heartbeat", freq=ALIVE_EVERY, **SOFTWARE_INFO)


class Consumer(CelerysConsumer):
    """What is poison to a worker costs one line of the log; acknowledging never ends a worker."""

    # The stubs do not know them.
    task_consumer: Any
    connection_errors: tuple[type[Exception], ...]
    hub: Any
    _flush_events: Callable[[], None]
    _events_due_at = -math.inf

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make its steps, which say and hear little where nobody needs more."""
        options = {**(kwargs.get("worker_options") or {}), **QUIET}
        options["heartbeat_interval"] = options.get("heartbeat_interval") or ALIVE_EVERY
        kwargs["worker_options"] = options
        super().__init__(*args, **kwargs)

    def ensure_connected(self, conn: Any) -> Any:
        """Connect to the broker, however long it is away; one that is back is found soon."""
        conn.ensure_connection = partial(conn.ensure_connection, **RECONNECT)
        return super().ensure_connected(conn)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """What is called with each message."""
        handle = super().create_task_handler(*args, **kwargs)
        # It is asked for when the connection stands.
        requeue_left_behind(self.task_consumer.channel)

        def look_and_handle(message: Any) -> None:
            try:
                check_task(message.headers, message.payload)
                handle(message)
            except self.connection_errors:
                raise
            except (Poison, *CONTENT_FAULTS) as error:
                self._throw_away(message, error)

        return look_and_handle

    def on_send_event_buffered(self) -> None:  # type: ignore[override]  # by its stubs, it returns something
        """Tell monitors what happened to tasks: not of each in a message of its own, but soon.

        Called in whichever thread the task runs; the timer is looked at by the loop that takes messages.
        """
        now = time.monotonic()
        if now >= self._events_due_at:
            self._events_due_at = now + EVENTS_EVERY
            self.hub.call_soon(self.hub.call_later, EVENTS_EVERY, self._flush_events)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """A body that is compressed, or that is not JSON."""
        self._throw_away(message, exc)

    def on_unknown_message(self, _body: Any, message: Any) -> None:
        """It names no task."""
        self._throw_away(message, Poison("it names no task"))

    def on_unknown_task(self, _body: Any, message: Any, _exc: Exception) -> None:
        """It names a task that this worker does not have."""
        self._throw_away(message, Poison("this worker has no such task"))

    def on_invalid_task(self, _body: Any, message: Any, exc: Exception) -> None:
        """Celery does not want it."""
        self._throw_away(message, exc)

    def _throw_away(self, message: Any, error: Exception) -> None:
        """Say so in one line, and to whoever waits for its answer; the broker forgets the message."""
        queue = (message.delivery_info or {}).get("routing_key")
        logger.error(THROWN_AWAY, queue, said(error))
        waited_for = who_waits(message.headers)
        if waited_for is not None:
            self._answer(waited_for, MessageRefused(f"The message was thrown away: {said(error)}"))
        if not message.acknowledged:
            message.reject_log_error(logger, self.connection_errors)

    def _answer(self, task_id: str, refused: MessageRefused) -> None:
        try:
            self.app.backend.store_result(task_id, refused, states.FAILURE)
        except (KombuError, RedisError, RuntimeError, OSError) as error:
            logger.warning("Nobody could be told of it: %s", said(error))

    def call_soon_ack(self, p: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Acknowledge or reject a message, from the consumer's own thread, if its connection still stands.

        One that was closed gives its messages back: they come again, and find their work done. kombu 5.7
        raises an AttributeError there, too.
        """
        return super().call_soon_ack(_if_connected(p), *args, **kwargs)  # type: ignore[misc]  # a mixin: the next class has it


def said(error: Exception) -> str:
    """An error in one line that does not grow with the message."""
    if isinstance(error, Poison):
        return str(error)
    text = ascii(str(error))[1:-1]
    return f"{type(error).__name__}: {text[:200]}"


def _if_connected(acknowledge: Callable[..., Any]) -> Callable[..., Any]:
    message = getattr(acknowledge, "__self__", None)

    def acknowledge_if_connected(*args: Any, **kwargs: Any) -> None:
        channel = getattr(message, "channel", None)
        if channel is None or channel.connection is None:
            logger.info("A task's message will come again: its connection to the broker is closed.")
            return
        acknowledge(*args, **kwargs)

    return acknowledge_if_connected
