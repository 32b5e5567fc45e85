"""Whether a worker consumes, and beat ticks: a file that each touches for as long as it does.

A process that is there may do nothing: frozen, hung, or without its broker. A worker touches its file from
the very loop that takes messages, while it is connected; beat, when the broker has taken a tick. So whoever
looks at the file's age (`docker-compose.yml` does, by `find`) needs neither Python nor the broker.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps
from celery.signals import after_task_publish, beat_init, celeryd_init

logger = logging.getLogger(__name__)

#: Seconds between two touches.
TOUCH_SECONDS = 5.0


class HealthFile:
    """The file of this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._touched_at = float("-inf")

    def touch(self) -> None:
        """Say that it is well; one that cannot be written says the opposite, once in the log."""
        self._touched_at = time.monotonic()
        try:
            self._path.touch()
        except OSError as error:
            logger.error("The health file %s cannot be touched: %s", self._path, error.strerror)

    def touch_if_old(self) -> None:
        """The same, where that is not just now."""
        if time.monotonic() - self._touched_at >= TOUCH_SECONDS:
            self.touch()


def consumer_step(file: HealthFile) -> type[bootsteps.StartStopStep]:
    """A part of a worker's consumer that touches the file while messages can come."""

    class ConsumesMessages(bootsteps.StartStopStep):
        """Started when the connection stands, stopped when it is lost."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, consumer: Any, **_: Any) -> None:
            super().__init__(consumer)
            self._timer: Any = None

        def start(self, consumer: Any) -> None:
            """Touch it now, and from the loop of the consumer from now on."""
            file.touch()
            self._timer = consumer.timer.call_repeatedly(TOUCH_SECONDS, file.touch)

        def stop(self, _consumer: Any) -> None:
            """Touch it no more."""
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return ConsumesMessages


def keep_health_file(app: Celery, path: Path) -> None:
    """Have workers and beat of this app touch a file.

    Args:
        app: before any of them is made.
        path: of the file; each process has one of its own.
    """
    file = HealthFile(path)

    def of_worker(**_: Any) -> None:
        app.steps["consumer"].add(consumer_step(file))

    def of_beat(**_: Any) -> None:
        after_task_publish.connect(lambda **_: file.touch_if_old(), weak=False)

    celeryd_init.connect(of_worker, weak=False)
    beat_init.connect(of_beat, weak=False)
