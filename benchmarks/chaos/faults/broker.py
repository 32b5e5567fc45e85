"""The broker, which is also the Redis that holds the pace."""

from __future__ import annotations

import time
from contextlib import suppress

from redis.exceptions import RedisError

from benchmarks.chaos.run import BOTH, Run, fault
from benchmarks.chaos.stack import Embedded

AWAY_SECONDS = 60.0
FROZEN_SECONDS = 20.0
FULL_SECONDS = 10.0


def kill(run: Run, *, away: float) -> None:
    """``kill -9``, and started again after so many seconds."""
    if isinstance(run.stack, Embedded):
        run.embedded.kill_broker()
        return
    run.production.broker.kill()
    time.sleep(away)
    run.production.broker.start()


@fault("broker", "kill -9, three times", on=BOTH)
def kill_three_times(run: Run) -> None:
    """Its log is on disk."""
    for _ in range(3):
        with run.hit():
            kill(run, away=run.chance.uniform(0.2, 1.0))
        time.sleep(run.chance.uniform(0.5, 1.5))


@fault("broker", "FLUSHALL", on=BOTH)
def flush(run: Run) -> None:
    """Messages and paces are gone."""
    with run.hit(), run.stack.redis() as redis:
        redis.flushall()


@fault("broker", "connections cut while it lives", on=BOTH)
def cut(run: Run) -> None:
    """``CLIENT KILL`` to all of them, several times."""
    for _ in range(5):
        with run.hit(), run.stack.redis() as redis:
            redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes")
        time.sleep(run.chance.uniform(0.2, 0.6))


@fault("broker", "60 s away")
def away(run: Run) -> None:
    """Nobody listens at its port."""
    with run.hit():
        run.production.broker.kill()
    time.sleep(AWAY_SECONDS)
    run.production.broker.start()


@fault("broker", "out of memory for 10 s")
def out_of_memory(run: Run) -> None:
    """It reads, and refuses to write (`noeviction`)."""
    with run.stack.redis() as redis:
        with run.hit():
            redis.config_set("maxmemory", "1")
        time.sleep(FULL_SECONDS)
        redis.config_set("maxmemory", "0")


@fault("broker", "frozen for 20 s")
def freeze(run: Run) -> None:
    """It takes connections, and answers nothing."""
    with run.hit():
        frozen = run.production.broker.frozen()
        frozen.__enter__()
    try:
        time.sleep(FROZEN_SECONDS)
    finally:
        with suppress(RedisError):
            frozen.__exit__(None, None, None)
