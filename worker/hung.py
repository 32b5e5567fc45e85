"""A thread that hangs cannot be ended; so its whole process is, and whoever runs it starts another one.

Celery ends a pool process whose task is over its time limit, and has no such limit for a pool of threads.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from celery import bootsteps
from celery.concurrency.thread import TaskPool
from celery.worker import state

from greenroom.task_names import TASK_TIME_LIMIT
from tasks.runtime import running
from tasks.runtime.context import stop_soon

logger = logging.getLogger(__name__)

#: Seconds between two looks.
HUNG_CHECK_SECONDS = 5.0
#: Seconds that all other tasks of the process have to end.
GRACE = 60.0
#: The state of a consumer that has ended; its stubs do not know it.
TERMINATE: int = vars(bootsteps)["TERMINATE"]
#: "An internal software error has been detected." (sysexits.h)
EXIT_CODE = 70


def watch_threads(consumer: Any) -> None:
    """Begin to look after the tasks of a worker, where its pool is one of threads."""
    if isinstance(consumer.pool, TaskPool):
        threading.Thread(target=_watch, args=(consumer,), name="hung", daemon=True).start()


def _watch(consumer: Any) -> None:
    while not (hung := running.longer_than(TASK_TIME_LIMIT)):
        time.sleep(HUNG_CHECK_SECONDS)
    name, seconds = max(hung, key=lambda one: one[1])
    logger.critical(
        "%s has hung for %.0f s, in a thread that cannot be ended: this worker ends with exit code %d. What "
        "runs it has to start another one; its files and messages go to others.",
        *(name, seconds, EXIT_CODE),
    )
    stop_soon()
    # The consumer looks at this at each turn of its loop: it takes nothing more, and waits for its tasks.
    vars(state)["should_stop"] = EXIT_CODE
    others_end_by = time.monotonic() + GRACE
    while _others_run(consumer, len(hung)) and time.monotonic() < others_end_by:
        time.sleep(min(HUNG_CHECK_SECONDS, 1.0))
    _end(consumer)


def _others_run(consumer: Any, hung: int) -> bool:
    """Whether tasks besides the hung ones run, or the consumer may still take one."""
    return running.running_count() > hung or consumer.blueprint.state != TERMINATE


def _end(consumer: Any) -> None:
    """End the process, its threads with it, when what it has not acknowledged is back in its queues."""
    try:
        # It also reads what the broker was asked for last: that would be lost.
        consumer.connection.default_channel.close()
    except Exception as error:  # noqa: BLE001 - it ends in any case; without this, they come after two hours
        logger.warning("Messages could not be put back into their queues: %s", type(error).__name__)
    logging.shutdown()
    os._exit(EXIT_CODE)
