"""RQ: a job a file, four workers that do not fork for each job, results thrown away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import Redis

from benchmarks.peers.contender import Contender, Stage, Work, python
from benchmarks.peers.services import await_ready, valkey, workers

#: A worker does one job at a time, and sleeps where the job does.
WORKERS = 8
TUNING = f"{WORKERS} `SimpleWorker`s, no results; a count for each second in Redis, for each number"


class Rq:
    """A queue, whose workers run."""

    def __init__(self, stage: Stage, redis: Redis) -> None:
        from rq import Queue  # noqa: PLC0415 - only where it is compared with

        self._queue = Queue("uploads", connection=redis)
        self._stage = stage

    def processes(self) -> Sequence[int]:
        """All are descendants."""
        return ()

    def add_numbers(self, keys: Sequence[str]) -> None:
        """It needs to know none."""

    def upload(self, work: Work) -> None:
        """Enqueue a job for each file."""
        job = f"benchmarks.peers.rq_jobs.{'upload_paced' if work.paced else 'upload'}"
        for path, key in work.uploads(self._stage):
            self._queue.enqueue(job, path, key, result_ttl=0)

    def more(self, what: str, **options: Any) -> dict[str, float]:
        """Nothing else."""
        raise NotImplementedError(what, options)


@contextmanager
def rq_queue(stage: Stage) -> Iterator[Contender]:
    """Workers and their broker."""
    from rq import Worker  # noqa: PLC0415 - only where it is compared with

    with valkey(stage.folder / "broker") as broker, Redis.from_url(broker) as redis:
        # As shipped, a worker forks for each job; this one does not, and is several times as fast.
        command = python(
            *("rq.cli", "worker", "uploads", "--url", broker, "--quiet"),
            *("--worker-class", "rq.worker.SimpleWorker"),
        )
        environment = stage.environment(BENCH_BROKER=broker)
        with workers([command] * WORKERS, environment=environment, folder=stage.folder):
            await_ready(lambda: Worker.count(connection=redis) == WORKERS, stage.folder)
            yield Rq(stage, redis)
