"""When campaigns were said to be ready, and when they were: the error of the forecast, for a dozen mixes.

Run with ``make bench-forecasts``, or ``python -m benchmarks.forecasts``: two minutes. Each mix has numbers of
its own, and all run at the same time on one stack. A forecast is taken just after a campaign was handed over,
when nothing was looked at yet, and again each second. Writes ``benchmarks/results/forecasts.md``.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.backlog import Backlog, backlog
from benchmarks.endpoint import RESULTS, BenchmarkEndpoint, endpoint_running
from benchmarks.machine import describe
from benchmarks.many_numbers import make_tiny_files
from benchmarks.peers.contender import LIMIT_PER_SECOND

LATENCY, SLOW, SLOWEST = 0.1, 1.5, 3.0
#: Seconds between two forecasts of a campaign, and how long all is waited for.
LOOK_EVERY, PATIENCE = 1.0, 300.0
NOT_YET = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """One campaign of a mix.

    Attributes:
        files: how many.
        due: seconds from the hand-over to its send time.
        after: seconds from the beginning to its hand-over.
        start: seconds from its hand-over to its uploads.
        number: on which of the mix's numbers.
        equal: the share of its files that have another one's content.
        bad: the share of its files that are empty.
    """

    files: int
    due: float = 3600.0
    after: float = 0.0
    start: float = 0.0
    number: int = 0
    equal: float = 0.0
    bad: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Campaigns on numbers that nobody else uses."""

    name: str
    campaigns: Sequence[Mixed]
    latency: float = LATENCY


MIXES = (
    Mix(name="100 files", campaigns=[Mixed(files=100)]),
    Mix(name="500 files", campaigns=[Mixed(files=500)]),
    Mix(name="1,500 files", campaigns=[Mixed(files=1500)]),
    Mix(name="200 sooner, 400 later", campaigns=[Mixed(files=200), Mixed(files=400, due=7200)]),
    Mix(
        name="200 sooner come in after 600 later",
        campaigns=[Mixed(files=600, due=7200), Mixed(files=200, after=8)],
    ),
    Mix(name="three of 150", campaigns=[Mixed(files=150, due=3600 + place) for place in range(3)]),
    Mix(name="500, half of them equal", campaigns=[Mixed(files=500, equal=0.5)]),
    Mix(name="400, a quarter of them empty", campaigns=[Mixed(files=400, bad=0.25)]),
    Mix(name="400, answers after 1.5 s", campaigns=[Mixed(files=400)], latency=SLOW),
    Mix(name="300, answers after 3 s", campaigns=[Mixed(files=300)], latency=SLOWEST),
    Mix(
        name="200 sooner that begin after 10 s, 500 later",
        campaigns=[Mixed(files=200, start=10), Mixed(files=500, due=7200)],
    ),
    Mix(name="400 on each of two numbers", campaigns=[Mixed(files=400), Mixed(files=400, number=1)]),
)


@dataclass(kw_only=True)
class Watched:
    """A campaign that is being watched.

    Attributes:
        name: its ID.
        key: its number.
        mix: its mix.
        mixed: what it has.
        handed_over: when.
        said: at which moment it was said to be ready when.
        ready: when it was.
    """

    name: str
    key: str
    mix: Mix
    mixed: Mixed
    handed_over: datetime = NOT_YET
    said: list[tuple[datetime, datetime]] = field(default_factory=list)
    ready: datetime = NOT_YET

    @property
    def took(self) -> float:
        """Seconds from the hand-over to ready."""
        return (self.ready - self.handed_over).total_seconds()

    def error(self, share: float) -> float:
        """By how many seconds it was said to be ready too late, after this share of its time."""
        at = self.handed_over + share * (self.ready - self.handed_over)
        _, said = min(self.said, key=lambda one: abs((one[0] - at).total_seconds()))
        return (said - self.ready).total_seconds()


def campaigns() -> Iterator[Watched]:
    """All of all mixes."""
    for place, mix in enumerate(MIXES):
        for number, mixed in enumerate(mix.campaigns):
            yield Watched(
                name=f"mix-{place}-{number}", key=f"number-{place}-{mixed.number}", mix=mix, mixed=mixed
            )


