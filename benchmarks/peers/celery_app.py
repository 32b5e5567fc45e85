"""The naive Celery application: a task a file, and Celery's own `rate_limit`.

With BENCH_CORRECTED=1 the consumer is :class:`OneTimerConsumer`, which a user sets by ``worker_consumer``.
"""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import Any

from celery import Celery, Task
from celery.worker.consumer import Consumer

from benchmarks.peers.contender import LIMIT_PER_SECOND
from benchmarks.peers.sending import kept_session, send

app = Celery("naive", broker=os.environ.get("BENCH_BROKER"))
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


class OneTimerConsumer(Consumer):
    """Celery's consumer with one timer for each rate-limited task type, not one for each task that waits.

    As shipped (5.7), every rate-limited task that has to wait sets a timer of its own, each sets itself anew
    for as long as any task of its type waits, and all of them are due at the same moment. The event loop
    fires ten timers at a time and then, if the tenth was due, takes it that nothing is: it waits for a
    second, unless a socket has news. So a worker that has been given more than ten limited tasks falls to
    one or two a second.
    """

    def _limit_task(self, request: Any, bucket: Any, tokens: int) -> None:
        timer_is_set = bool(bucket.contents)
        bucket.add((request, tokens))
        if not timer_is_set:
            self._schedule_bucket_request(bucket)  # type: ignore[attr-defined] # the types leave it out


if os.environ.get("BENCH_CORRECTED") == "1":
    app.conf.worker_consumer = OneTimerConsumer


def _upload(task: Task[Any, Any], path: str, key: str) -> None:
    if send(kept_session(), os.environ["BENCH_ENDPOINT"], path, key) == HTTPStatus.TOO_MANY_REQUESTS:
        raise task.retry(countdown=1, max_retries=None)


@app.task(name="upload", bind=True)
def upload(self: Task[Any, Any], path: str, key: str) -> None:
    """Upload a file."""
    _upload(self, path, key)


@app.task(name="upload_paced", bind=True, rate_limit=f"{LIMIT_PER_SECOND}/s")
def upload_paced(self: Task[Any, Any], path: str, key: str) -> None:
    """Upload a file at the limit's pace, which each worker keeps for itself."""
    _upload(self, path, key)
