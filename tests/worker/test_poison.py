"""Messages that nobody can work on: each costs one line, and a worker continues with all others."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from redis import Redis

from greenroom.client import Greenroom
from greenroom.errors import UnknownName
from greenroom.settings import Settings
from greenroom.task_names import TASK_TIME_LIMIT, TaskName
from greenroom.vault import new_secret_key
from tests.support.poison import POISON, message
from tests.worker.test_production import PATIENCE, Production, wait_for
from worker.configuration import configuration
from worker.quarantine import Poison, check_task, unpacked

LINE = re.compile(r"ERROR .*A message of queue \S+ was thrown away: ")


def done(worker: Production) -> int:
    """How many of the good messages were worked on."""
    return len(re.findall(r"media.mark_used\[\S+\] succeeded", worker.logs()))


@pytest.fixture
def worker(tmp_path: Path, migrated_sqlite: Path, redis: Redis, redis_url: str) -> Iterator[Production]:
    """One worker for all queues."""
    shutil.copy(migrated_sqlite, tmp_path / "greenroom.db")
    running = Production(
        tmp_path,
        {
            "GREENROOM_DATABASE_URL": f"sqlite:///{tmp_path / 'greenroom.db'}",
            "GREENROOM_REDIS_URL": redis_url,
            "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
        },
    )
    queues = ("-Q", "upload,control,inspection", "--pool", "threads", "-c", "4")
    try:
        running.start("worker", *queues, "--hostname", "all@test", "--without-mingle", "--without-gossip")
        yield running
    finally:
        running.stop()
        redis.flushdb()


def test_poison_costs_one_line_and_nothing_else(worker: Production, redis: Redis, redis_url: str) -> None:
    """A real worker; between any two of them comes a message that is done."""
    client = Greenroom(redis_url, timeout=PATIENCE)
    try:
        for item in POISON.values():
            redis.lpush("control", item)
            client.mark_used([("49", "an-id", datetime.now(UTC))])
        # Remote control goes to everybody who listens.
        wait_for(lambda: bool(redis.publish("/0.celery.pidbox", b"5")))
        assert redis.publish("/0.celery.pidbox", b"[" * 100_000)
        # It lives, and answers; what is its sender's fault has one line, too.
        with pytest.raises(UnknownName, match="not known here"):
            client.resolve("nobody", ["a"])
        wait_for(lambda: done(worker) == len(POISON))
        wait_for(lambda: not redis.hlen("unacked") and not redis.llen("control"))
    finally:
        client.close()
    assert worker.processes[0].poll() is None
    worker.processes[0].send_signal(signal.SIGTERM)
    worker.processes[0].wait(PATIENCE)
    logs = worker.logs()
    thrown_away = [line for line in logs.splitlines() if LINE.search(line)]
    assert len(thrown_away) == len(POISON) + 2, "\n".join(line[:200] for line in thrown_away)
    assert max(map(len, thrown_away)) < 700
    assert "Traceback" not in logs
    assert "CRITICAL" not in logs


def test_what_celery_writes_is_taken() -> None:
    """As it stands, with what a retry adds, and with headers that are not known yet."""
    now = datetime(2026, 12, 1, 9, tzinfo=UTC)
    whole = unpacked(json.dumps(message()).encode())
    body = [[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    retried: dict[str, Any] = {
        "eta": "2026-12-01T09:00:20.5+00:00",
        "retries": 12,
        "timelimit": [None, None],
        "newer": {},
    }
    late: dict[str, Any] = {"expires": "2026-12-01T08:00:00"}
    stamped: dict[str, Any] = {"stamps": {}, "stamped_headers": None}
    for more in (late, retried, stamped):
        assert check_task({**whole["headers"], **more}, body, now=now) == "media.sweep"


def test_what_beat_sends_is_taken(redis: Redis, redis_url: str) -> None:
    """Celery puts the configured time limit into messages; a shorter one is poison."""
    settings = Settings.model_validate(
        {"database_url": "sqlite:///none.db", "redis_url": redis_url, "secret_key": new_secret_key()}
    )
    app = Celery("beat", set_as_current=False)
    app.conf.update(configuration(settings))
    try:
        app.task(name=TaskName.SWEEP)(test_what_celery_writes_is_taken).apply_async(
            **app.conf.beat_schedule[TaskName.SWEEP]["options"]
        )
        item = redis.lpop("control")
    finally:
        app.close()
    assert isinstance(item, bytes)
    headers = unpacked(item)["headers"]
    body: list[Any] = [[], {}, {}]
    assert headers["timelimit"] == [TASK_TIME_LIMIT, None]
    assert check_task(headers, body) == TaskName.SWEEP
    with pytest.raises(Poison, match="timelimit"):
        check_task({**headers, "timelimit": [1, None]}, body)
