"""The Dramatiq application: an actor a file, with its own window rate limiter."""

from __future__ import annotations

import os
from http import HTTPStatus

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import WindowRateLimiter
from dramatiq.rate_limits.backends import RedisBackend
from redis import Redis

from benchmarks.peers.contender import LIMIT_PER_SECOND
from benchmarks.peers.sending import kept_session, send
from benchmarks.peers.window import sleep_to_next_second

BROKER = os.environ["BENCH_BROKER"]
#: Processes that have said that they are up.
UP = "bench-up"

broker = RedisBroker(url=BROKER)
dramatiq.set_broker(broker)
backend = RedisBackend(url=BROKER)


class Refused(Exception):
    """The endpoint answered 429; Dramatiq tries again."""


def _upload(path: str, key: str) -> None:
    if send(kept_session(), os.environ["BENCH_ENDPOINT"], path, key) == HTTPStatus.TOO_MANY_REQUESTS:
        raise Refused


def _upload_paced(path: str, key: str) -> None:
    limiter = WindowRateLimiter(backend, key, limit=LIMIT_PER_SECOND, window=1)
    while True:
        with limiter.acquire(raise_on_failure=False) as acquired:
            if acquired:
                _upload(path, key)
                return
        # Failing, and being tried again, costs a message each; the next window is known.
        sleep_to_next_second()


def _say_up() -> None:
    with Redis.from_url(BROKER) as redis:
        redis.sadd(UP, os.getpid())


upload = dramatiq.actor(_upload, actor_name="upload", min_backoff=1000, max_backoff=1000)
upload_paced = dramatiq.actor(_upload_paced, actor_name="upload_paced", min_backoff=1000, max_backoff=1000)
say_up = dramatiq.actor(_say_up, actor_name="say_up")
