"""What RQ's workers run: a job a file. RQ has no limiter of its own; the job counts in Redis."""

from __future__ import annotations

import os
import time
from functools import cache
from http import HTTPStatus

from redis import Redis

from benchmarks.peers.sending import kept_session, send
from benchmarks.peers.window import wait_for_window


@cache
def _redis() -> Redis:
    return Redis.from_url(os.environ["BENCH_BROKER"])


def upload(path: str, key: str) -> None:
    """Upload a file."""
    while send(kept_session(), os.environ["BENCH_ENDPOINT"], path, key) == HTTPStatus.TOO_MANY_REQUESTS:
        time.sleep(1)


def upload_paced(path: str, key: str) -> None:
    """Upload a file within the limit."""
    wait_for_window(_redis(), key)
    upload(path, key)
