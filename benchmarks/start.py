"""What it takes to start: seconds and CPU until there is a media ID, and the memory of what then runs.

Run with ``python -m benchmarks.start [--rounds N] [--beside REVISION]``; a minute, as long again for the
other revision, which takes its turns in the same run from a checkout of its own. Writes
``benchmarks/results/start.md`` and, of the last round, the timeline ``benchmarks/results/start.svg``.

Each figure is that of whole commands, as their user runs them, in a folder of their own. CPU is that of a
command and of all that it has started and waited for. Memory is the proportional set (PSS, from
``smaps_rollup``): a page that processes share is counted once.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.checkouts import checked_out, environment_of, git
from benchmarks.machine import describe
from benchmarks.peers.contender import CHECKOUT
from benchmarks.timeline import Recorder, draw
from examples import makers

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5
CHANNEL = "4915112345678"
#: Seconds after its last file from which a stack is at rest.
REST_SECONDS = 4.0
#: The stack of a folder, which does one file and then waits for its standard input to end.
RESTING = Path(__file__).parent / "resting_stack.py"
#: The physical limits: what an empty interpreter takes, and one that has loaded the two largest libraries.
LIMITS = {
    "`python -c pass`": "pass",
    '`python -c "import celery, sqlalchemy"`': "import celery, sqlalchemy",
}
HELP, SUBMIT = "`greenroom --help`", "`greenroom campaign submit` of one file"
FIRST = "`greenroom run` of one file, until its media ID is printed"
WHOLE = "the same, until all has ended"
AGAIN = "the same folder again, until all has ended"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one command.

    Attributes:
        wall: seconds from its start to its end.
        first: seconds until it printed its first line; None where it printed nothing.
        cpu: seconds of all its processes.
    """

    wall: float
    first: float | None
    cpu: float


@dataclass(kw_only=True)
class Side:
    """What was measured of one checkout.

    Attributes:
        title: of its columns.
        folder: the checkout.
        costs: of each command, one a round.
        memory: bytes of each process at rest, one a round.
    """

    title: str
    folder: Path
    costs: dict[str, list[Cost]] = field(default_factory=lambda: defaultdict(list))
    memory: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def environment(self) -> dict[str, str]:
        """That of its commands: no settings but its own."""
        return {
            name: value
            for name, value in environment_of(self.folder).items()
            if not name.startswith("GREENROOM_") and name != "PYTHONDONTWRITEBYTECODE"
        }

    def greenroom(self, *words: str, **more: str) -> Cost:
        """Run its command."""
        command = [sys.executable, "-P", "-c", "import sys; from cli import main; sys.exit(main())", *words]
        return run(command, {**self.environment, **more})


def run(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors)
        if process.stdout is None:
            raise AssertionError("its output was asked for")
        first = time.monotonic() - began if process.stdout.readline() else None
        process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        if status:
            errors.seek(0)
            raise RuntimeError(f"{command[-1]}: {errors.read().decode(errors='replace')}")
    return Cost(wall=wall, first=first, cpu=used.ru_utime + used.ru_stime)


def measure(side: Side, folder: Path) -> None:
    """One round of a checkout in an empty folder."""
    for name, code in LIMITS.items():
        side.costs[name].append(run([sys.executable, "-c", code], side.environment))
    side.costs[HELP].append(side.greenroom("--help"))
    words = campaign(folder)
    first = side.greenroom(*words)
    side.costs[WHOLE].append(first)
    side.costs[AGAIN].append(side.greenroom(*words))
    with resting(side, folder) as (stack, settings):
        send_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        file = words[1]
        side.costs[SUBMIT].append(
            side.greenroom(
                "campaign", "submit", "later", file, "--channel", CHANNEL, "--send-at", send_at, **settings
            )
        )
        time.sleep(REST_SECONDS)
        for name, size in memory(folder, stack).items():
            side.memory[name].append(size)


def campaign(folder: Path) -> list[str]:
    """The words of a run of one image."""
    media = folder / "media"
    media.mkdir(exist_ok=True)
    image = media / "one.jpg"
    if not image.exists():
        image.write_bytes(makers.saved(makers.drawn_image(640, 480), "JPEG"))
    return [
        "run",
        str(image),
        "--channel",
        CHANNEL,
        "--sandbox",
        "--json",
        "--state",
        str(folder / "state"),
    ]


