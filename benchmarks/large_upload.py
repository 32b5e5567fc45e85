"""What a document of 100 MB costs those who look at it and upload it: memory before and meanwhile, and CPU.

Run with ``python -m benchmarks.large_upload``; takes about 15 s, and 500 MB of disk in the temporary folder.
Everything is real: the embedded stack with one worker, the sandbox over a socket, a PDF of the largest size
that WhatsApp takes. Memory is the resident set of the largest process of a worker, looked at every 10 ms; CPU
is that of all its processes, less what a small file costs.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import psutil

from benchmarks.peers.family import Family
from cli.embedded import Request, get_ready, sandbox_key, stack_plan
from greenroom.manifest import items_of_paths, parse_plan
from greenroom.rules import LARGEST_FILE, MIB
from worker.embedded import Stack, embedded_stack
from worker.home import Home

CHANNEL = "4915112345678"
LOOK_EVERY = 0.01


@dataclass(kw_only=True)
class Watch:
    """The largest resident set of some processes between two moments, in bytes."""

    processes: list[psutil.Process]
    peak: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            self.peak = max(self.peak, *(process.memory_info().rss for process in self.processes))


def write_pdf(path: Path, size: int) -> None:
    """A valid PDF of exactly so many bytes, most of them one stream that no page shows."""
    parts = [
        b"%PDF-1.4\n",
        b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
        b"2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n",
        b"3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>\nendobj\n",
    ]
    offsets = [sum(map(len, parts[:number])) for number in range(1, 4)]
    start = sum(map(len, parts))
    tail_length = len(_tail(offsets, start, start + 10**8))
    head, foot = b"4 0 obj\n<< /Length %09d >>\nstream\n", b"\nendstream\nendobj\n"
    filling = size - start - len(head % 0) - len(foot) - tail_length
    with path.open("wb") as file:
        file.write(b"".join(parts) + head % filling)
        block = hashlib.sha512(path.name.encode()).digest() * 16384
        for done in range(0, filling, len(block)):
            file.write(block[: filling - done])
        file.write(foot)
        file.write(_tail(offsets, start, file.tell()))


def _tail(offsets: list[int], stream: int, at: int) -> bytes:
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in [*offsets, stream])
    return (
        b"xref\n0 5\n0000000000 65535 f \n"
        + rows
        + b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%09d\n%%%%EOF\n" % at
    )


def upload(stack: Stack, name: str, file: Path) -> float:
    """Get one file ready; answers the seconds that it took."""
    now = datetime.now(UTC)
    plan = parse_plan({"id": name, "channel": CHANNEL, "send_at": now, "keep_until": now + timedelta(days=1)})
    outcome = get_ready(
        stack,
        Request(campaign=plan, items=items_of_paths([file]), api_key=sandbox_key(CHANNEL)),
    )
    if outcome.progress.ready != 1:
        raise SystemExit(f"{name} was not uploaded: {outcome.items[0].detail}")
    return outcome.seconds


def measure(stack: Stack, home: Home, name: str, file: Path) -> None:
    """Get one file ready, and print what that took of each worker."""
    workers = {"upload": "worker-1", "inspection": "worker-inspection"}
    roots = {what: psutil.Process(home.noted_pid(noted)) for what, noted in workers.items()}
    families = {what: [root, *root.children(recursive=True)] for what, root in roots.items()}
    before = {what: largest(family) for what, family in families.items()}
    used = {what: Family([root.pid]).cpu() for what, root in roots.items()}
    with ExitStack() as watching:
        watches = {what: watching.enter_context(Watch(processes=family)) for what, family in families.items()}
        seconds = upload(stack, name, file)
    for what, root in roots.items():
        cpu = Family([root.pid]).cpu() - used[what]
        memory = f"{before[what] / MIB:10.1f} MB   {watches[what].peak / MIB:8.1f} MB"
        print(f"{what:11} {file.stat().st_size / MIB:5.1f} MB {seconds:7.1f} {cpu:8.2f} {memory}")


def cost_of_hashing(path: Path) -> float:
    """CPU seconds."""
    began = time.process_time()
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    return time.process_time() - began


def largest(processes: list[psutil.Process]) -> int:
    """Bytes that the largest of them holds."""
    return max(process.memory_info().rss for process in processes)


def main() -> None:
    """Measure, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="greenroom-large-") as folder:
        files = Path(folder)
        for name in ("first", "small"):
            write_pdf(files / f"{name}.pdf", 50 * 1024)
        write_pdf(files / "large.pdf", LARGEST_FILE)
        home = Home(folder=files / "home")
        plan = stack_plan(home.folder, workers=1, concurrency=1, sandbox=True, latency="0")
        with embedded_stack(plan) as stack:
            upload(stack, "first", files / "first.pdf")
            time.sleep(1)
            print("what        file     seconds   CPU s   memory before   at its peak")
            for name in ("small", "large"):
                measure(stack, home, name, files / f"{name}.pdf")
            print(f"SHA-256 of the large file alone: {cost_of_hashing(files / 'large.pdf'):.2f} s")


if __name__ == "__main__":
    main()
