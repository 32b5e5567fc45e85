"""The pace that recipes show for any queue: a count for each second of the clock, in Redis.

Twenty-five at the end of one second and twenty-five at the beginning of the next are fifty within one.
"""

from __future__ import annotations

import time

from redis import Redis

from benchmarks.peers.contender import LIMIT_PER_SECOND


def wait_for_window(redis: Redis, key: str) -> None:
    """Sleep until the present second has room."""
    while True:
        name = f"{key}:{int(time.time())}"
        with redis.pipeline() as pipe:
            pipe.incr(name)
            pipe.expire(name, 5)
            count, _ = pipe.execute()
        if count <= LIMIT_PER_SECOND:
            return
        sleep_to_next_second()


def sleep_to_next_second() -> None:
    """Until the clock's next second begins."""
    time.sleep(1 - time.time() % 1)
