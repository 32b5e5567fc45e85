"""Forty numbers at once, and a campaign that overtakes another one: nobody waits for somebody else's backlog.

Run with ``make bench-numbers``, or ``python -m benchmarks.many_numbers [--quick]``. Of forty numbers one has
100,000 files, one has a key that the provider refuses, and one gets its answers after three seconds; all
others have enough files of 50 KB for the whole run, answered after 100 ms. Then, on one number, a campaign
that is due soon comes in while one that is due later is being uploaded. Writes
``benchmarks/results/many_numbers.md`` and two plots.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from PIL import Image

from benchmarks.allowance import most_in_a_second
from benchmarks.backlog import backlog
from benchmarks.endpoint import RESULTS, BenchmarkEndpoint, endpoint_running, make_files
from benchmarks.lines import bars, curves
from benchmarks.machine import describe
from benchmarks.peers.contender import LIMIT_PER_SECOND

NUMBERS = 40
LONGEST, BLOCKED, SLOW = "longest", "blocked", "slow"
LATENCY, SLOW_LATENCY = 0.1, 3.0
REFUSED_KEY = 401
#: Seconds that are not judged: the first ones, in which owners and connections are found.
BEGINNING = 5.0

Arrivals = Mapping[str, Sequence[tuple[float, bool]]]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    longest: int
    seconds: float
    later_files: int
    sooner_files: int


WHOLE = Sizes(longest=100_000, seconds=60.0, later_files=3_000, sooner_files=200)
SHORT = Sizes(longest=4_000, seconds=10.0, later_files=600, sooner_files=50)


def make_tiny_files(folder: Path, count: int, *, salt: str = "") -> list[str]:
    """Valid JPEGs of some hundred bytes, each with a content of its own, which another salt does not have."""
    image = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(image, "JPEG")
    start, rest = image.getvalue()[:2], image.getvalue()[2:]
    paths = []
    for number in range(count):
        comment = hashlib.sha256(f"{salt}{number}".encode()).digest()
        path = folder / f"tiny-{number:06}.jpg"
        path.write_bytes(start + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + rest)
        paths.append(str(path))
    return paths


def forty_numbers(folder: Path, endpoint: BenchmarkEndpoint, sizes: Sizes) -> dict[str, float]:
    """Uploads/s of each number, over the time that is judged; and what was refused in all."""
    others = [f"number-{place:02}" for place in range(4, NUMBERS + 1)]
    files = make_files(folder, int((sizes.seconds + BEGINNING + 10) * LIMIT_PER_SECOND))
    endpoint.reset(latency=LATENCY, allowed=LIMIT_PER_SECOND)
    endpoint.set_number(SLOW, latency=SLOW_LATENCY)
    endpoint.set_number(BLOCKED, answer=REFUSED_KEY)
    with backlog(folder, endpoint, workers=2) as work:
        work.add_numbers([LONGEST, BLOCKED, SLOW, *others])
        work.hand_over("longest", LONGEST, make_tiny_files(folder, sizes.longest), due=timedelta(hours=1))
        for key in (BLOCKED, SLOW, *others):
            work.hand_over(key, key, files, due=timedelta(hours=6))
        print(f"looked at all files in {work.await_inspection():.0f} s", flush=True)
        work.release()
        endpoint.await_uploads(NUMBERS)
        time.sleep(sizes.seconds + BEGINNING)
        arrivals: Arrivals = endpoint.arrivals_of()
    begin = min(stamps[0][0] for stamps in arrivals.values()) + BEGINNING
    rates = dict.fromkeys((LONGEST, BLOCKED, SLOW, *others), 0.0)
    for key, stamps in arrivals.items():
        judged = [at for at, refused in stamps if begin <= at < begin + sizes.seconds and not refused]
        rates[key] = len(judged) / sizes.seconds
    rates["refused"] = float(sum(refused for stamps in arrivals.values() for _, refused in stamps))
    rates["most"] = float(max(most_in_a_second([at for at, _ in stamps]) for stamps in arrivals.values()))
    return rates


def overtaking(folder: Path, endpoint: BenchmarkEndpoint, sizes: Sizes) -> dict[str, list[float]]:
    """When each file of the later and of the sooner campaign was there, in seconds; and the hand-over."""
    later = make_files(folder, sizes.later_files)
    sooner = make_tiny_files(folder, sizes.sooner_files)
    endpoint.reset(latency=LATENCY, allowed=LIMIT_PER_SECOND)
    with backlog(folder, endpoint, workers=2) as work:
        work.add_numbers(["number"])
        work.hand_over("later", "number", later, due=timedelta(days=1))
        work.await_inspection()
        work.release()
        endpoint.await_uploads(1)
        time.sleep(sizes.seconds / 4)
        handed_over = time.monotonic()
        work.hand_over("sooner", "number", sooner, due=timedelta(minutes=10))
        time.sleep(sizes.sooner_files / LIMIT_PER_SECOND + 10)
        found = work.uploaded_at(("later", "sooner"))
        began = time.time() - time.monotonic()
    first = min(found["later"])
    moments = {name: sorted(at - first for at in ats) for name, ats in found.items()}
    return {**moments, "handed over": [handed_over + began - first]}


def report(rates: Mapping[str, float], times: Mapping[str, Sequence[float]], sizes: Sizes) -> list[str]:
    """The Markdown."""
    others = sorted(rate for key, rate in rates.items() if key.startswith("number"))
    handed_over = times["handed over"][0]
    sooner = times["sooner"]
    meanwhile = sum(sooner[0] <= at <= sooner[-1] for at in times["later"])
    share = others[0] / LIMIT_PER_SECOND, statistics.median(others) / LIMIT_PER_SECOND
    in_all = (
        f"In all {sum(others) + rates[LONGEST] + rates[SLOW]:,.0f} uploads/s; {rates['refused']:.0f} refused "
        f"(429), at most {rates['most']:.0f} arrivals of one number within any second."
    )
    overtaken = (
        f"A campaign of {sizes.sooner_files} files, due in ten minutes, is handed over while one of "
        f"{sizes.later_files:,}, due in a day, is being uploaded on the same number. Its first file is there "
        f"{sooner[0] - handed_over:.1f} s after the hand-over began, its last one after "
        f"{sooner[-1] - handed_over:.1f} s (at 25 a second they take "
        f"{sizes.sooner_files / LIMIT_PER_SECOND:.0f} s); {meanwhile} files of the other one went out "
        "between these two moments."
    )
    return [
        "# Forty numbers at once, and a campaign that overtakes",
        "",
        f"Written by `make bench-numbers`. Two uploading processes; {sizes.seconds:.0f} s are judged.",
        "",
        *(f"- {name}: {value}" for name, value in describe().items()),
        "",
        "![Uploads a second of each number](many_numbers.svg)",
        "",
        "| number | uploads/s | of the allowance |",
        "| --- | ---: | ---: |",
        f"| the slowest of the {len(others)} others | {others[0]:.2f} | {share[0]:.1%} |",
        f"| the median of them | {statistics.median(others):.2f} | {share[1]:.1%} |",
        f"| {sizes.longest:,} files | {rates[LONGEST]:.2f} | {rates[LONGEST] / LIMIT_PER_SECOND:.1%} |",
        f"| answers after {SLOW_LATENCY:.0f} s | {rates[SLOW]:.2f} | {rates[SLOW] / LIMIT_PER_SECOND:.1%} |",
        f"| key refused | {rates[BLOCKED]:.2f} | paused |",
        "",
        in_all,
        "",
        "## Overtaking",
        "",
        "![Files uploaded of both campaigns](overtaking.svg)",
        "",
        overtaken,
        "",
    ]


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="smaller, and written nowhere")
    quick = arguments.parse_args().quick
    sizes = SHORT if quick else WHOLE
    with endpoint_running() as endpoint:
        with tempfile.TemporaryDirectory() as folder:
            rates = forty_numbers(Path(folder), endpoint, sizes)
        with tempfile.TemporaryDirectory() as folder:
            times = overtaking(Path(folder), endpoint, sizes)
    lines = report(rates, times, sizes)
    print("\n".join(lines))
    if quick:
        return
    shown = {key: rate for key, rate in rates.items() if key not in ("refused", "most")}
    (RESULTS / "many_numbers.md").write_text("\n".join(lines), encoding="utf-8")
    (RESULTS / "many_numbers.svg").write_text(
        bars("Uploads a second of forty numbers", shown, limit=float(LIMIT_PER_SECOND)), encoding="utf-8"
    )
    campaigns = {
        f"due {'in a day' if name == 'later' else 'soon'}": times[name] for name in ("later", "sooner")
    }
    (RESULTS / "overtaking.svg").write_text(
        curves("Files uploaded on one number", campaigns, mark=("handed over", times["handed over"][0])),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
