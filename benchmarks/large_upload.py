"""What a document of 100 MB costs those who look at it and upload it: memory before and meanwhile, and CPU.

Run with ``python -m benchmarks.large_upload``; takes half a minute, and 2 GB of disk in the temporary folder.
Writes ``benchmarks/results/large_upload.md``.

Everything is real: the embedded stack with one worker, the sandbox over a socket, PDFs of the largest size
that WhatsApp takes, and as many small ones, in turn. Memory is the resident set of the largest process of a
worker, looked at every 10 ms; CPU is that of all its processes, less what a small file costs, by the clock
that Linux has of each. The limits, in turn with the others: hashing the same file, and a loop that reads,
hashes and sends it to the same sandbox by a bare socket.
"""

from __future__ import annotations

import hashlib
import socket
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Self
from urllib.parse import urlsplit

import psutil

from benchmarks.host import host
from cli.embedded import RunRequest, get_ready, sandbox_key
from cli.embedded_plan import stack_plan
from greenroom.folder_items import items_of_paths
from greenroom.manifest import parse_plan
from greenroom.provider.multipart import CHUNK_BYTES
from greenroom.rules import LARGEST_FILE, MIB
from worker.embedded.stack import Stack, embedded_stack
from worker.embedded.state_dir import StateDir

CHANNEL = "4915112345678"
LOOK_EVERY = 0.01
ROUNDS = 5
SMALL = 50 * 1024
#: The supervisor's names of their processes.
WORKERS = {"upload": "worker-1", "inspection": "worker-inspection"}
RESULTS = Path(__file__).parent / "results"


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


def upload(stack: Stack, name: str, file: Path) -> None:
    """Get one file ready."""
    now = datetime.now(UTC)
    plan = parse_plan({"id": name, "channel": CHANNEL, "send_at": now, "keep_until": now + timedelta(days=1)})
    outcome = get_ready(
        stack,
        RunRequest(campaign=plan, items=items_of_paths([file]), api_key=sandbox_key(CHANNEL)),
    )
    if outcome.progress.ready != 1:
        raise SystemExit(f"{name} was not uploaded: {outcome.items[0].detail}")


@dataclass(kw_only=True)
class Found:
    """Of one worker and one size of files: one figure a file.

    Attributes:
        cpu: seconds.
        growth: MB, from before the file to the peak.
    """

    cpu: list[float] = field(default_factory=list)
    growth: list[float] = field(default_factory=list)


def measure(
    stack: Stack, roots: Mapping[str, psutil.Process], file: Path, found: Mapping[str, Found]
) -> None:
    """Get one file ready, and note what that took of each worker."""
    families = {what: [root, *root.children(recursive=True)] for what, root in roots.items()}
    before = {what: largest(family) for what, family in families.items()}
    used = {what: cpu_of(family) for what, family in families.items()}
    with ExitStack() as watching:
        watches = {what: watching.enter_context(Watch(processes=family)) for what, family in families.items()}
        upload(stack, file.stem, file)
    for what, family in families.items():
        found[what].cpu.append(cpu_of(family) - used[what])
        found[what].growth.append(max(0, watches[what].peak - before[what]) / MIB)


def cpu_of(processes: Sequence[psutil.Process]) -> float:
    """Seconds that they have computed, by their own clocks: other figures are whole hundredths."""
    # As clock_getcpuclockid(3) makes it on Linux: a process, and all of its threads.
    return sum(time.clock_gettime(~process.pid << 3 | 2) for process in processes)


def cost_of_hashing(path: Path) -> float:
    """CPU seconds."""
    began = time.process_time()
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    return time.process_time() - began


def cost_of_sending(address: str, path: Path) -> float:
    """CPU seconds of a loop that reads, hashes and sends a file, and reads the answer."""
    began = time.process_time()
    split = urlsplit(address)
    digest = hashlib.sha256()
    beginning, end = _request(split.netloc, path)
    with socket.create_connection((split.hostname, split.port or 80)) as connection, path.open("rb") as file:
        connection.sendall(beginning)
        while piece := file.read(CHUNK_BYTES):
            digest.update(piece)
            connection.sendall(piece)
        connection.sendall(end)
        answer = connection.recv(4096)
    if b" 200 " not in answer.split(b"\r\n", 1)[0]:
        raise SystemExit(f"The sandbox answered {answer[:200]!r}")
    return time.process_time() - began


