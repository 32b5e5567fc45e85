"""Whether memory grows: the embedded stack on PostgreSQL, under load for a million uploads.

Run with ``python -m benchmarks.soak [--uploads N] [--minutes M] [--numbers N] [--files N]``, or with
``--quick`` for a minute. Writes ``benchmarks/results/soak.md`` and ``soak.svg`` (with ``--quick``, and where
it was stopped before the million, ``soak_quick.md`` and ``.svg``).

Every ten seconds the memory of each kind of process is noted (PSS on Linux: what processes share is counted
once), and the uploads so far. Growth is the slope of a line through the second half, by least squares.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from benchmarks.host import host
from benchmarks.lines import polyline
from benchmarks.load import LOOK_EVERY_SECONDS, Load, running_load
from benchmarks.processes import MB

RESULTS = Path(__file__).parent / "results"
UPLOADS, NUMBERS, FILES, MINUTES = 1_000_000, 60, 500, 120.0
WORKERS, CONCURRENCY = 2, 2
#: The kind of process whose threads are counted.
UPLOAD = "upload"
EVERY_SECONDS, QUICK_EVERY_SECONDS = 10.0, 2.0
QUICK_MINUTES = 1.0
SHARES = (10, 25, 50, 75, 100)
PER = 100_000

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 360, 64, 130, 40, 44
COLOURS = ("#0f8a5f", "#2f6fb0", "#d64545", "#b8862b", "#7b4fa3", "#7b8794")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """How things stood at one moment.

    Attributes:
        seconds: since the first campaign was handed over.
        uploads: so far.
        memory: bytes by kind of process.
        processes: how many of each kind.
        threads: of those that upload.
    """

    seconds: float
    uploads: int
    memory: dict[str, int]
    processes: dict[str, int]
    threads: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for."""

    uploads: int
    minutes: float
    numbers: int
    files: int
    every: float


def soak(load: Load, asked: Asked) -> tuple[list[Sample], list[str]]:
    """Keep the stack busy until the count or the time is reached; returns samples and what was restarted."""
    began = time.monotonic()
    samples: list[Sample] = []
    restarted: list[str] = []
    next_at = 0.0
    while True:
        done = load.keep_busy(most=asked.uploads + asked.files)
        seconds = time.monotonic() - began
        over = done >= asked.uploads or seconds >= asked.minutes * 60
        if over or seconds >= next_at:
            next_at = seconds + asked.every
            samples.append(_sample(load, seconds, done))
            restarted += load.restarted()
            total = sum(samples[-1].memory.values()) / MB
            print(f"{seconds:7.0f} s  {done:9,} uploads  {total:7.0f} MB", file=sys.stderr, flush=True)
        if over:
            return samples, restarted
        time.sleep(LOOK_EVERY_SECONDS)


def _sample(load: Load, seconds: float, uploads: int) -> Sample:
    found = load.uses()
    return Sample(
        seconds=seconds,
        uploads=uploads,
        memory={kind: use.memory for kind, use in found.items()},
        processes={kind: use.processes for kind, use in found.items()},
        threads=found[UPLOAD].threads,
    )


def growth(samples: Sequence[Sample], kind: str) -> float:
    """MB for each 100,000 uploads: the slope over the second half of the uploads, by least squares."""
    half = [sample for sample in samples if sample.uploads >= samples[-1].uploads / 2]
    points = [(sample.uploads / PER, sample.memory.get(kind, 0) / MB) for sample in half]
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def report(samples: Sequence[Sample], restarted: Sequence[str], asked: Asked, image: str) -> str:
    """The page."""
    last = samples[-1]
    at = [_nearest(samples, last.uploads * share / 100) for share in SHARES]
    kinds = list(last.memory)
    given = f"--uploads {asked.uploads} --numbers {asked.numbers} --files {asked.files}"
    what = (
        f"{last.uploads:,} uploads in {last.seconds / 60:.1f} minutes "
        f"({last.uploads / last.seconds:,.0f} a second), {asked.numbers} numbers, campaigns of {asked.files} "
        f"files; the endpoint answers at once. {WORKERS} processes upload, {CONCURRENCY} inspect, beside "
        f"those that start them. Restarted meanwhile: {', '.join(restarted) or 'nothing'}."
    )
    lines = [
        "# Memory over many uploads",
        "",
        f"`python -m benchmarks.soak {given}`; {host()}.",
        "",
        what,
        "",
        "MB of all processes of a kind, what they share counted once; growth by least squares over the",
        "second half of the uploads.",
        "",
        f"| processes | {' | '.join(f'{share} %' for share in SHARES)} | growth in 100,000 uploads |",
        "|---" + "|---:" * (len(SHARES) + 1) + "|",
    ]
    for kind in kinds:
        cells = " | ".join(f"{sample.memory.get(kind, 0) / MB:,.0f}" for sample in at)
        lines.append(f"| {kind} ({last.processes[kind]}) | {cells} | {growth(samples, kind):+,.1f} MB |")
    lines += [
        f"| uploads | {' | '.join(f'{sample.uploads:,}' for sample in at)} | |",
        f"| threads of those that upload | {' | '.join(str(sample.threads) for sample in at)} | |",
        "",
        f"![Memory by kind of process over uploads]({image})",
        "",
        f"{len(samples)} samples, {_longest_gap(samples):.0f} s apart at most.",
        "",
    ]
    return "\n".join(lines)