@contextmanager
def resting(side: Side, folder: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """A stack that has done one file; its supervisor's process ID, and settings for schedulers beside it."""
    state = folder / "resting"
    with subprocess.Popen(
        [sys.executable, "-P", str(RESTING), str(state), campaign(folder)[1]],
        env=side.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise AssertionError("both were asked for")
        said: dict[str, Any] = json.loads(process.stdout.readline())
        try:
            yield said["supervisor"], said["settings"]
        finally:
            process.stdin.close()


def memory(folder: Path, supervisor: int) -> dict[str, int]:
    """Bytes of each process of a stack, by what it is."""
    noted = json.loads((folder / "resting" / "processes.json").read_text(encoding="utf-8"))
    names = {int(row["pid"]): name for name, row in noted.items()} | {supervisor: "supervisor"}
    sizes: dict[str, int] = defaultdict(int)
    for pid, name in family(names).items():
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        pss = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
        sizes[name] += int(pss.split()[1]) * 1024
    return dict(sizes)


def family(names: Mapping[int, str]) -> dict[int, str]:
    """These processes by ID and name, and all that they have started."""
    todo, found = list(names.items()), dict(names)
    while todo:
        pid, name = todo.pop()
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text(encoding="ascii").split()):
                if child not in found:
                    found[child] = f"{name}: its processes"
                    todo.append((child, found[child]))
    return found


def report(sides: Sequence[Side]) -> str:
    """The page."""
    machine = describe()
    head = [f"{side.title}: {what}" for side in sides for what in ("seconds", "CPU")]
    lines = [
        "# What it takes to start",
        "",
        (
            "Written by `make bench-start`; [what is measured](../../docs/explanation/speed.md#starting). "
            "Medians, with the smallest and the largest of all rounds behind them."
        ),
        "",
        *(f"- {name}: {machine[name]}" for name in ("date", "processor", "kernel", "python", "load before")),
        f"- priority: {_priority()}",
        "",
        *_head("", *head),
    ]
    wall: Callable[[Cost], float] = lambda cost: cost.wall  # noqa: E731 - one of two readings
    rows = [
        *((name, name, wall) for name in (*LIMITS, HELP, SUBMIT)),
        (FIRST, WHOLE, lambda cost: cost.first or cost.wall),
        (WHOLE, WHOLE, wall),
        (AGAIN, AGAIN, wall),
    ]
    for title, name, reading in rows:
        cells = []
        for side in sides:
            costs = side.costs[name]
            cells += [_cell([reading(cost) for cost in costs], 2), _cell([cost.cpu for cost in costs], 2)]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines += ["", f"Memory of the stack, {REST_SECONDS:g} s after its last file, MB (PSS):", ""]
    lines += _head("", *(side.title for side in sides))
    for name in dict.fromkeys(name for side in sides for name in side.memory):
        cells = [_cell([size / 1e6 for size in side.memory.get(name, ())], 1) for side in sides]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    cells = [
        _cell([sum(sizes) / 1e6 for sizes in zip(*side.memory.values(), strict=True)], 1) for side in sides
    ]
    lines += ["| **all** | " + " | ".join(cells) + " |", ""]
    return "\n".join(lines)


def _priority() -> str:
    """Whether others on the machine could delay what was measured."""
    if sys.platform == "linux" and os.sched_getscheduler(0) in {os.SCHED_FIFO, os.SCHED_RR}:
        return "before all others on the machine (`chrt --rr 1`), so that seconds are those of two free cores"
    return "as all others on the machine; where it is busy, look at CPU alone"


def _head(*titles: str) -> list[str]:
    return ["| " + " | ".join(titles) + " |", "| --- |" + " ---: |" * (len(titles) - 1)]


def _cell(values: Sequence[float], digits: int) -> str:
    """A median and its spread, as far as there is one."""
    if not values:
        return ""
    middle, least, most = (
        f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))
    )
    return middle if least == most else f"{middle} ({least} to {most})"


def main() -> int:
    """Measure, and write the page and the timeline."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--beside", metavar="REVISION", help="another revision that takes its turns")
    given = parser.parse_args()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sides = [Side(title="now", folder=CHECKOUT)]
        if given.beside:
            name = git("rev-parse", "--short", given.beside)
            folder = stack.enter_context(checked_out(given.beside, scratch / name))
            sides.insert(0, Side(title=f"`{name}`", folder=folder))
        for number in range(given.rounds + 1):
            for side in sides:
                folder = Path(tempfile.mkdtemp(dir=scratch))
                measure(side, folder)
                if not number:
                    # The first one compiles its modules, and reads them from the disk.
                    side.costs.clear()
                    side.memory.clear()
        page = report(sides)
        drawing = timeline(sides[-1], Path(tempfile.mkdtemp(dir=scratch)))
    (RESULTS / "start.md").write_text(page, encoding="utf-8")
    (RESULTS / "start.svg").write_text(drawing, encoding="utf-8")
    print(page)
    return 0


def timeline(side: Side, folder: Path) -> str:
    """A image of one more cold run: who was there, and who computed."""
    with Recorder(folder / "state" / "sandbox" / "processes.json") as recorder:
        cost = side.greenroom(*campaign(folder))
    store = sqlite3.connect(folder / "state" / "sandbox" / "greenroom.db")
    (uploaded_at,) = store.execute("SELECT uploaded_at FROM media").fetchone()
    store.close()
    uploaded = datetime.fromisoformat(uploaded_at).replace(tzinfo=UTC).timestamp() - recorder.began_at
    moments = {"media ID": uploaded, "printed": cost.first or cost.wall, "end": cost.wall}
    return draw(recorder, moments)


if __name__ == "__main__":
    sys.exit(main())
