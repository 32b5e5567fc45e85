"""Runs a target's inputs in bounded processes, and counts what came of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.fuzz.child import MOST_SECONDS
from tests.support.corpus import CASES

#: Seconds of silence after which a process is ended: for what waits, and takes no processor's time.
SILENCE = 120.0
#: Inputs that one process judges: a fresh one follows, so that memory that is kept by mistake shows.
A_PROCESS = 5_000
#: Bytes of the largest file that inputs begin with.
LARGEST_SEED = 64_000


@dataclass
class Tally:
    """What came of a target's inputs.

    Attributes:
        name: the target's.
        inputs: how many were judged.
        crashes: a line for each that was dealt with wrongly.
        hangs: a line for each that took too long.
        slowest: the most seconds of the processor's that one took.
        slowest_number: which.
        peak: the most memory of a process, in bytes.
        outcomes: how often what came of one.
    """

    name: str
    inputs: int = 0
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    slowest: float = 0.0
    slowest_number: int = 0
    peak: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def take(self, line: str) -> int:
        """Count what a process said of an input; returns its number."""
        number, seconds, peak, how, what = line.rstrip("\n").split("\t", 4)
        self.inputs += 1
        self.peak = max(self.peak, int(peak))
        if float(seconds) > self.slowest:
            self.slowest, self.slowest_number = float(seconds), int(number)
        if how == "crash":
            self.crashes.append(f"{self.name}:{number}: {what}")
        else:
            self.outcomes[what] += 1
        return int(number)

    def ended(self, number: int, code: int) -> None:
        """Count an input that ended its process."""
        self.inputs += 1
        if code in (-signal.SIGPROF, -signal.SIGKILL):
            self.hangs.append(f"{self.name}:{number}: it took too long")
        else:
            self.crashes.append(f"{self.name}:{number}: the process ended with {code}")


def write_seeds(folder: Path, *, every: int = 1) -> Path:
    """Write the files of the corpus that inputs begin with; returns their folder."""
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, case in enumerate(CASES[::every]):
        content = case.make()
        if len(content) <= LARGEST_SEED:
            (seeds / f"{number:03}-{case.name}").write_bytes(content)
    return seeds


def fuzz(name: str, *, inputs: int, seed: int, seeds: Path, seconds: float = MOST_SECONDS) -> Tally:
    """Judge a target's inputs, and go on behind each that ends its process.

    Args:
        name: the target's.
        inputs: how many.
        seed: another one makes other inputs.
        seeds: what :func:`write_seeds` wrote.
        seconds: of the processor's that one input may take.
    """
    tally = Tally(name=name)
    last, end = 0, inputs
    while last < end:
        upto = min(end, last + A_PROCESS)
        for line in (process := _Child(name, seeds, seconds, seed, last + 1, upto)).lines():
            last = tally.take(line)
        if last < upto:
            last += 1
            tally.ended(last, process.code())
    return tally


class _Child:
    """A process, and an eye on it: whether it still says something."""

    def __init__(self, name: str, seeds: Path, seconds: float, *numbers: int) -> None:
        words = [name, str(seeds), str(seconds), *map(str, numbers)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child", *words], stdout=subprocess.PIPE, text=True
        )
        self._watch = threading.Timer(SILENCE, self._process.kill)

    def lines(self) -> Iterator[str]:
        """What it says, until it ends."""
        output: IO[str] | None = self._process.stdout
        assert output is not None
        self._heard()
        for line in output:
            if line.endswith("\n"):
                self._heard()
                yield line
        self._watch.cancel()
        output.close()
        self._process.wait()

    def _heard(self) -> None:
        self._watch.cancel()
        self._watch = threading.Timer(SILENCE, self._process.kill)
        self._watch.daemon = True
        self._watch.start()

    def code(self) -> int:
        """How it ended."""
        return self._process.wait()