def _longest_gap(samples: Sequence[Sample]) -> float:
    return max((later.seconds - earlier.seconds for earlier, later in pairwise(samples)), default=0.0)


def _nearest(samples: Sequence[Sample], uploads: float) -> Sample:
    return min(samples, key=lambda sample: abs(sample.uploads - uploads))


def plot(samples: Sequence[Sample]) -> str:
    """A line for each kind of process, uploads to the right, MB upwards."""
    kinds = list(samples[-1].memory)
    most = max(max(sample.memory.values()) for sample in samples) / MB * 1.05
    wide = (WIDTH - LEFT - RIGHT) / max(1, samples[-1].uploads)
    high = (HEIGHT - TOP - BOTTOM) / most
    floor = HEIGHT - BOTTOM
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    below = f"{samples[-1].uploads:,} uploads in {samples[-1].seconds / 60:.0f} minutes"
    parts = [
        f'{svg} font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="14" font-weight="600">Memory by kind of process, MB</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 10}" text-anchor="end">{below}</text>',
    ]
    for step in range(5):
        value = most * step / 4
        y = floor - value * high
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e7eb"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,.0f}</text>')
    taken: list[float] = []
    for kind, colour in zip(kinds, COLOURS * len(kinds), strict=False):
        points = [
            (LEFT + sample.uploads * wide, floor - sample.memory.get(kind, 0) / MB * high)
            for sample in samples
        ]
        parts.append(polyline(points, colour))
        # Names of lines that end close to each other stand below each other.
        y = points[-1][1]
        while any(abs(y - other) < 14 for other in taken):  # noqa: PLR2004 - the height of a line of text
            y -= 2
        taken.append(y)
        parts.append(f'<text x="{WIDTH - RIGHT + 6}" y="{y + 4:.1f}" fill="{colour}">{escape(kind)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Run, print, and write the results."""
    parser = argparse.ArgumentParser(description="Whether memory grows under load.")
    parser.add_argument("--uploads", type=int, default=UPLOADS)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--numbers", type=int, default=NUMBERS)
    parser.add_argument("--files", type=int, default=FILES, help="in a campaign")
    parser.add_argument("--quick", action="store_true", help="a minute, with a sample every two seconds")
    given = parser.parse_args()
    asked = Asked(
        uploads=given.uploads,
        minutes=min(given.minutes, QUICK_MINUTES) if given.quick else given.minutes,
        numbers=given.numbers,
        files=given.files,
        every=QUICK_EVERY_SECONDS if given.quick else EVERY_SECONDS,
    )
    with (
        tempfile.TemporaryDirectory(prefix="greenroom-soak-") as folder,
        running_load(
            Path(folder), numbers=asked.numbers, files=asked.files, workers=WORKERS, concurrency=CONCURRENCY
        ) as load,
    ):
        samples, restarted = soak(load, asked)
    name = "soak" if samples[-1].uploads >= UPLOADS else "soak_quick"
    page = report(samples, restarted, asked, f"{name}.svg")
    print(page)
    (RESULTS / f"{name}.md").write_text(page, encoding="utf-8")
    (RESULTS / f"{name}.svg").write_text(plot(samples), encoding="utf-8")


if __name__ == "__main__":
    main()
