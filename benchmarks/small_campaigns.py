"""What small campaigns on many numbers cost: Greenroom beside a bare ``requests.post`` and peers, in one run.

Run with ``make bench-small``, or ``python -m benchmarks.small_campaigns [--rounds 3] [--numbers 40]
[--files 20] [--beside REVISION]``; takes a minute and a half, and half a one for each revision, which is
measured in a checkout of its own, by its own processes. In each round a contender is handed so many files on
each number, while it is idle; all keep the pace of 25 uploads a second on each number, as well as they can.
CPU is that of all processes of a contender, its broker and database among them, from the hand-over until some
seconds after the last upload, with what they compute without any work. Writes
``benchmarks/results/small_campaigns.md``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.backlog_cost import spent
from benchmarks.checkouts import checked_out, git
from benchmarks.endpoint import RESULTS, BenchmarkEndpoint, endpoint_running, make_files
from benchmarks.machine import describe
from benchmarks.peers.contender import Stage
from benchmarks.peers.entries import ENTRIES, GREENROOM, REFERENCE
from benchmarks.peers.family import Family
from benchmarks.suite import Running, middle_rate, running
from sandbox.rate_limits import SlidingSecond
from worker.embedded.state_dir import StateDir

CONTENDERS = ("thread-pool", "dramatiq", GREENROOM)
#: Seconds after the last upload in which a contender ends what it began.
REST = 3.0
#: The figures of Greenroom's parts.
PARTS = "parts"
#: What is not among the processes that the stack's folder notes.
REST_OF_IT = "PostgreSQL, scheduler, supervisor"

Figures = dict[str, dict[str, list[float]]]


class SmallCampaigns:
    """One run."""

    def __init__(self, endpoint: BenchmarkEndpoint, folder: Path, *, numbers: int, files: int) -> None:
        self.figures: Figures = defaultdict(lambda: defaultdict(list))
        self._endpoint = endpoint
        self._folder = folder
        self._numbers = numbers
        self._files = numbers * files

    def round(self, contender: Running, reference: Running) -> None:
        """Hand over, wait until it is done, and note the figures."""
        post = self._bare(reference)
        keys = self.keys(contender)
        work = {"name": f"round-{contender.files_had}", "first": contender.files_had, "files": self._files}
        contender.files_had += self._files
        self._endpoint.reset()
        before, parts = contender.family.cpu(), self._parts(contender)
        started = contender.ask("upload", **work, keys=keys, paced=True)["started"]
        self._endpoint.await_uploads(self._files)
        by_key = self._endpoint.arrivals_of()
        arrivals = sorted(stamp for stamps in by_key.values() for stamp, _ in stamps)
        time.sleep(REST)
        cost = 1000 * (contender.family.cpu() - before) / self._files
        self._note(
            contender.name,
            cpu=cost,
            ratio=cost / post,
            rate=middle_rate(arrivals),
            seconds=arrivals[-1] - started,
            first=1000 * (arrivals[0] - started),
            peak=max(_peak([stamp for stamp, _ in stamps]) for stamps in by_key.values()),
            missing=self._files - len(arrivals),
        )
        if contender.name == GREENROOM:
            self._note(PARTS, **spent(parts, self._parts(contender), self._files))
            before = contender.family.cpu()
            time.sleep(REST)
            self._note(contender.name, idle=1000 * (contender.family.cpu() - before) / REST)

    def keys(self, contender: Running) -> list[str]:
        """The contender's numbers."""
        return [f"{contender.name}-{number}" for number in range(self._numbers)]

    def _bare(self, reference: Running) -> float:
        """CPU milliseconds of a bare post, right before."""
        files = 300
        cpu = reference.ask("upload", name="", first=0, files=files, keys=["bare"], paced=False)["cpu"]
        self._note(reference.name, cpu=1000 * cpu / files)
        return 1000 * float(cpu) / files

    def _parts(self, contender: Running) -> dict[str, float]:
        """CPU seconds so far of each part of Greenroom; nothing of others."""
        for state_dir in self._folder.glob(f"{GREENROOM}-*/home"):
            parts = {name: Family([pid]).cpu() for name, pid in StateDir(folder=state_dir).noted().items()}
            return {**parts, REST_OF_IT: contender.family.cpu() - sum(parts.values())}
        return {}

    def _note(self, name: str, **figures: float) -> None:
        for figure, value in figures.items():
            self.figures[name][figure].append(value)


def _peak(stamps: Sequence[float]) -> int:
    """The most in any second."""
    window = SlidingSecond()
    for stamp in stamps:
        window.arrive(stamp)
    return window.peak


