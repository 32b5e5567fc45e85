"""Dramatiq: an actor a file, two processes of eight threads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import Redis

from benchmarks.peers.contender import Contender, Stage, Work, python
from benchmarks.peers.services import await_ready, valkey, workers

PROCESSES, THREADS = 2, 8
TUNING = (
    f"{PROCESSES} processes of {THREADS} threads; `WindowRateLimiter(limit=25, window=1)` for each number"
)


class Dramatiq:
    """Actors, whose workers run."""

    def __init__(self, stage: Stage) -> None:
        # Not before the broker's address is known.
        from benchmarks.peers import dramatiq_app  # noqa: PLC0415 - see above

        self.app = dramatiq_app
        self._stage = stage

    def processes(self) -> Sequence[int]:
        """All are descendants."""
        return ()

    def add_numbers(self, keys: Sequence[str]) -> None:
        """It needs to know none."""

    def upload(self, work: Work) -> None:
        """Enqueue a message for each file."""
        actor = self.app.upload_paced if work.paced else self.app.upload
        for path, key in work.uploads(self._stage):
            actor.send(path, key)

    def more(self, what: str, **options: Any) -> dict[str, float]:
        """Nothing else."""
        raise NotImplementedError(what, options)


@contextmanager
def dramatiq_queue(stage: Stage) -> Iterator[Contender]:
    """Workers and their broker."""
    with valkey(stage.folder / "broker") as broker:
        os.environ["BENCH_BROKER"] = broker
        command = python(
            *("dramatiq", "benchmarks.peers.dramatiq_app"),
            *("--processes", str(PROCESSES), "--threads", str(THREADS)),
        )
        environment = stage.environment(BENCH_BROKER=broker)
        with workers([command], environment=environment, folder=stage.folder):
            dramatiq = Dramatiq(stage)
            with Redis.from_url(broker) as redis:

                def all_up() -> bool:
                    dramatiq.app.say_up.send()
                    return bool(redis.scard(dramatiq.app.UP) == PROCESSES)

                await_ready(all_up, stage.folder)
            yield dramatiq
