"""The endpoint that all upload to, as benchmarks talk to it, and the files that they upload."""

from __future__ import annotations

import hashlib
import io
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from PIL import Image

from benchmarks.peers.contender import CHECKOUT, python
from benchmarks.peers.family import Family
from worker.embedded.ports import free_port

RESULTS = Path(__file__).parent / "results"
#: What is looked into once, and not kept: single figures, plans, flame graphs.
RAW = RESULTS / "raw"
FILE_SIZE = 50 * 1024
#: Seconds that uploads are waited for before what is there is judged.
PATIENCE = 60.0


class BenchmarkEndpoint:
    """The endpoint as the suite talks to it."""

    def __init__(self, address: str, pid: int) -> None:
        self.address = address
        self.family = Family([pid])
        self._session = requests.Session()
        self._session.trust_env = False

    def reset(self, **settings: float) -> None:
        """Forget all arrivals."""
        self._session.post(f"{self.address}/reset", params=settings, timeout=10).raise_for_status()

    def set_number(self, key: str, **settings: float) -> None:
        """Let one number differ from the others."""
        asked = {name: str(value) for name, value in settings.items()} | {"key": key}
        self._session.post(f"{self.address}/number", params=asked, timeout=10).raise_for_status()

    def refused(self) -> int:
        """How many were refused because they came too fast."""
        return int(self._session.get(f"{self.address}/stats", timeout=10).json()["refused"])

    def arrivals_of(self) -> dict[str, list[tuple[float, bool]]]:
        """When requests came in and whether each was refused, by number."""
        found: dict[str, list[tuple[float, bool]]] = self._session.get(
            f"{self.address}/arrivals", timeout=60
        ).json()
        return found

    def uploads(self) -> int:
        """How many files were taken."""
        return int(self._session.get(f"{self.address}/stats", timeout=10).json()["uploads"])

    def arrivals(self) -> list[tuple[float, bool]]:
        """When requests came in, and whether each was refused."""
        by_key = self.arrivals_of()
        return sorted((stamp, refused) for stamps in by_key.values() for stamp, refused in stamps)

    def await_uploads(self, count: int, seconds: float = PATIENCE) -> None:
        """Wait until so many files were taken, or for so long."""
        deadline = time.monotonic() + seconds
        while self.uploads() < count and time.monotonic() < deadline:
            time.sleep(0.03)


@contextmanager
def endpoint_running() -> Iterator[BenchmarkEndpoint]:
    """The endpoint, in a process of its own."""
    port = free_port()
    process = subprocess.Popen(
        python("benchmarks.peers.endpoint", str(port)), cwd=CHECKOUT, start_new_session=True
    )
    try:
        endpoint = BenchmarkEndpoint(f"http://127.0.0.1:{port}", process.pid)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                endpoint.reset()
                break
            except requests.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield endpoint
    finally:
        process.terminate()
        process.wait()


def make_files(folder: Path, count: int) -> tuple[str, ...]:
    """JPEGs of one size, each with a content of its own, by a comment that nobody shows."""
    image = io.BytesIO()
    noise = random.Random(5).randbytes(160 * 120 * 3)  # noqa: S311 - the same image each time
    Image.frombytes("RGB", (160, 120), noise).save(image, "JPEG", quality=80)
    start, rest = image.getvalue()[:2], image.getvalue()[2:]
    room = FILE_SIZE - len(start) - len(rest) - 4
    paths = []
    for number in range(count):
        comment = (hashlib.sha512(str(number).encode()).digest() * (room // 64 + 1))[:room]
        path = folder / f"{number:05}.jpg"
        path.write_bytes(start + b"\xff\xfe" + (room + 2).to_bytes(2, "big") + comment + rest)
        paths.append(str(path))
    return tuple(paths)