def files_of(folder: Path, watched: Watched) -> list[str]:
    """Files whose contents no other campaign has."""
    folder = folder / watched.name
    folder.mkdir()
    mixed = watched.mixed
    paths = make_tiny_files(folder, mixed.files, salt=watched.name)
    equal, bad = int(mixed.files * mixed.equal), int(mixed.files * mixed.bad)
    for path, other in zip(paths[:equal], paths[equal : 2 * equal], strict=True):
        shutil.copyfile(other, path)
    for path in paths[len(paths) - bad :]:
        Path(path).write_bytes(b"")
    return paths


def watch(work: Backlog, all_of: Sequence[Watched], files: dict[str, list[str]]) -> None:
    """Hand each over when its time has come, and look until all are ready."""
    began = time.monotonic()
    while any(one.ready is NOT_YET for one in all_of):
        if time.monotonic() - began > PATIENCE:
            raise RuntimeError(f"campaigns are not ready after {PATIENCE:.0f} s")
        for one in all_of:
            if one.handed_over is NOT_YET and time.monotonic() - began >= one.mixed.after:
                start = datetime.now(UTC) + timedelta(seconds=one.mixed.start)
                due = timedelta(seconds=one.mixed.due)
                work.hand_over(one.name, one.key, files[one.name], due=due, upload_from=start)
                one.handed_over = datetime.now(UTC)
            if one.handed_over is not NOT_YET and one.ready is NOT_YET:
                readiness = work.readiness(one.name)
                if readiness.ready_at is not None and readiness.left:
                    one.said.append((datetime.now(UTC), readiness.ready_at))
                elif not readiness.left:
                    one.ready = datetime.now(UTC)
        time.sleep(LOOK_EVERY / len(all_of))
    uploaded = work.uploaded_at([one.name for one in all_of])
    for one in all_of:
        one.ready = datetime.fromtimestamp(max(uploaded[one.name]), UTC)


def measure(folder: Path, endpoint: BenchmarkEndpoint) -> list[Watched]:
    """All mixes at once, on one stack."""
    all_of = list(campaigns())
    files = {one.name: files_of(folder, one) for one in all_of}
    endpoint.reset(latency=LATENCY, allowed=LIMIT_PER_SECOND)
    for one in all_of:
        endpoint.set_number(one.key, latency=one.mix.latency)
    with backlog(folder, endpoint, workers=2) as work:
        work.add_numbers(sorted({one.key for one in all_of}))
        work.release()
        watch(work, all_of, files)
    return all_of


def report(all_of: Sequence[Watched]) -> list[str]:
    """The Markdown."""
    rows = [
        f"| {one.mix.name} | {one.mixed.files:,} | {one.took:.1f} s | {_error(one, 0)} | {_error(one, 0.5)} |"
        for one in all_of
    ]
    return [
        "# When campaigns were said to be ready, and when they were",
        "",
        "Written by `make bench-forecasts`. All mixes at the same time, on numbers of their own; 25 uploads",
        "a second are allowed. *At the hand-over*, nothing was looked at yet. Plus: ready sooner than said.",
        "",
        *(f"- {name}: {value}" for name, value in describe().items()),
        "",
        "| mix | files | ready after | said at the hand-over | said half-way |",
        "| --- | ---: | ---: | ---: | ---: |",
        *rows,
        "",
        f"Error: {_spread(all_of, 0)} at the hand-over, {_spread(all_of, 0.5)} half-way.",
        "",
    ]


def _error(one: Watched, share: float) -> str:
    error = one.error(share)
    return f"{error:+.1f} s ({error / one.took:+.0%})"


def _spread(all_of: Sequence[Watched], share: float) -> str:
    errors = sorted(abs(one.error(share)) / one.took for one in all_of)
    return f"{errors[len(errors) // 2]:.0%} of the time that it took (at most {errors[-1]:.0%})"


def main() -> None:
    """Measure, print, write."""
    with endpoint_running() as endpoint, tempfile.TemporaryDirectory() as folder:
        lines = report(measure(Path(folder), endpoint))
    print("\n".join(lines))
    (RESULTS / "forecasts.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
