"""What an upload costs the whole system under a backlog, beside a bare ``requests.post`` of the same file.

Run with ``make bench-backlog``, or ``python -m benchmarks.backlog_cost [--numbers 40]``; takes two minutes.
All files are looked at first, which is a figure of its own; then all numbers are let go, and the CPU of every
process of the stack is read at both ends of some seconds at full pace: uploading and inspecting workers,
beat, broker, database. The endpoint is left out. Loops over ``requests.post`` stand before and after. Writes
``benchmarks/results/backlog.md``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.backlog import Backlog, backlog
from benchmarks.machine import describe
from benchmarks.peers.contender import LIMIT_PER_SECOND
from benchmarks.peers.family import Family
from benchmarks.sending import cost_of_a_post
from benchmarks.suite import RESULTS, endpoint_running, make_files

#: Seconds that are judged, and those before that are not.
SECONDS, BEGINNING = 20.0, 4.0
LATENCY, JITTER = 0.1, 0.05


def cpu(work: Backlog) -> dict[str, float]:
    """Seconds that each part of the stack has computed so far."""
    return {name: Family([pid]).cpu() for name, pid in work.processes().items()}


def spent(before: dict[str, float], after: dict[str, float], times: float) -> dict[str, float]:
    """Milliseconds for each of so many times, by part; processes of one kind together."""
    kinds: dict[str, float] = {}
    for name, seconds in after.items():
        kind = "inspecting workers" if name == "worker-inspection" else name
        kind = "uploading workers" if kind.startswith("worker-") else kind
        kinds[kind] = kinds.get(kind, 0.0) + (seconds - before[name]) / times * 1000
    return kinds


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--numbers", type=int, default=40)
    numbers = arguments.parse_args().numbers
    keys = [f"number-{place:03}" for place in range(numbers)]
    machine = describe()
    with tempfile.TemporaryDirectory() as name, endpoint_running() as endpoint:
        files = make_files(Path(name), int((SECONDS + BEGINNING + 6) * LIMIT_PER_SECOND))
        posts = [cost_of_a_post(endpoint.address, files[0])]
        with backlog(Path(name), endpoint, workers=2) as work:
            endpoint.reset(latency=LATENCY, jitter=JITTER, allowed=LIMIT_PER_SECOND)
            work.add_numbers(keys)
            began = cpu(work)
            for key in keys:
                work.hand_over(key, key, files, due=timedelta(hours=6))
            seconds = work.await_inspection()
            inspection = spent(began, cpu(work), len(files) * numbers)
            work.let_go()
            endpoint.await_uploads(1)
            time.sleep(BEGINNING)
            first, uploads = cpu(work), endpoint.uploads()
            time.sleep(SECONDS)
            uploaded = endpoint.uploads() - uploads
            upload = spent(first, cpu(work), uploaded)
            refused = endpoint.refused()
        endpoint.reset()
        posts.append(cost_of_a_post(endpoint.address, files[0]))
    post = statistics.median(posts)
    introduction = (
        f"Written by `make bench-backlog`: {numbers} numbers with a backlog, files of 50 KB, answers after "
        f"100 to 150 ms; {uploaded / SECONDS:.0f} uploads/s in {SECONDS:.0f} s, {refused} refused. All files "
        f"had been looked at before, {len(files) * numbers / seconds:.0f} a second."
    )
    lines = [
        "# What an upload costs the whole system",
        "",
        introduction,
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        "",
        "| CPU ms for each | an upload | a file looked at |",
        "| --- | ---: | ---: |",
        *(f"| {kind} | {ms:.3f} | {inspection[kind]:.3f} |" for kind, ms in upload.items()),
        f"| **all** | **{sum(upload.values()):.2f}** | **{sum(inspection.values()):.2f}** |",
        f"| `requests.post(files=...)` in a loop | {post:.2f} | |",
        f"| times that | {sum(upload.values()) / post:.2f} | {sum(inspection.values()) / post:.2f} |",
        "",
    ]
    print("\n".join(lines))
    (RESULTS / "backlog.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
