"""One look at the database and at Redis, of which all metrics are made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from greenroom.clock import Clock
from greenroom.errors import DatabaseUnavailable
from greenroom.settings import Settings
from greenroom.task_names import Queue
from models import Database
from models.gauges import Gauges, read_gauges
from tasks.runtime.counter_store import read_counts
from tasks.runtime.heartbeat import HEARTBEATS
from tasks.runtime.tick import HEARTBEAT


@dataclass(frozen=True, kw_only=True)
class RedisState:
    """What Redis says.

    Attributes:
        counts: of all processes, by name and labels.
        heartbeats: by process.
        last_tick: of beat; None before the first.
        queued: messages, by queue; empty where the broker is another one.
    """

    counts: Mapping[str, int]
    heartbeats: Mapping[str, int]
    last_tick: datetime | None
    queued: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was seen at one moment; None of a part that did not answer.

    Attributes:
        at: when.
        seconds: how long it took.
        gauges: from the database.
        redis: from Redis.
    """

    at: datetime
    seconds: float
    gauges: Gauges | None
    redis: RedisState | None


def read_all(settings: Settings, database: Database, redis: Redis, clock: Clock) -> Reading:
    """Look at both; raises nothing where one of them is away."""
    began_at, now = time.monotonic(), clock.now()
    gauges = state = None
    # Also where the tables are not there, or not to be read by this user.
    with suppress(DatabaseUnavailable, DBAPIError), database.read() as connection:
        gauges = read_gauges(connection, now=now, rules_of=settings.life_rules)
    with suppress(RedisError):
        state = _read_redis(redis, own_broker=settings.broker_url is None)
    return Reading(at=now, seconds=time.monotonic() - began_at, gauges=gauges, redis=state)


def _read_redis(redis: Redis, *, own_broker: bool) -> RedisState:
    pipeline = redis.pipeline(transaction=False)
    pipeline.hgetall(HEARTBEATS)
    pipeline.get(HEARTBEAT)
    queues = list(Queue) if own_broker else []
    for queue in queues:
        pipeline.llen(str(queue))
    beats, tick, *lengths = pipeline.execute()
    return RedisState(
        counts=read_counts(redis),
        heartbeats={name.decode(errors="replace"): int(number) for name, number in beats.items()},
        last_tick=datetime.fromisoformat(tick.decode()) if tick else None,
        queued=dict(zip(map(str, queues), lengths, strict=True)),
    )
