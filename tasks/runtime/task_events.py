"""Rows of Flower that no message of Celery's stands for: a file's, and those of ticks that did something.

They are Celery's own task events. Whoever works hands in what has become of something, which costs an append
to a list; a thread of the process gives it names, and publishes many events in one message. Nobody waits for
them, and nothing depends on them: where the broker is away, or too much comes, they are dropped and counted.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import current_app
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from greenroom.chunks import chunks
from greenroom.errors import DatabaseUnavailable
from greenroom.redis_client import is_lost_connection

if TYPE_CHECKING:
    from celery.events.dispatcher import EventDispatcher

    from models import Database

logger = logging.getLogger(__name__)

#: Seconds for which what is told is gathered.
TELL_EVERY_SECONDS = 0.5
#: Events that one message holds.
EVENTS_A_MESSAGE = 250
#: What may wait to be published; what comes when there is more takes the place of the oldest.
MOST_WAITING = 20_000
#: Seconds that the last of it may take when the process ends.
LAST_SECONDS = 2.0

_worker_name: list[str] = []


def note_worker_name(name: str) -> None:
    """Under which name this worker sends its events, as Celery calls it."""
    _worker_name[:] = [name]


@dataclass(frozen=True, kw_only=True)
class TaskEvent:
    """One of Celery's events.

    Attributes:
        type: ``task-received``, ``task-succeeded``, ``task-failed`` or ``task-retried``.
        at: when it was so.
        fields: what it says; ``uuid`` is the row. None of it may be a secret.
    """

    type: str
    at: datetime
    fields: dict[str, Any]


#: How what was told becomes events, in their order; raises DatabaseUnavailable where names cannot be found.
EventsOf = Callable[["Database", Sequence[Any]], Iterable[TaskEvent]]


class EventQueue:
    """What this process has to tell; adding to it takes a microsecond, and never fails.

    Attributes:
        files: whether files have rows of their own.
    """

    def __init__(self, *, files: bool = True) -> None:
        self.files = files
        self._waiting: deque[Any] = deque(maxlen=MOST_WAITING)
        self._dropped = 0
        self.something = threading.Event()

    def add(self, told: Iterable[Any]) -> None:
        """Tell these, soon."""
        for one in told:
            self._dropped += len(self._waiting) == MOST_WAITING
            self._waiting.append(one)
        if not self.something.is_set():
            self.something.set()

    def take(self) -> list[Any]:
        """All that waits; it waits no more."""
        self.something.clear()
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken

    def take_dropped(self) -> int:
        """How many were dropped since the last time, because too many waited."""
        dropped, self._dropped = self._dropped, 0
        return dropped


class EventThread:
    """Publishes what a process tells."""

    def __init__(self, queue: EventQueue, database: Database, events_of: EventsOf) -> None:
        self._queue = queue
        self._database = database
        self._events_of = events_of
        self._dispatcher: EventDispatcher | None = None
        self._over = threading.Event()
        self._is_away = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Publish the last of it, and end."""
        self._over.set()
        self._queue.something.set()
        self._thread.join(LAST_SECONDS)

    def _run(self) -> None:
        while not self._over.is_set():
            self._queue.something.wait()
            self._over.wait(TELL_EVERY_SECONDS)
            try:
                self.publish(self._queue.take())
            except Exception:
                # A fault of ours: operators see less, and nothing else is lost.
                logger.exception("Flower could not be told of something.")

    def publish(self, told: Sequence[Any]) -> None:
        """Publish what was told, as far as that can be done now."""
        if not told:
            return
        try:
            events = list(self._events_of(self._database, told))
        except DatabaseUnavailable as error:
            logger.info("Flower is not told of %d files: %s", len(told), error)
            return
        if dropped := self._queue.take_dropped():
            logger.warning("Flower is not told of %d files: too many at a time.", dropped)
        try:
            self._send(events)
        except (KombuError, RedisError, OSError, AttributeError) as error:
            self._dispatcher = None
            if isinstance(error, AttributeError) and not is_lost_connection(error):
                raise
            if not self._is_away:
                logger.warning("Flower is told nothing while the broker is away: %s", error)
            self._is_away = True
        else:
            self._is_away = False

    def _send(self, events: Sequence[TaskEvent]) -> None:
        if self._dispatcher is None:
            self._dispatcher = current_app.events.Dispatcher(
                current_app.connection_for_write(),
                hostname=_worker_name[0] if _worker_name else None,
                buffer_while_offline=False,
            )
        dispatcher: Any = self._dispatcher
        for some in chunks(events, EVENTS_A_MESSAGE):
            # A list of events, as Celery's own buffer sends it; what all of them have is worked out once.
            together: Any = partial(_together, some)  # its stubs know of one event alone
            dispatcher.publish("task-multi", {}, dispatcher.publisher, Event=together)


def _together(events: Sequence[TaskEvent], _type: str, **common: Any) -> list[dict[str, Any]]:
    return [
        {"type": event.type, "timestamp": event.at.timestamp(), **common, **event.fields} for event in events
    ]