def _request(server: str, path: Path) -> tuple[bytes, bytes]:
    """What stands before the file in a request that uploads it, and what follows."""
    form = (
        "--bound\r\n"
        'Content-Disposition: form-data; name="messaging_product"\r\n\r\nwhatsapp\r\n'
        "--bound\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{path.name}"\r\n'
        "Content-Type: application/pdf\r\n\r\n"
    )
    end = b"\r\n--bound--\r\n"
    head = (
        "POST /media HTTP/1.1\r\n"
        f"Host: {server}\r\n"
        f"D360-API-KEY: {sandbox_key(CHANNEL).get_secret_value()}\r\n"
        "Content-Type: multipart/form-data; boundary=bound\r\n"
        f"Content-Length: {len(form) + path.stat().st_size + len(end)}\r\n"
        "\r\n"
    )
    return (head + form).encode(), end


def largest(processes: list[psutil.Process]) -> int:
    """Bytes that the largest of them holds."""
    return max(process.memory_info().rss for process in processes)


def spread(values: Sequence[float], digits: int) -> str:
    """The median, and the least and the most."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def report(
    found: Mapping[str, Mapping[str, Found]], hashing: Sequence[float], sending: Sequence[float]
) -> str:
    """The page."""
    lines = [
        "# A document of 100 MB",
        "",
        f"`python -m benchmarks.large_upload`; {host()}.",
        "",
        f"{ROUNDS} documents of 100 MB and {ROUNDS} of 50 KB, in turn; medians, with the least and the most.",
        "",
        "| worker | CPU s, small | CPU s, 100 MB | more for 100 MB | memory at its peak, 100 MB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    limits, ratios = {"upload": sending, "inspection": hashing}, {}
    for what, sizes in found.items():
        more = [large - small for small, large in zip(sizes["small"].cpu, sizes["large"].cpu, strict=True)]
        ratios[what] = sum(more) / sum(limits[what])
        lines.append(
            f"| {what} | {spread(sizes['small'].cpu, 2)} | {spread(sizes['large'].cpu, 2)} "
            f"| {sum(more) / len(more):.3f} on average | +{spread(sizes['large'].growth, 1)} MB |"
        )
    lines += [
        "",
        "| limit, in one process | CPU s |",
        "| --- | ---: |",
        f"| SHA-256 of the file | {spread(hashing, 3)} |",
        f"| a loop that reads, hashes and sends it by a bare socket | {spread(sending, 3)} |",
        "",
        (
            f"In this run, the upload of 100 MB costs {ratios['upload']:.2f} times that loop, "
            f"and looking at it before {ratios['inspection']:.2f} times its hash."
        ),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the page."""
    hashing: list[float] = []
    sending: list[float] = []
    found = {what: {"small": Found(), "large": Found()} for what in WORKERS}
    with tempfile.TemporaryDirectory(prefix="greenroom-large-") as folder:
        files = Path(folder)
        state_dir = StateDir(folder=files / "home")
        plan = stack_plan(
            state_dir.folder, workers=1, concurrency=1, sandbox=True, latency="0", media=[files]
        )
        write_pdf(files / "first.pdf", SMALL)
        with embedded_stack(plan) as stack:
            if stack.sandbox is None:
                raise AssertionError("it was asked for")
            upload(stack, "first", files / "first.pdf")
            time.sleep(1)
            roots = {what: psutil.Process(state_dir.noted_pid(noted)) for what, noted in WORKERS.items()}
            for number in range(ROUNDS):
                for name, size in (("small", SMALL), ("large", LARGEST_FILE)):
                    file = files / f"{name}-{number}.pdf"
                    write_pdf(file, size)
                    measure(stack, roots, file, {what: sizes[name] for what, sizes in found.items()})
                hashing.append(cost_of_hashing(file))
                sending.append(cost_of_sending(stack.sandbox, file))
                file.unlink()
    page = report(found, hashing, sending)
    print(page)
    (RESULTS / "large_upload.md").write_text(page)


if __name__ == "__main__":
    main()
