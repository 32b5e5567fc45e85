"""Greenroom beside what people use instead, and beside the limits: ``make bench``, ``make bench-quick``.

Every contender uploads the same files of 50 KB to the same endpoint on loopback, one contender after the
other, in one run; rounds of bare ``requests.post`` stand between them, so that a busy machine slows both.
Writes a table and a plot to ``benchmarks/results/``, and all single figures to ``raw/`` there, which Git
leaves out.

    python -m benchmarks.suite           # a quarter of an hour
    python -m benchmarks.suite --quick   # under 100 s: fewer rounds, fewer contenders
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.backlog_cost import measure
from benchmarks.checkouts import environment_of
from benchmarks.endpoint import PATIENCE, RAW, RESULTS, BenchmarkEndpoint, endpoint_running, make_files
from benchmarks.figures import BACKLOG, BACKLOG_WHOLE, QUICK, WHOLE, Results, Sizes
from benchmarks.machine import describe
from benchmarks.peers.contender import CHECKOUT, LIMIT_PER_SECOND, Stage, python
from benchmarks.peers.entries import CELERY, ENTRIES, GREENROOM, KEPT_REFERENCE, REFERENCE
from benchmarks.peers.family import Family, MemoryWatch
from benchmarks.peers.limits import bare_socket, hash_and_type, wrk
from benchmarks.plot import plot
from benchmarks.report import report
from sandbox.rate_limits import SlidingSecond

#: Answers take so long where one number's pace is measured, as over a real network.
LATENCY, JITTER = 0.1, 0.05
#: What was begun with the last upload is still written down, and counts.
SETTLE = 0.5
#: Before a single file is handed over, so that nothing else is in flight.
QUIET = 0.3
STARTED = time.monotonic()


class Running:
    """A contender's process."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.files_had = 0
        self._process = process
        self.family = Family([process.pid, *self._answer()["processes"]])

    def ask(self, do: str, **options: Any) -> dict[str, Any]:
        """Have it do something."""
        if self._process.stdin is None:
            raise AssertionError("its input was asked for")
        self._process.stdin.write(json.dumps({"do": do, **options}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise SystemExit(f"{self._process.args!r} ended too soon; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def running(name: str, stage: Stage, code: Path = CHECKOUT) -> Iterator[Running]:
    """A contender, set up and idle; nothing of it is left afterwards.

    Args:
        name: whose.
        stage: for what.
        code: a checkout, where it is not of this one.
    """
    folder = stage.folder / f"{name}-{time.monotonic_ns()}"
    folder.mkdir()
    process = subprocess.Popen(
        python("benchmarks.peers", name),
        cwd=code,
        env=environment_of(code),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # An interrupt is for us; it ends when its input does.
        start_new_session=True,
    )
    if process.stdin is None:
        raise AssertionError("its input was asked for")
    try:
        given = {"endpoint": stage.endpoint, "folder": str(folder), "files": stage.files}
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        yield Running(name, process)
    finally:
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(kw_only=True)
class Suite:
    """One run."""

    stage: Stage
    endpoint: BenchmarkEndpoint
    sizes: Sizes
    results: Results
    quick: bool

    def run(self) -> None:
        """Measure everything."""
        self._limits()
        names = [name for name, entry in ENTRIES.items() if entry.quick or not self.quick]
        contenders = [name for name in names if name not in (REFERENCE, KEPT_REFERENCE)]
        with ExitStack() as stack:
            references = [
                stack.enter_context(running(name, self.stage)) for name in (REFERENCE, KEPT_REFERENCE)
            ]
            for number in range(self.sizes.passes):
                for name in contenders:
                    _say(f"pass {number + 1} of {self.sizes.passes}: {ENTRIES[name].title}")
                    with running(name, self.stage) as contender:
                        self._measure(contender, references)
        for _ in range(0 if self.quick else self.sizes.passes):
            self._under_a_backlog()

    def _under_a_backlog(self) -> None:
        """What Greenroom's uploads cost at the full pace of all numbers, beside posts in those seconds."""
        _say("Greenroom under a backlog")
        folder = self.stage.folder / f"backlog-{time.monotonic_ns()}"
        folder.mkdir()
        keys = [f"backlog-{number}" for number in range(self.sizes.numbers)]
        with endpoint_running() as other:
            found = measure(keys, self.endpoint, other, folder, flame_graph=None)
        upload, look = sum(found.upload.values()), sum(found.inspection.values())
        beside, alone = found.times(found.beside), found.times((found.alone, found.alone))
        rate = found.uploaded
        self.results.add(
            BACKLOG, cpu=upload, rate=rate, beside=beside[0], ratio=alone[0], cores=upload * rate / 1000
        )
        self.results.add(BACKLOG_WHOLE, cpu=upload + look, beside=beside[2], ratio=alone[2])

    def _limits(self) -> None:
        _say("the limits")
        seconds = 2.0 if self.quick else 4.0
        for _ in range(self.sizes.passes * self.sizes.rounds):
            self.endpoint.reset()
            before = self.endpoint.family.cpu()
            fastest = wrk(self.stage, seconds / 2)
            if fastest is not None and fastest.cpu is not None:
                served = self.endpoint.uploads()
                cpu = 1000 * (self.endpoint.family.cpu() - before) / served
                self.results.add("wrk", rate=fastest.rate, cpu=fastest.cpu, endpoint_cpu=cpu)
            by_hand = bare_socket(self.stage, self.sizes.files)
            self.results.add("socket", rate=by_hand.rate, cpu=by_hand.cpu or 0.0)
            alone = hash_and_type(self.stage.files)
            self.results.add("hash", rate=alone.rate, cpu=alone.cpu or 0.0)

    def _measure(self, contender: Running, references: Sequence[Running]) -> None:
        entry = ENTRIES[contender.name]
        contender.ask("numbers", keys=self._numbers(contender))
        self._flat_out(contender, files=self.sizes.numbers, warm_up=True)
        with MemoryWatch(contender.family) as memory:
            if entry.flat_out:
                for _ in range(self.sizes.rounds):
                    bare = [self._flat_out(one, files=self.sizes.reference_files) for one in references]
                    cost = self._flat_out(contender, files=self.sizes.files)
                    self.results.add(contender.name, ratio=cost / bare[0], ratio_kept=cost / bare[1])
                self._first_uploads(contender)
            if entry.paced:
                self._paced(contender)
        self.results.add(contender.name, memory=memory.total, largest=memory.largest)
        manifests = {GREENROOM: ("bare", "copy", "save", "save_together", "enqueue"), CELERY: ("enqueue",)}
        for what in manifests.get(contender.name, ()):
            files = self.sizes.celery_manifest if contender.name == CELERY else self.sizes.manifest
            took = contender.ask(what, files=files)
            self.results.add(contender.name, **{what: took["files"] / took["seconds"]})

    def _flat_out(self, contender: Running, *, files: int, warm_up: bool = False) -> float:
        """A round without a pace; returns CPU milliseconds for each upload."""
        work = {**self._next_files(contender, files), "keys": self._numbers(contender), "paced": False}
        self.endpoint.reset()
        before, served_before = contender.family.cpu(), self.endpoint.family.cpu()
        handed_over = contender.ask("upload", **work)
        self.endpoint.await_uploads(files)
        arrivals = [stamp for stamp, _ in self.endpoint.arrivals()]
        if contender.name in (REFERENCE, KEPT_REFERENCE):
            # One process, which is done: its own clock is finer than the system's.
            used = float(handed_over["cpu"])
        else:
            time.sleep(SETTLE)
            used = contender.family.cpu() - before
        served = self.endpoint.family.cpu() - served_before
        if len(arrivals) != files:
            _say(f"    {len(arrivals)} uploads of {files} in {PATIENCE:.0f} s")
        cost = 1000 * used / len(arrivals)
        if not warm_up:
            seconds = arrivals[-1] - handed_over["started"]
            self.results.add(
                contender.name,
                cpu=cost,
                rate=middle_rate(arrivals),
                seconds=seconds,
                cores=used / seconds,
                endpoint_cores=served / seconds,
            )
            if contender.name == GREENROOM:
                self._again(contender, work)
        return cost

    def _numbers(self, contender: Running) -> list[str]:
        """The contender's numbers; they are in use from the warming up on."""
        return [f"{contender.name}-{number}" for number in range(self.sizes.numbers)]

    def _next_files(self, contender: Running, files: int) -> dict[str, Any]:
        """Files that the contender has not had yet: Greenroom would not upload them again."""
        first = contender.files_had
        contender.files_had += files
        return {"name": f"hand-over-{first}", "first": first, "files": files}

    def _again(self, contender: Running, work: dict[str, Any]) -> None:
        before = self.endpoint.uploads()
        took = contender.ask("again", **work)
        if took["found"] != work["files"]:
            raise SystemExit(f"{took['found']:.0f} media IDs of {work['files']} were found again")
        self.results.add(
            contender.name, again=took["seconds"], again_uploads=self.endpoint.uploads() - before
        )

    def _first_uploads(self, contender: Running) -> None:
        """How soon a single file is sent, while nothing else is to be done."""
        for _ in range(3):
            time.sleep(QUIET)
            self.endpoint.reset()
            work = {**self._next_files(contender, 1), "keys": self._numbers(contender)[:1], "paced": True}
            started = contender.ask("upload", **work)["started"]
            self.endpoint.await_uploads(1)
            self.results.add(contender.name, first=self.endpoint.arrivals()[0][0] - started)

    def _paced(self, contender: Running) -> None:
        """One number, with more to upload than it may, at an endpoint that refuses what is too much."""
        seconds = self.sizes.paced_seconds
        self.endpoint.reset(latency=LATENCY, jitter=JITTER, allowed=LIMIT_PER_SECOND)
        # Enough for the first second, which may have a burst and is not judged, and for some after the last.
        files = LIMIT_PER_SECOND * (seconds + 4)
        keys = self._numbers(contender)[:1]
        contender.ask("upload", **self._next_files(contender, files), keys=keys, paced=True)
        self.endpoint.await_uploads(1)
        begin = (self.endpoint.arrivals() or [(time.monotonic(), False)])[0][0] + 1
        time.sleep(max(0.0, begin + seconds - time.monotonic()))
        arrivals = [one for one in self.endpoint.arrivals() if one[0] < begin + seconds]
        judged = [refused for stamp, refused in arrivals if stamp >= begin]
        window = SlidingSecond()
        for stamp, _ in arrivals:
            window.arrive(stamp)
        if contender.name == GREENROOM:
            # What is measured next is not to wait for a worker that waits for the pace.
            self.endpoint.await_uploads(files)
        self.results.add(
            contender.name,
            paced=judged.count(False) / seconds,
            use=100 * judged.count(False) / seconds / LIMIT_PER_SECOND,
            refused=judged.count(True) / seconds,
            refused_in_all=sum(refused for _, refused in arrivals),
            peak=window.peak,
        )


def middle_rate(arrivals: Sequence[float]) -> float:
    """Arrivals a second, without the tenth at the beginning and the tenth at the end."""
    first, last = len(arrivals) // 10, len(arrivals) * 9 // 10
    return (last - first) / (arrivals[last] - arrivals[first])


def _say(text: str) -> None:
    print(f"{time.monotonic() - STARTED:4.0f} s  {text}", file=sys.stderr, flush=True)


def _asked_to_end(*_: object) -> NoReturn:
    raise SystemExit(1)


def main() -> None:
    """Measure, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer contenders")
    quick = parser.parse_args().quick
    signal.signal(signal.SIGTERM, _asked_to_end)
    sizes = QUICK if quick else WHOLE
    results = Results(machine=describe(), sizes=sizes)
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as folder, endpoint_running() as endpoint:
        files = Path(folder) / "files"
        files.mkdir()
        stage = Stage(
            endpoint=endpoint.address, folder=Path(folder), files=make_files(files, sizes.different_files)
        )
        Suite(stage=stage, endpoint=endpoint, sizes=sizes, results=results, quick=quick).run()
    results.machine["took"] = f"{time.monotonic() - STARTED:.0f} s"
    name = "peers_quick" if quick else "peers"
    RAW.mkdir(parents=True, exist_ok=True)
    raw = {"machine": results.machine, "figures": results.figures}
    (RAW / f"{name}.json").write_text(json.dumps(raw, indent=1) + "\n")
    (RESULTS / f"{name}.svg").write_text(plot(results))
    text = report(results, image=f"{name}.svg", quick=quick)
    (RESULTS / f"{name}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
