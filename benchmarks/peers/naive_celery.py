"""Celery as most would set it up: a task a file, `rate_limit`, prefork, results ignored."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from benchmarks.peers.contender import Contender, Stage, Work, python
from benchmarks.peers.services import await_ready, valkey, workers

#: Of each worker: enough for 25 uploads a second at 100 ms, and no more than two cores have use for.
CONCURRENCY = 4
APP = "benchmarks.peers.celery_app"
TUNING = f"prefork, {CONCURRENCY} processes a worker, a task a file, no results; `rate_limit='25/s'`"


class NaiveCelery:
    """An application, whose workers run."""

    def __init__(self, stage: Stage) -> None:
        # Not before the broker's address is known.
        from benchmarks.peers import celery_app  # noqa: PLC0415 - see above

        self.app = celery_app.app
        self._stage = stage
        self._tasks = celery_app

    def processes(self) -> Sequence[int]:
        """All are descendants."""
        return ()

    def add_numbers(self, keys: Sequence[str]) -> None:
        """It needs to know none."""

    def upload(self, work: Work) -> None:
        """Enqueue a task for each file."""
        task = self._tasks.upload_paced if work.paced else self._tasks.upload
        for path, key in work.uploads(self._stage):
            task.delay(path, key)

    def more(self, what: str, **options: Any) -> dict[str, float]:
        """Measure how fast tasks are enqueued, where no worker takes them."""
        if what != "enqueue":
            raise NotImplementedError(what)
        files = int(options["files"])
        started = time.monotonic()
        for number in range(files):
            path = self._stage.files[number % len(self._stage.files)]
            self._tasks.upload.apply_async((path, "key"), queue="parked")
        return {"files": files, "seconds": time.monotonic() - started}


def naive_celery(count: int, *, corrected: bool) -> Callable[[Stage], AbstractContextManager[Contender]]:
    """So many workers, with Celery's consumer as it is shipped or corrected."""

    @contextmanager
    def contender(stage: Stage) -> Iterator[Contender]:
        with valkey(stage.folder / "broker") as broker:
            own = {"BENCH_BROKER": broker, "BENCH_CORRECTED": "1" if corrected else "0"}
            os.environ.update(own)
            commands = [
                python(
                    *("celery", "--quiet", "-A", APP, "worker", "--hostname", f"naive-{number}@localhost"),
                    *("--concurrency", str(CONCURRENCY), "--loglevel", "WARNING"),
                    *("--without-gossip", "--without-mingle"),
                )
                for number in range(count)
            ]
            with workers(commands, environment=stage.environment(**own), folder=stage.folder):
                celery = NaiveCelery(stage)
                await_ready(lambda: len(celery.app.control.ping(timeout=0.3) or ()) == count, stage.folder)
                yield celery

    return contender


one_worker = naive_celery(1, corrected=False)
two_workers = naive_celery(2, corrected=False)
one_corrected_worker = naive_celery(1, corrected=True)
two_corrected_workers = naive_celery(2, corrected=True)
