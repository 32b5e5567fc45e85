"""A task that hangs in a pool of threads: the worker says so and ends, and loses nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from redis import Redis

from greenroom.vault import new_secret_key
from tests.support.command import environment
from tests.support.poison import message
from tests.support.production import PATIENCE
from worker.hung import EXIT_CODE

#: A worker whose sweeps hang, and whose limits are short.
WORKER = """
import threading, worker
from tasks import sweep
from worker import hung
hung.TASK_TIME_LIMIT, hung.LOOK_EVERY = 0.5, 0.1
sweep.sweep = lambda _context: threading.Event().wait()
worker.app.worker_main(["worker", "-Q", "control", "--pool", "threads", "-c", "2", "--loglevel", "INFO"])
"""


def test_a_worker_with_a_thread_that_hangs_is_replaced(
    tmp_path: Path, migrated_sqlite: Path, redis: Redis, redis_url: str
) -> None:
    """With one line that says what and why, and a code by which supervisors start another one."""
    shutil.copy(migrated_sqlite, tmp_path / "greenroom.db")
    redis.lpush("control", json.dumps(message(id="a-task-that-hangs")))
    ended = subprocess.run(
        [sys.executable, "-c", WORKER],
        cwd=tmp_path,
        env=environment(
            GREENROOM_DATABASE_URL=f"sqlite:///{tmp_path / 'greenroom.db'}",
            GREENROOM_REDIS_URL=redis_url,
            GREENROOM_SECRET_KEY=new_secret_key().get_secret_value(),
        ),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == EXIT_CODE, ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if "CRITICAL" in line]
    assert "media.sweep has hung for" in line
    # Its message is for another worker, at once.
    assert [json.loads(item)["headers"]["id"] for item in redis.lrange("control", 0, -1)] == [
        "a-task-that-hangs"
    ]
    assert not redis.hlen("unacked")
