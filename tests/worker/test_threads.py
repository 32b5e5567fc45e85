"""A pool of threads has all of them before there is work: none has to be started when memory is short."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from celery.concurrency.thread import TaskPool

from worker import signals
from worker.signals import start_all_threads, watch_the_others

THREADS = 4


def test_work_goes_on_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery ends where it cannot, and stands still where the thread finds no memory to say that it runs."""
    pool: Any = TaskPool(THREADS)
    try:
        start_all_threads(sender=SimpleNamespace(pool=pool))

        def start(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", start)
        together = threading.Barrier(THREADS)
        jobs = [pool.executor.submit(together.wait, 30) for _ in range(THREADS)]
        assert sorted(job.result(30) for job in jobs) == list(range(THREADS))
    finally:
        pool.on_stop()


@pytest.mark.parametrize(("pool", "times"), [(TaskPool(1), 1), (object(), 0)])
def test_a_worker_watches_the_others_from_its_start(
    monkeypatch: pytest.MonkeyPatch, pool: object, times: int
) -> None:
    """Where tasks run in this very process; pool processes are made to be forked, and begin by themselves."""
    made: list[None] = []
    monkeypatch.setattr(signals, "current_context", lambda: made.append(None))
    watch_the_others(sender=SimpleNamespace(pool=pool))
    assert len(made) == times
