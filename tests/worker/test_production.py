"""Workers and beat as in production: PostgreSQL, `celery -A worker`, a scheduler, and what Flower sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import text

from examples import spring_sale
from greenroom.client import Greenroom
from greenroom.folder_items import items_of_paths
from greenroom.manifest import CampaignPlan, parse_plan
from greenroom.vault import new_secret_key
from models import Base, Database
from models.progress import campaign_progress
from sandbox.testing import RunningSandbox
from tests.support.command import COMMAND, environment

KEY = "canary-production-key-93b1"
CHANNEL = "4915112345678"
PATIENCE = 90.0


class Production:
    """Processes started as an operator starts them, with their settings in the environment."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment(**settings)
        self.database = Database(SecretStr(settings["GREENROOM_DATABASE_URL"]))
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> None:
        """Start a part of Celery's in the background, its log in the folder."""
        log = (self.folder / f"{words[0]}-{len(self.processes)}.log").open("wb")
        with log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "celery", "-A", "worker", *words, "--loglevel", "DEBUG"],
                    cwd=self.folder,
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def greenroom(self, *words: str, **more: str) -> str:
        """What the command prints."""
        result = subprocess.run(
            [*COMMAND, *words],
            cwd=self.folder,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        return result.stdout + result.stderr

    def settled(self, campaign_id: str) -> bool:
        """Whether nothing of a campaign waits any more."""
        with self.database.read() as connection:
            progress = campaign_progress(connection, campaign_id, now=datetime.now(UTC))
        return 0 < progress.total == progress.settled

    def logs(self) -> str:
        """All that was logged."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))

    def stop(self) -> None:
        """End everybody."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.database.close()


def wait_for(reached: Callable[[], bool]) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)  # between two looks at other processes; nothing is timed by it


@pytest.fixture
def production(
    tmp_path: Path, migrated_postgres: str, redis: Redis, redis_url: str
) -> Iterator[tuple[Production, RunningSandbox]]:
    """A worker for each sort of work, and beat, on an empty PostgreSQL."""
    database = Database(SecretStr(migrated_postgres))
    with database.write() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY CASCADE"))
    database.close()
    with RunningSandbox() as sandbox:
        running = Production(
            tmp_path,
            {
                "GREENROOM_DATABASE_URL": migrated_postgres,
                "GREENROOM_REDIS_URL": redis_url,
                "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
                "GREENROOM_API_BASE_URL": sandbox.url,
                "GREENROOM_MEDIA_ROOTS": str(tmp_path),
            },
        )
        try:
            uploading = ("-Q", "upload,control", "--pool", "threads", "-c", "8")
            running.start("worker", *uploading, "--hostname", "upload@test")
            running.start("worker", "-Q", "inspection", "-c", "1", "--hostname", "inspect@test")
            running.start("beat", "--schedule", str(tmp_path / "beat"))
            yield running, sandbox
        finally:
            running.stop()
            redis.flushdb()


class Events:
    """Everything that Flower gets to see."""

    def __init__(self, redis_url: str) -> None:
        self.seen: list[dict[str, Any]] = []
        self._app = Celery(broker=redis_url, set_as_current=False)
        self._connection = self._app.connection_for_read()
        self._receiver = self._app.events.Receiver(self._connection, handlers={"*": self.seen.append})
        self._thread = threading.Thread(target=self._capture, daemon=True)
        self._thread.start()

    def _capture(self) -> None:
        self._receiver.capture(limit=None, timeout=None, wakeup=True)

    def close(self) -> None:
        """Stop listening."""
        self._receiver.should_stop = True
        self._thread.join(10)
        self._connection.close()
        self._app.close()


def plan(campaign_id: str) -> CampaignPlan:
    """A campaign of now."""
    now = datetime.now(UTC)
    return parse_plan(
        {
            "id": campaign_id,
            "channel": CHANNEL,
            "send_at": now + timedelta(hours=1),
            "keep_until": now + timedelta(days=2),
        }
    )


def test_a_scheduler_hands_over_resolves_and_reports_use(
    production: tuple[Production, RunningSandbox], redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    """The whole way, by the broker alone; operators see what happens, and nobody sees the key."""
    running, sandbox = production
    assert "is ready for campaigns" in running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    media = tmp_path / "media"
    spring_sale.make(media)
    items = items_of_paths([media])
    events = Events(redis_url)
    client = Greenroom(redis_url, timeout=PATIENCE)
    try:
        assert client.add_items(plan("sale"), items) == len(items)
        wait_for(lambda: running.settled("sale"))
        ids = client.resolve("sale", [item.ref for item in items])
        assert set(ids.values()) == set(sandbox.live_media_ids(KEY))
        assert len(ids) == len(items) - len(spring_sale.BAD)
        used_at = datetime.now(UTC)
        client.mark_used([(CHANNEL, media_id, used_at) for media_id in ids.values()])
        wait_for(lambda: used(running) == len(ids))
        doctor = running.greenroom("doctor")
        assert "✗" not in doctor, doctor
        wait_for(lambda: bool(of_type(events, "task-succeeded")))
    finally:
        client.close()
        events.close()
    uploads = [event for event in of_type(events, "task-received") if event["name"] == "media.upload"]
    assert uploads
    assert all(event["args"].endswith(f"on {CHANNEL}") for event in uploads)
    assert of_type(events, "task-sent")
    everything = [running.logs(), repr(events.seen), *dump_of(redis), running.greenroom("doctor")]
    assert all(KEY not in piece for piece in everything)


def used(running: Production) -> int:
    """How many media have a last use."""
    with running.database.read() as connection:
        statement = text("SELECT count(*) FROM media WHERE last_used_at IS NOT NULL")
        count: int = connection.execute(statement).scalar_one()
    return count


def of_type(events: Events, kind: str) -> list[dict[str, Any]]:
    """The events of one sort."""
    return [event for event in list(events.seen) if event["type"] == kind]


def dump_of(redis: Redis) -> Iterator[str]:
    """All that Redis holds, as it holds it."""
    for key in redis.scan_iter():
        yield repr(key) + repr(redis.dump(key))
