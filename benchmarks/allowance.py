"""How much of one number's 25 uploads a second is used, and whether the endpoint ever counts 26.

Run with ``make bench-allowance``, or ``python -m benchmarks.allowance [--seconds 60]``. Four uploading
processes share one number with a long backlog of 50 KB files; the endpoint refuses the 26th arrival within
any second, and writes down when each request arrived. Writes ``benchmarks/results/allowance.md``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.backlog import backlog
from benchmarks.endpoint import RESULTS, endpoint_running, make_files
from benchmarks.machine import describe
from benchmarks.peers.contender import LIMIT_PER_SECOND

WORKERS = 4
#: Answers take so long, and up to so much longer, in seconds.
LATENCIES = ((0.05, 0.0), (0.1, 0.05), (0.5, 0.2), (0.05, 1.45))
#: The window in which the provider counts, in seconds.
SECOND = 1.0
#: Seconds that are not judged: the first ones, in which owner and connections are found.
BEGINNING = 3.0

INTRODUCTION = (
    "Written by `make bench-allowance`. Four uploading processes, one number, {seconds:.0f} s for each line, "
    "files of 50 KB; the provider allows 25 in any second. The last two columns are those of the whole run, "
    "refused arrivals included."
)


@dataclass(frozen=True, kw_only=True)
class Use:
    """What the endpoint saw in one run."""

    latency: float
    jitter: float
    rate: float
    refused: int
    most: int

    def row(self) -> str:
        """A line of the table."""
        answers = f"{self.latency * 1000:.0f} ms"
        if self.jitter:
            answers += f" to {(self.latency + self.jitter) * 1000:.0f} ms"
        share = self.rate / LIMIT_PER_SECOND
        return f"| {answers} | {self.rate:.2f} | {share:.1%} | {self.refused} | {self.most} |"


def most_in_a_second(arrivals: Sequence[float]) -> int:
    """The most within any second, wherever it begins."""
    most = first = 0
    for last, moment in enumerate(arrivals):
        while arrivals[first] <= moment - SECOND:
            first += 1
        most = max(most, last - first + 1)
    return most


def measure(folder: Path, *, seconds: float, latency: float, jitter: float) -> Use:
    """One run with a stack of its own."""
    files = make_files(folder, int((seconds + 20) * LIMIT_PER_SECOND))
    with endpoint_running() as endpoint, backlog(folder, endpoint, workers=WORKERS) as work:
        endpoint.reset(latency=latency, jitter=jitter, allowed=LIMIT_PER_SECOND)
        work.add_numbers(["number"])
        work.hand_over("campaign", "number", files, due=timedelta(hours=6))
        work.await_inspection()
        work.release()
        endpoint.await_uploads(1)
        time.sleep(seconds + BEGINNING)
        arrivals = endpoint.arrivals()
    begin = arrivals[0][0] + BEGINNING
    judged = [stamp for stamp, refused in arrivals if begin <= stamp < begin + seconds and not refused]
    return Use(
        latency=latency,
        jitter=jitter,
        rate=len(judged) / seconds,
        refused=sum(refused for _, refused in arrivals),
        most=most_in_a_second([stamp for stamp, _ in arrivals]),
    )


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60.0, help="that each run is judged")
    seconds = arguments.parse_args().seconds
    machine = describe()
    lines = [
        "# The use of one number's allowance",
        "",
        INTRODUCTION.format(seconds=seconds),
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        "",
        "| answers after | uploads/s | of the allowance | refused (429) | most arrivals in a second |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for latency, jitter in LATENCIES:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(measure(Path(folder), seconds=seconds, latency=latency, jitter=jitter).row())
        print(lines[-1], flush=True)
    (RESULTS / "allowance.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