def measure(
    *,
    rounds: int,
    numbers: int,
    files: int,
    contenders: Sequence[str] = CONTENDERS,
    revisions: Sequence[str] = (),
) -> Figures:
    """So many rounds; the first hand-over of each contender is not judged. Earlier revisions come first."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as name, ExitStack() as stack:
        endpoint = stack.enter_context(endpoint_running())
        folder = Path(name, "files")
        folder.mkdir()
        paths = make_files(folder, numbers * (files * rounds + 1))
        stage = Stage(endpoint=endpoint.address, folder=Path(name), files=paths)
        campaigns = SmallCampaigns(endpoint, Path(name), numbers=numbers, files=files)
        reference = stack.enter_context(running(REFERENCE, stage))
        for contender in (*revisions, *contenders):
            with _started(contender, stage, earlier=contender in revisions) as one:
                one.ask("numbers", keys=campaigns.keys(one))
                endpoint.reset()
                warm = {"name": "warm-up", "first": 0, "files": numbers, "paced": False}
                one.files_had = numbers
                one.ask("upload", **warm, keys=campaigns.keys(one))
                endpoint.await_uploads(numbers)
                time.sleep(REST)
                for _ in range(rounds):
                    campaigns.round(one, reference)
    return campaigns.figures


@contextmanager
def _started(name: str, stage: Stage, *, earlier: bool) -> Iterator[Running]:
    """A contender; Greenroom as it was in an earlier revision, by that revision's own benchmarks."""
    if not earlier:
        with running(name, stage) as one:
            yield one
        return
    folder = stage.folder / name
    folder.mkdir()
    with (
        checked_out(name, folder / "checkout") as code,
        running(GREENROOM, replace(stage, folder=folder), code) as one,
    ):
        one.name = name
        yield one


def report(figures: Figures, *, numbers: int, files: int, machine: Mapping[str, str]) -> str:
    """The page."""
    rounds = len(figures[GREENROOM]["cpu"])
    columns: dict[str, tuple[str, Callable[[float], str]]] = {
        "cpu": ("CPU ms an upload", "{:.2f}".format),
        "ratio": ("times `requests.post`", "{:.2f}".format),
        "rate": ("uploads/s", "{:,.0f}".format),
        "seconds": ("s until the last", "{:.2f}".format),
        "first": ("ms until the first", "{:.0f}".format),
        "peak": ("most in a second on a number", "{:.0f}".format),
        "missing": ("missing", "{:.0f}".format),
    }
    earlier = [name for name in figures if name not in ENTRIES and name != PARTS]
    beside = "".join(f" --beside {name}" for name in earlier)
    command = f"python -m benchmarks.small_campaigns --rounds {rounds}{beside}"
    idle = _cell(figures[GREENROOM]["idle"], "{:.0f}".format)
    introduction = (
        f"Written by `{command}`: {files} files of 50 KB on each of {numbers} numbers, all idle "
        f"before, at an endpoint that answers at once; medians of {rounds} rounds, with the smallest and the "
        f"largest. CPU counts all processes of a contender until {REST:.0f} s after the last upload, with "
        f"what they compute without any work: Greenroom {idle} ms a second."
    )
    lines = [
        "# What small campaigns cost",
        "",
        introduction,
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        "",
        f"| | {' | '.join(title for title, _ in columns.values())} |",
        f"| --- |{' ---: |' * len(columns)}",
    ]
    titles = {name: entry.title for name, entry in ENTRIES.items() if name in figures}
    titles |= {name: f"Greenroom, `{name}`" for name in earlier}
    for name, title in titles.items():
        cells = [_cell(figures[name].get(column, ()), show) for column, (_, show) in columns.items()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines += ["", "| of Greenroom's | CPU ms an upload |", "| --- | ---: |"]
    parts = figures[PARTS]
    lines += [f"| {part} | {_cell(values, '{:.2f}'.format)} |" for part, values in sorted(parts.items())]
    return "\n".join([*lines, ""])


def _cell(values: Sequence[float], show: Callable[[float], str]) -> str:
    if not values:
        return ""
    low, middle, high = show(min(values)), show(statistics.median(values)), show(max(values))
    return middle if low == high else f"{middle} ({low} to {high})"


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--numbers", type=int, default=40)
    arguments.add_argument("--files", type=int, default=20, help="on each number")
    arguments.add_argument(
        "--alone", action="store_true", help="Greenroom beside a bare post; writes nothing"
    )
    arguments.add_argument(
        "--beside", metavar="REVISION", action="append", default=[], help="an earlier one, in the same run"
    )
    given = arguments.parse_args()
    machine = describe()
    figures = measure(
        rounds=given.rounds,
        numbers=given.numbers,
        files=given.files,
        contenders=(GREENROOM,) if given.alone else CONTENDERS,
        revisions=[git("rev-parse", "--short", revision) for revision in given.beside],
    )
    page = report(figures, numbers=given.numbers, files=given.files, machine=machine)
    print(page)
    if not given.alone:
        (RESULTS / "small_campaigns.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
