"""What workers and beat log in production: JSON lines that say what they are about, and none for nothing."""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from greenroom.client import Greenroom
from greenroom.errors import UnknownName
from greenroom.log_fields import about, bound_fields, fields_of, logged_about
from greenroom.manifest import ManifestItem
from greenroom.vault import new_secret_key
from tasks.runtime.tick import HEARTBEAT
from tests.support.production import CHANNEL, Production, plan, wait_for
from worker.logs import IdleTicks


@pytest.fixture
def running(tmp_path: Path, migrated_sqlite: Path, redis: Redis, redis_url: str) -> Iterator[Production]:
    """A worker and beat, whose logs are files."""
    shutil.copy(migrated_sqlite, tmp_path / "greenroom.db")
    made = Production(
        tmp_path,
        {
            "GREENROOM_DATABASE_URL": f"sqlite:///{tmp_path / 'greenroom.db'}",
            "GREENROOM_REDIS_URL": redis_url,
            "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
            "GREENROOM_DISPATCH_EVERY": "0.2",
            # Celery warns whoever runs it as root, as tests may.
            "PYTHONWARNINGS": "ignore",
        },
        loglevel="INFO",
    )
    made.start("worker", "-Q", "control,upload,inspection", "--pool", "threads", "-c", "2")
    made.start("beat", "--schedule", str(tmp_path / "schedule"))
    yield made
    made.stop()
    redis.flushdb()


def lines(running: Production) -> list[dict[str, Any]]:
    """All that was logged; each line has to be an object."""
    every = running.logs().splitlines()
    assert [line for line in every if not line.startswith("{")] == []
    return [json.loads(line) for line in every]


def ticks(redis: Redis, count: int) -> None:
    """Wait until beat has ticked so often."""
    for _ in range(count):
        before = redis.get(HEARTBEAT)
        wait_for(lambda before=before: redis.get(HEARTBEAT) != before)  # type: ignore[misc]  # bound at once


def test_ticks_that_find_nothing_leave_nothing(running: Production, redis: Redis) -> None:
    """Neither where they are sent, nor where they are done; what is started says so, as JSON."""
    ticks(redis, 5)
    logged = lines(running)
    assert any(line["message"].endswith(" ready.") for line in logged)
    assert any(line["message"].startswith("beat: Starting") for line in logged)
    said = [line for line in logged if "media." in line["message"]]
    assert said == []
    for line in logged:
        assert datetime.fromisoformat(line["time"]).tzinfo == UTC
        assert {"level", "logger", "process", "message"} <= line.keys()


def test_a_channel_that_is_not_known_costs_one_line(running: Production, redis_url: str) -> None:
    """Without a traceback; it says which task it was."""
    client = Greenroom(redis_url)
    try:
        with pytest.raises(UnknownName):
            client.add_items(plan("spring"), [ManifestItem(ref="a", source="/a.jpg")])
    finally:
        client.close()
    wait_for(lambda: CHANNEL in running.logs())
    (line,) = [line for line in lines(running) if CHANNEL in line["message"]]
    assert line["level"] == "WARNING"
    assert line["task"] == "media.prepare"
    assert line["task_id"]
    assert "exception" not in line
    assert "\n" not in line["message"]


def a_record(**extra: Any) -> logging.LogRecord:
    """As a logger makes it."""
    record = logging.LogRecord("a", logging.INFO, "a.py", 1, "a sentence", (), None)
    record.__dict__.update(extra)
    return record


def test_a_line_is_about_what_is_bound_and_what_it_says_itself() -> None:
    """The line wins; what is None is left out; another thread begins with nothing."""
    with logged_about(task="media.upload", attempt=1):
        with logged_about(channel="49", task=None):
            assert fields_of(a_record(**about(file="a.jpg", attempt=3))) == {
                "attempt": 3,
                "channel": "49",
                "file": "a.jpg",
            }
        assert bound_fields() == {"task": "media.upload", "attempt": 1}
        seen: list[Any] = []
        thread = threading.Thread(target=lambda: seen.append(fields_of(a_record())))
        thread.start()
        thread.join()
        assert seen == [{}]
    assert bound_fields() == {}


@pytest.mark.parametrize(
    ("name", "returned", "passes"),
    [
        ("media.sweep", "''", False),
        ("media.sweep", "'3 uploads are back'", True),
        ("media.prepare", "''", True),
    ],
)
def test_a_tick_that_did_something_is_logged(name: str, returned: str, *, passes: bool) -> None:
    """As Celery says it; other tasks always."""
    record = a_record(data={"name": name, "id": "an-id", "return_value": returned})
    assert IdleTicks(frozenset({"media.sweep", "media.foresee"})).filter(record) is passes
