"""What an upload costs the whole system under a backlog, beside a bare ``requests.post`` of the same file.

Run with ``make bench-backlog``, or ``python -m benchmarks.backlog_cost [--numbers 40] [--rounds 3]``; takes
three minutes. In each round all files are handed over and looked at first, which is a figure of its own; then
all numbers are released, and the CPU of every process of the stack is read at both ends of some seconds at
full pace: uploading and inspecting workers, beat, broker, database. The endpoint is left out. What a bare
``requests.post`` costs is measured in the same seconds, at an endpoint of its own, and besides before and
after each round, when nothing else is going on. Writes ``benchmarks/results/backlog.md``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.backlog import Backlog, backlog
from benchmarks.endpoint import RESULTS, BenchmarkEndpoint, endpoint_running, make_files
from benchmarks.machine import describe
from benchmarks.peers.contender import LIMIT_PER_SECOND
from benchmarks.peers.family import Family
from benchmarks.posting import cost_of_a_post, posting
from benchmarks.profiled import SECONDS as PROFILED_SECONDS
from benchmarks.profiled import busiest, profile

#: Seconds that are judged, and those before that are not.
SECONDS, BEGINNING = 20.0, 8.0
LATENCY, JITTER = 0.1, 0.05
#: CPU seconds in a second below which the stack is at rest.
REST = 0.05


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


def await_rest(work: Backlog) -> None:
    """Wait until nothing starts up any more: a second in which the stack computes next to nothing."""
    while True:
        before = sum(cpu(work).values())
        time.sleep(1)
        if sum(cpu(work).values()) - before < REST:
            return


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round cost.

    Attributes:
        inspection: CPU milliseconds of each part for a file that was handed over and looked at.
        upload: the same for an upload.
        beside: CPU milliseconds of a bare ``requests.post`` while files were looked at, and while they were
            uploaded.
        alone: the same before and after the round.
        inspected: files looked at in a second.
        uploaded: uploads in a second.
        refused: uploads that were answered with 429.
        areas: what an uploading process was about, as parts of its time; empty where it was not looked at.
    """

    inspection: dict[str, float]
    upload: dict[str, float]
    beside: tuple[float, float]
    alone: float
    inspected: float
    uploaded: float
    refused: int
    areas: Mapping[str, float]

    def times(self, posts: tuple[float, float]) -> tuple[float, float, float]:
        """An upload, a file looked at, and both together: so many times a bare post.

        Args:
            posts: what one cost while files were looked at, and while they were uploaded.
        """
        inspection, upload = sum(self.inspection.values()) / posts[0], sum(self.upload.values()) / posts[1]
        return upload, inspection, upload + inspection


