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

from greenroom.answers import ResultRecord, TaskFailure
from greenroom.client import Greenroom
from greenroom.errors import UnknownName
from greenroom.settings import Settings
from greenroom.task_names import TASK_TIME_LIMIT, TaskName
from greenroom.vault import new_secret_key
from tests.support.poison import POISON, message
from tests.support.production import PATIENCE, Production, wait_for
from worker.configuration import configuration
from worker.quarantine import Poison, check_task, unpacked

LINE = re.compile(r'"level": "ERROR", .*A message of queue \S+ was thrown away: ')


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


#: What a program that is not Python writes at its first try: body, and headers.
FIRST_TRIES: dict[str, dict[str, Any]] = {
    "kwargs that are null": message([["sale", []], None, {}], task="media.resolve"),
    "no kwargs": message([["sale", []]], task="media.resolve"),
    "args that are null": message([None, {}, {}], task="media.resolve"),
    "a body that is an object": message({"args": ["sale", []]}, task="media.resolve"),
    "a body that is no JSON": message(raw_body=b"{", task="media.status"),
    "an unknown task": message([[], {}, {}], task="media.destroy"),
    "an eta that is no moment": message([["sale"], {}, {}], task="media.status", eta="soon"),
    "too few arguments": message([["sale"], {}, {}], task="media.resolve"),
    "an unknown campaign": message([["sale"], {}, {}], task="media.status"),
}


def failure_of(redis: Redis, task_id: str) -> ResultRecord:
    """How a task failed, as whoever waits for it reads it."""
    key = f"celery-task-meta-{task_id}"
    found: list[ResultRecord] = []

    def failed() -> bool:
        value = redis.get(key)
        if value is not None:
            found.append(ResultRecord.model_validate_json(value))
        return bool(found) and found[-1].status == "FAILURE"

    wait_for(failed)
    assert 0 < redis.ttl(key) <= 3600
    return found[-1]


def test_whoever_waits_for_an_answer_is_told(worker: Production, redis: Redis) -> None:
    """A message that cannot be worked on fails, as one whose arguments are wrong does; and in one form."""
    for number, item in enumerate(FIRST_TRIES.values()):
        item["headers"]["id"] = f"try-{number}"
        redis.lpush("control", json.dumps(item))
    # Nobody waits for what beat sends, nor where the sender says so.
    for number, item in enumerate((message(7), message(7, task="media.status", ignore_result=True))):
        item["headers"]["id"] = f"silent-{number}"
        redis.lpush("control", json.dumps(item))
    told = {name: failure_of(redis, f"try-{number}") for number, name in enumerate(FIRST_TRIES)}
    # Two were messages that a worker can read, and two more than these were not.
    wait_for(lambda: worker.logs().count("was thrown away") == len(FIRST_TRIES) - 2 + 2)
    failures = {name: record.result for name, record in told.items()}
    assert all(isinstance(failure, TaskFailure) for failure in failures.values())
    kinds = {name: failure.exc_type for name, failure in failures.items()}
    assert kinds == {**dict.fromkeys(FIRST_TRIES, "MessageRefused"), "an unknown campaign": "UnknownName"}
    assert "({} for none)" in failures["kwargs that are null"].exc_message[0]
    assert not redis.exists("celery-task-meta-silent-0", "celery-task-meta-silent-1")


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
        app.task(name=TaskName.REFRESH)(test_what_celery_writes_is_taken).apply_async(
            **app.conf.beat_schedule[TaskName.REFRESH]["options"]
        )
        item = redis.lpop("control")
    finally:
        app.close()
    assert isinstance(item, bytes)
    headers = unpacked(item)["headers"]
    body: list[Any] = [[], {}, {}]
    assert headers["timelimit"] == [TASK_TIME_LIMIT, None]
    assert check_task(headers, body) == TaskName.REFRESH
    with pytest.raises(Poison, match="timelimit"):
        check_task({**headers, "timelimit": [1, None]}, body)
