"""A manifest of a million lines, submitted, and submitted again with one line changed: seconds and memory.

Run with ``make bench-manifest``, or ``python -m benchmarks.large_manifest [--lines 1000000]``; some minutes.
A real broker and PostgreSQL, and the worker of `docker-compose.yml` that serves ``upload,control`` with
threads. Nobody serves ``inspection`` and there is no beat: lines are taken over, and nothing more. Each pass
is a process of its own, which makes its lines as they are needed (`benchmarks.manifest_client`). Peaks are
those that the system noted (``VmHWM``), anew for each pass. Writes ``benchmarks/results/large_manifest.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import text

from benchmarks.machine import describe
from benchmarks.manifest_client import CHANNEL, PATIENCE, peak_of
from benchmarks.peers.contender import CHECKOUT
from benchmarks.peers.services import postgres, valkey
from greenroom.client import Greenroom
from greenroom.manifest import CampaignPlan
from greenroom.vault import Vault, new_secret_key
from migrations import upgrade_database
from models import Database
from models.channel import add_channel

RESULTS = Path(__file__).parent / "results" / "large_manifest.md"
LINES = 1_000_000
MB = 1e6
#: Written to ``/proc/PID/clear_refs``, the peak begins anew (proc_pid_clear_refs(5)).
NEW_PEAK = "5"
PARTS = ("client", "broker", "worker", "PostgreSQL")


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What one submission took.

    Attributes:
        title: which.
        said: what the client was told: items added, changed, unchanged, removed.
        seconds: from its call to its return.
        cpu: seconds of each part.
        peak: bytes that each part held at most; of PostgreSQL, which shares its memory, nothing is said.
        wal: bytes that PostgreSQL wrote to its log.
    """

    title: str
    said: Mapping[str, int]
    seconds: float
    cpu: Mapping[str, float]
    peak: Mapping[str, int]
    wal: int


class Installation:
    """The processes and the database that are looked at."""

    def __init__(self, database: Database, redis_url: str, worker: int, server: int) -> None:
        with Redis.from_url(redis_url) as client:
            broker = int(client.info("server")["process_id"])
        self._database, self._redis_url = database, redis_url
        self._pids = {"broker": broker, "worker": worker, "PostgreSQL": server}

    def submit(self, title: str, lines: int, changed: int) -> Pass:
        """One submission by a process of its own."""
        for pid in (self._pids["broker"], self._pids["worker"]):
            Path(f"/proc/{pid}/clear_refs").write_text(NEW_PEAK, encoding="ascii")
        before, wal = self._cpu(), self._wal()
        words = [sys.executable, "-m", "benchmarks.manifest_client", self._redis_url]
        words += ["--lines", str(lines), "--changed", str(changed)]
        done = subprocess.run(words, cwd=CHECKOUT, stdout=subprocess.PIPE, check=True)
        client: dict[str, Any] = json.loads(done.stdout)
        after = self._cpu()
        return Pass(
            title=title,
            said=client["said"],
            seconds=client["seconds"],
            cpu={"client": client["cpu"], **{name: after[name] - before[name] for name in after}},
            peak={
                "client": client["peak"],
                **{name: peak_of(self._pids[name]) for name in ("broker", "worker")},
            },
            wal=self._wal() - wal,
        )

    def _cpu(self) -> dict[str, float]:
        found = {}
        for name, pid in self._pids.items():
            processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            times = [process.cpu_times() for process in processes]
            found[name] = sum(time.user + time.system for time in times)
        return found

    def _wal(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(text("SELECT pg_current_wal_insert_lsn() - '0/0'")).scalar_one())


def measure(folder: Path, lines: int) -> list[Pass]:
    """Both passes, on an installation of their own."""
    with valkey(folder / "valkey") as broker, postgres(folder / "postgres") as (address, server):
        secret_key = new_secret_key()
        database = Database(SecretStr(address))
        upgrade_database(database.engine)
        with database.write() as connection:
            add_channel(
                connection,
                channel_id=CHANNEL,
                api_base_url="http://127.0.0.1:9",
                api_key=Vault(secret_key).encrypt(SecretStr("key")),
                now=datetime.now(UTC),
            )
        environment = {
            **os.environ,
            "GREENROOM_DATABASE_URL": address,
            "GREENROOM_REDIS_URL": broker,
            "GREENROOM_SECRET_KEY": secret_key.get_secret_value(),
            "GREENROOM_MEDIA_ROOTS": "/media",
        }
        command = [sys.executable, "-m", "celery", "-A", "worker", "worker", "-Q", "upload,control"]
        command += ["--pool", "threads", "--concurrency", "64", "--loglevel", "WARNING"]
        with (folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=log, stderr=log)
        try:
            with Greenroom(broker, timeout=PATIENCE) as client:
                client.estimate(_first_plan())
            installation = Installation(database, broker, worker.pid, server)
            return [
                installation.submit("the first time", lines, 0),
                installation.submit("again, one line changed", lines, 1),
            ]
        finally:
            worker.kill()
            worker.wait()
            database.close()


def _first_plan() -> CampaignPlan:
    """Of a campaign that is only asked about: once a worker answers, it is there."""
    now = datetime.now(UTC)
    return CampaignPlan(id="none", channel=CHANNEL, send_at=now, keep_until=now + timedelta(days=1))


def report(passes: list[Pass], lines: int) -> str:
    """The page."""
    machine = describe()
    on = f"{machine['processor']}, Python {machine['python']}, {machine['kernel']}"
    head = ["", *(each.title for each in passes)]
    rows = [
        [
            "the client is told",
            *(", ".join(f"{n:,} {what}" for what, n in each.said.items() if n) for each in passes),
        ],
        ["seconds", *(f"{each.seconds:.1f}" for each in passes)],
        *([f"CPU seconds, {part}", *(f"{each.cpu[part]:.1f}" for each in passes)] for part in PARTS),
        ["CPU seconds together", *(f"{sum(each.cpu.values()):.1f}" for each in passes)],
        *(
            [f"most memory, {part}", *(f"{each.peak[part] / MB:.0f} MB" for each in passes)]
            for part in PARTS[:3]
        ),
        ["written to PostgreSQL's log", *(f"{each.wal / MB:,.0f} MB" for each in passes)],
    ]
    return "\n".join(
        [
            f"# A manifest of {lines:,} lines",
            "",
            f"`make bench-manifest`; one client, one worker with 64 threads, Valkey, PostgreSQL; {on}.",
            "",
            "| " + " | ".join(head) + " |",
            "| --- |" + " ---: |" * len(passes),
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
        ]
    )


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=LINES)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = report(measure(Path(folder), given.lines), given.lines)
    print(page)
    if given.lines == LINES:
        RESULTS.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
