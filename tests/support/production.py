"""Workers and beat as in production: PostgreSQL, `celery -A worker`, each its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import text

from greenroom.manifest import CampaignPlan, parse_plan
from greenroom.vault import new_secret_key
from models import Base, Database
from models.progress import campaign_progress
from sandbox.testing import RunningSandbox
from tests.support.command import COMMAND, environment
from tests.support.receiver import HOSTS, SECRET

KEY = "canary-production-key-93b1"
CHANNEL = "4915112345678"
PATIENCE = 90.0


class Production:
    """Processes started as an operator starts them, with their settings in the environment."""

    def __init__(self, folder: Path, settings: dict[str, str], *, loglevel: str = "DEBUG") -> None:
        self.folder = folder
        self._loglevel = loglevel
        self.environment = environment(**settings)
        self.database = Database(SecretStr(settings["GREENROOM_DATABASE_URL"]))
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> None:
        """Start a part of Celery's in the background, its log in the folder."""
        level = ("--loglevel", self._loglevel)
        log = (self.folder / f"{words[0]}-{len(self.processes)}.log").open("wb")
        with log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "celery", "--quiet", "-A", "worker", *words, *level],
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
                "GREENROOM_CALLBACK_HOSTS": HOSTS,
                "GREENROOM_CALLBACK_SECRET": SECRET,
                "GREENROOM_CALLBACK_TASKS": "crm.*",
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
