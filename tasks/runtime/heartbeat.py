"""Who lives: each process says so, and all see whom they hear no more of.

A process that works on a task, and so may hold claims, says so once a second; one that has nothing to do,
every three seconds. With each heartbeat it looks at all others.

A lease says when a claim is over whose worker says nothing; it has to be long, for a busy database or a
lock must not end it. A process that was killed is known to be gone sooner: its heartbeat, a number in Redis
that it raises, stands still. What it had claimed is put back then, at once, under a new token; should it live
after all, it can write nothing, and it has been the owner of no channel for as long
(:mod:`greenroom.rate_limit.limiter`).

Each looks with its own clock, and at numbers alone: no two machines' clocks need agree. Whoever could not
look for a while (a frozen process, a Redis that was away) begins anew, and takes nobody for dead that it has
not watched standing still.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from greenroom.clock import boottime
from greenroom.errors import DatabaseUnavailable
from tasks.runtime.counter_store import CountWriter
from tasks.runtime.running import running_count
from tasks.sweep import claims_could_not_be_renewed, put_back_claims_of

if TYPE_CHECKING:
    from tasks.runtime.context import Context

logger = logging.getLogger(__name__)

#: In Redis: the heartbeats of all processes, each under its name.
HEARTBEATS = "greenroom:heartbeats"
#: Seconds between two heartbeats of a process that works on something; with each it looks at all others.
BEAT_SECONDS = 1.0
#: And of one that has nothing to do. It finds the dead within twice this time and once more, for which their
#: heartbeats have to stand still.
IDLE_BEAT_SECONDS = 3.0
#: Seconds for which a heartbeat stands still until its process is taken for dead.
SILENT_SECONDS = 6.0
#: Seconds between two looks, from which nothing that was seen before counts.
BLIND_SECONDS = 5.0


class PeerWatch:
    """What one process has seen of all heartbeats."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}
        self._looked_at = float("-inf")

    def silent_peers(self, beats: Mapping[str, int], *, at: float) -> list[str]:
        """Take in the present numbers.

        Args:
            beats: by process.
            at: when, in seconds of a clock that runs on while the machine sleeps.

        Returns:
            Whose stands still for so long that it is taken for dead.
        """
        if at - self._looked_at > BLIND_SECONDS:
            self._seen.clear()
        self._looked_at = at
        self._seen = {
            name: seen if (seen := self._seen.get(name)) and seen[0] == number else (number, at)
            for name, number in beats.items()
        }
        return [name for name, (_, since) in self._seen.items() if at - since >= SILENT_SECONDS]


class Heartbeat:
    """That of this process, and its look at those of others."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watch = PeerWatch()
        self._counts = CountWriter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin; the first one is said before anything can be claimed."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """End in good order: nobody is to look for claims of ours."""
        self._over.set()
        pipeline = self._context.redis.pipeline(transaction=False)
        pipeline.hdel(HEARTBEATS, self._context.worker)
        self._counts.add_to(pipeline, now=True)
        try:
            pipeline.execute()
        except RedisError as error:
            logger.info("The last heartbeat could not be taken back: %s", error)

    def _run(self) -> None:
        while not self._over.wait(beat_seconds()):
            try:
                self.beat()
            except Exception:
                # Without it this process would be taken for dead.
                logger.exception("A heartbeat failed, by a fault of Greenroom's own.")

    def beat(self) -> None:
        """Say that this process lives, and put back what those have claimed who do not."""
        context = self._context
        pipeline = context.redis.pipeline(transaction=False)
        pipeline.hincrby(HEARTBEATS, context.worker, 1)
        pipeline.hgetall(HEARTBEATS)
        pipeline.time()
        self._counts.add_to(pipeline, now=not running_count())
        try:
            _, beats, redis_time, *_ = pipeline.execute()
        except RedisError as error:
            logger.debug("No heartbeat: %s", error)
            self._counts.failed()
            return
        self._counts.written()
        if context.behind.note(context.clock, redis_time):
            # What was claimed or renewed a moment ago looks as if it were over, until it is renewed.
            claims_could_not_be_renewed(context, seconds=context.settings.lease_seconds)
        numbers = {_text(name): int(number) for name, number in beats.items()}
        silent = [name for name in self._watch.silent_peers(numbers, at=boottime()) if name != context.worker]
        if not silent:
            return
        try:
            put_back_claims_of(context, silent)
        except DatabaseUnavailable as error:
            logger.warning("What dead workers had claimed is not put back yet: %s", error)
            return
        try:
            context.redis.hdel(HEARTBEATS, *silent)
        except RedisError as error:
            logger.debug("Dead workers are found again: %s", error)


def beat_seconds() -> float:
    """Seconds until the next heartbeat of this process."""
    return BEAT_SECONDS if running_count() else IDLE_BEAT_SECONDS


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
