"""What sending costs: a thread that waits for each answer, and one thread that waits for all of them.

Run with ``python -m benchmarks.sending``; takes a minute. One process sends files of 50 KB on twenty numbers
at their full pace, with answers after 100 to 150 ms, each way in a process of its own; a loop over
``requests.post`` before and after says what one upload costs on this machine at this moment. Writes
``benchmarks/results/raw/sending.md``. Where the time goes in a process, ``py-spy record --gil --pid`` tells.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr
from redis import Redis

from benchmarks.endpoint import RAW, endpoint_running, make_files
from benchmarks.machine import describe
from benchmarks.peers.services import valkey
from benchmarks.posting import cost_of_a_post
from greenroom.clock import SystemClock
from greenroom.provider import ProviderClient
from greenroom.rate_limit.limiter import Limiter
from greenroom.settings import Settings
from greenroom.vault import Vault, new_secret_key
from models import Database
from models.asset_claims import AssetUnderUpload
from models.claim import Claim
from tasks.runtime.context import Context
from tasks.uploading.sender import Sender, UploadJob

NUMBERS = 20
FILES = 250
LATENCY, JITTER = 0.1, 0.05
WAYS = {"streamed": "a thread waits for each answer", "at once": "one thread waits for all answers"}


class Streaming(ProviderClient):
    """Sends nothing at once."""

    def sends_at_once(self, size: int) -> bool:  # noqa: ARG002 - the client's own signature
        """Never."""
        return False


def context_for(way: str, address: str, redis_url: str, path: str) -> Context:
    """The world of a worker, without a database."""
    key = new_secret_key()
    settings = Settings.model_validate(
        {
            "database_url": "sqlite://",
            "redis_url": redis_url,
            "secret_key": key,
            "api_base_url": address,
            "media_roots": [path],
        }
    )
    redis = Redis.from_url(redis_url)
    client = Streaming if way == "streamed" else ProviderClient
    return Context(
        settings=settings,
        database=Database(settings.database_url),
        redis=redis,
        limiter=Limiter(redis),
        provider=client(base_url=address),
        vault=Vault(key),
        clock=SystemClock(),
        publish=lambda _: None,
    )


def send_all(context: Context, number: str, asset: AssetUnderUpload) -> None:
    """One number's files, as a worker's turn sends them."""
    owned = context.limiter.acquire(number, timeout=10)
    sender = Sender(context, SecretStr(number), owned)
    sender.add(UploadJob(asset=_with_id(asset, row_id)) for row_id in range(FILES))
    while sender.busy:
        for outcome in sender.collect(until=time.monotonic() + 0.5):
            if outcome.error is not None:
                raise outcome.error
        owned.heartbeat()
    owned.release()


def _with_id(asset: AssetUnderUpload, row_id: int) -> AssetUnderUpload:
    return AssetUnderUpload(**{**vars(asset), "claim": Claim(id=row_id, token=1)})


def measure(way: str, address: str, redis_url: str, path: str) -> dict[str, float]:
    """Send everything one way, in this process; returns what one upload cost."""
    content = Path(path).read_bytes()
    asset = AssetUnderUpload(
        claim=Claim(id=0, token=1),
        sha256=hashlib.sha256(content).hexdigest(),
        mime_type="image/jpeg",
        size=len(content),
        file_name="a.jpg",
        source=path,
        due_at=datetime.now(UTC),
        attempts=0,
    )
    context = context_for(way, address, redis_url, path)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    with ThreadPoolExecutor(NUMBERS) as threads:
        for done in [threads.submit(send_all, context, f"number-{n}", asset) for n in range(NUMBERS)]:
            done.result()
    after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - began
    uploads = NUMBERS * FILES
    return {
        "rate": uploads / seconds,
        "user": (after.ru_utime - before.ru_utime) / uploads * 1000,
        "system": (after.ru_stime - before.ru_stime) / uploads * 1000,
        "switches": (after.ru_nvcsw - before.ru_nvcsw) / uploads,
        "threads": float(threading.active_count()),
    }


def main() -> None:
    """Measure both ways, print, write; with ``--way`` one of them, for the other process."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    arguments.add_argument("where", nargs="*", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.way:
        print(json.dumps(measure(given.way, *given.where)), flush=True)
        os._exit(0)
    machine = describe()
    with tempfile.TemporaryDirectory() as name, endpoint_running() as endpoint:
        folder = Path(name)
        (path,) = make_files(folder, 1)
        with valkey(folder / "valkey") as redis_url:
            posts, found = [cost_of_a_post(endpoint.address, path)], {}
            for way in WAYS:
                endpoint.reset(latency=LATENCY, jitter=JITTER)
                command = [sys.executable, "-m", "benchmarks.sending", "--way", way]
                where = [endpoint.address, redis_url, path]
                said = subprocess.run([*command, *where], capture_output=True, text=True, check=True)
                found[way] = json.loads(said.stdout)
                endpoint.reset()
                posts.append(cost_of_a_post(endpoint.address, path))
    post = statistics.median(posts)
    lines = [
        "# What sending costs",
        "",
        f"Written by `python -m benchmarks.sending`: {NUMBERS} numbers, {NUMBERS * FILES:,} files of 50 KB.",
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        "",
        "| | CPU ms an upload | user | system | times `requests.post` | switches | threads | uploads/s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        f"| `requests.post(files=...)` in a loop | {post:.2f} | | | 1.00 | | 1 | |",
    ]
    for way, one in found.items():
        cpu = one["user"] + one["system"]
        lines.append(
            f"| {WAYS[way]} | {cpu:.2f} | {one['user']:.2f} | {one['system']:.2f} | {cpu / post:.2f} | "
            f"{one['switches']:.1f} | {one['threads']:.0f} | {one['rate']:.0f} |"
        )
    print("\n".join(lines))
    RAW.mkdir(parents=True, exist_ok=True)
    (RAW / "sending.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