def measure(
    keys: Sequence[str],
    endpoint: BenchmarkEndpoint,
    other: BenchmarkEndpoint,
    folder: Path,
    flame_graph: Path | None,
) -> Round:
    """One round, on a stack of its own; after it is measured, an uploading process may be looked into."""
    profiled = PROFILED_SECONDS if flame_graph else 0
    files = make_files(folder, int((SECONDS + BEGINNING + profiled + 6) * LIMIT_PER_SECOND))
    endpoint.reset()
    posts = [cost_of_a_post(endpoint.address, files[0])]
    with backlog(folder, endpoint, workers=2) as work:
        endpoint.reset(latency=LATENCY, jitter=JITTER, allowed=LIMIT_PER_SECOND)
        work.add_numbers(keys)
        await_rest(work)
        began = cpu(work)
        with posting(other.address, files[0]) as beside_inspection:
            for key in keys:
                work.hand_over(key, key, files, due=timedelta(hours=6))
            seconds = work.await_inspection()
            inspection = spent(began, cpu(work), len(files) * len(keys))
        work.release()
        endpoint.await_uploads(1)
        time.sleep(BEGINNING)
        first, uploads = cpu(work), endpoint.uploads()
        with posting(other.address, files[0]) as beside_upload:
            time.sleep(SECONDS)
            uploaded = endpoint.uploads() - uploads
            upload = spent(first, cpu(work), uploaded)
        refused = endpoint.refused()
        areas = profile(busiest(work.processes()["worker-1"]), flame_graph) if flame_graph else {}
    endpoint.reset()
    posts.append(cost_of_a_post(endpoint.address, files[0]))
    return Round(
        inspection=inspection,
        upload=upload,
        beside=(beside_inspection.cost, beside_upload.cost),
        alone=statistics.mean(posts),
        inspected=len(files) * len(keys) / seconds,
        uploaded=uploaded / SECONDS,
        refused=refused,
        areas=areas,
    )


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--numbers", type=int, default=40)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--json", action="store_true", help="print the first round's figures alone")
    arguments.add_argument("--flame-graph", type=Path, help="of an uploading process; drawn here")
    given = arguments.parse_args()
    keys = [f"number-{place:03}" for place in range(given.numbers)]
    machine = describe()
    rounds = []
    with endpoint_running() as endpoint, endpoint_running() as other:
        for _ in range(given.rounds):
            with tempfile.TemporaryDirectory() as name:
                rounds.append(measure(keys, endpoint, other, Path(name), given.flame_graph))
    if given.json:
        first = rounds[0]
        figures = ("upload", "inspection", "beside", "uploaded", "areas")
        print(json.dumps({figure: getattr(first, figure) for figure in figures}))
        return
    lines = report(rounds, numbers=given.numbers, machine=machine)
    print("\n".join(lines))
    (RESULTS / "backlog.md").write_text("\n".join(lines), encoding="utf-8")


def report(rounds: Sequence[Round], *, numbers: int, machine: Mapping[str, str]) -> list[str]:
    """The page's lines: milliseconds as medians of the rounds, ratios with their spread."""
    introduction = (
        f"Written by `make bench-backlog`: {numbers} numbers with a backlog, files of 50 KB, answers after "
        f"100 to 150 ms; {len(rounds)} rounds of {SECONDS:.0f} s at full pace, and what a bare "
        "`requests.post` of the same file costs, in bursts in the same seconds, when cores and caches are "
        "shared, and alone before and after. Looking at a file takes in handing it over, sniffing, reading "
        "its header, hashing, and finding whether there is a media ID for it already; it is done once, hours "
        "before the send-out or minutes."
    )
    upload = {kind: middle(one.upload[kind] for one in rounds) for kind in rounds[0].upload}
    inspection = {kind: middle(one.inspection[kind] for one in rounds) for kind in upload}
    beside = [spread(one.times(one.beside)[which] for one in rounds) for which in range(3)]
    alone = [spread(one.times((one.alone, one.alone))[which] for one in rounds) for which in range(3)]
    posts = [middle(one.beside[which] for one in rounds) for which in range(2)]
    post = middle(one.alone for one in rounds)
    uploaded, inspected = (middle(one.uploaded for one in rounds), middle(one.inspected for one in rounds))
    return [
        "# What an upload costs the whole system",
        "",
        introduction,
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        "",
        "| CPU ms for each | an upload | a file looked at | both |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {kind} | {ms:.3f} | {inspection[kind]:.3f} | {ms + inspection[kind]:.3f} |"
            for kind, ms in upload.items()
        ),
        f"| `requests.post(files=...)` in the same seconds | {posts[1]:.3f} | {posts[0]:.3f} | |",
        f"| **times that** | **{beside[0]}** | {beside[1]} | **{beside[2]}** |",
        f"| `requests.post(files=...)` alone, before and after | {post:.3f} | {post:.3f} | |",
        f"| times that | {alone[0]} | {alone[1]} | {alone[2]} |",
        f"| a second | {uploaded:,.0f} | {inspected:,.0f} | |",
        f"| refused (429), all rounds | {sum(one.refused for one in rounds)} | | |",
        "",
    ]


def middle(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def spread(values: Iterable[float]) -> str:
    """The median, and between what it lies."""
    found = sorted(values)
    return f"{middle(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})"


if __name__ == "__main__":
    main()
