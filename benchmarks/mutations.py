"""A hundred thousand spoiled files before the judge: none may crash it, hang it, or take more than a second.

Run with ``python -m benchmarks.mutations [COUNT]``; takes some minutes, and writes
``benchmarks/results/raw/check_mutations.md``. Each file of the test corpus is spoiled in turn: bytes flipped,
lengths set to extremes, cut, spliced with another file, stretches repeated or removed. The seed is fixed: a
file is made again by its number. The judges are processes of their own, as in ``greenroom check``: one that
dies or is silent for longer than the limit is told from a verdict.
"""

from __future__ import annotations

import platform
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from benchmarks.endpoint import RAW
from greenroom.inspection.judge import inspect_file
from greenroom.isolation import parallel, pool_worker
from greenroom.isolation.protocol import InspectOrder
from greenroom.verdict import Verdict
from tests.support.corpus import CASES

COUNT = 100_000
#: Seconds that a file may take.
LIMIT = 1.0
#: Seconds after which a process is ended; above the limit, so that a busy machine ends nobody.
_PATIENCE = 10.0
#: Of larger files only so much is spoiled: more of the same audio or noise finds nothing more.
LARGEST = 300_000
RESULTS = RAW / "check_mutations.md"
_EXTREMES = (b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", bytes(4), b"\0\0\0\x01", bytes(8), b"\xff" * 8)

Chance = random.Random


def _place(content: bytes, chance: Chance) -> int:
    """Somewhere in a file; every other time in its first kilobyte, where headers are."""
    return chance.randrange(min(len(content), chance.choice([1024, LARGEST])) or 1)


def flip(content: bytes, chance: Chance, _other: bytes) -> bytes:
    """A few bytes are something else."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 24)):
        if changed:
            changed[_place(content, chance)] = chance.randrange(256)
    return bytes(changed)


def extreme(content: bytes, chance: Chance, _other: bytes) -> bytes:
    """A few numbers are as large, or as small, as they can be."""
    for _ in range(chance.randint(1, 4)):
        at, value = _place(content, chance), chance.choice(_EXTREMES)
        content = content[:at] + value + content[at + len(value) :]
    return content


def cut(content: bytes, chance: Chance, _other: bytes) -> bytes:
    """The end is missing."""
    return content[: _place(content, chance)]


def remove(content: bytes, chance: Chance, _other: bytes) -> bytes:
    """A stretch inside is missing."""
    at = _place(content, chance)
    return content[:at] + content[at + chance.randint(1, 4096) :]


def splice(content: bytes, chance: Chance, other: bytes) -> bytes:
    """It goes on as another file."""
    return content[: _place(content, chance)] + other[_place(other, chance) :]


def repeat(content: bytes, chance: Chance, _other: bytes) -> bytes:
    """A stretch comes several times."""
    at = _place(content, chance)
    stretch = content[at : at + chance.randint(1, 2048)]
    return content[:at] + stretch * chance.randint(2, 40) + content[at:]


MUTATIONS: tuple[Callable[[bytes, Chance, bytes], bytes], ...] = (flip, extreme, cut, remove, splice, repeat)


@cache
def _seed(folder: str, number: int) -> bytes:
    return Path(folder, str(number)).read_bytes()


def spoiled(folder: str, number: int) -> bytes:
    """The file of a number."""
    chance = random.Random(number)  # noqa: S311 - the same files each time
    content = _seed(folder, number % len(CASES))
    mutation = MUTATIONS[number // len(CASES) % len(MUTATIONS)]
    return mutation(content, chance, _seed(folder, chance.randrange(len(CASES))))


def judge(folder: str) -> None:
    """A pool worker: spoils the file of the number that it is asked for; returns its time as label."""
    with tempfile.TemporaryDirectory(prefix="greenroom-spoiled-") as own:

        def timed(order: InspectOrder) -> Verdict:
            number = int(order.path.name)
            file = Path(own, CASES[number % len(CASES)].name)
            file.write_bytes(spoiled(folder, number))
            start = time.perf_counter()
            verdict = inspect_file(file)
            seconds = time.perf_counter() - start
            file.unlink()
            return replace(verdict, label=str(seconds))

        pool_worker.main(timed)


def _name(number: int) -> str:
    mutation, case = MUTATIONS[number // len(CASES) % len(MUTATIONS)], CASES[number % len(CASES)]
    return f"{number} ({mutation.__name__}: {case.name})"


def run(count: int) -> tuple[list[Verdict], float]:
    """Judge so many spoiled files; returns the verdicts and the seconds."""
    with tempfile.TemporaryDirectory(prefix="greenroom-seeds-") as folder:
        for number, case in enumerate(CASES):
            Path(folder, str(number)).write_bytes(case.make()[:LARGEST])
        command = ("-P", "-c", f"from benchmarks.mutations import judge; judge({folder!r})")
        start = time.perf_counter()
        numbers: Sequence[Path] = [Path(str(number)) for number in range(count)]
        verdicts = []
        for verdict in parallel.judge_all(numbers, limit=_PATIENCE, worker=command):
            verdicts.append(verdict)
            if len(verdicts) % 10_000 == 0:
                print(f"{len(verdicts):,} files", file=sys.stderr, flush=True)
        return verdicts, time.perf_counter() - start


def report(verdicts: Sequence[Verdict], seconds: float) -> tuple[str, bool]:
    """The table in Markdown, and whether all is as it must be."""
    times: dict[int, float] = {}
    lost: list[int] = []
    for number, verdict in enumerate(verdicts):
        try:
            times[number] = float(verdict.label)
        except ValueError:
            lost.append(number)
    hung = [number for number in lost if "given up" in verdicts[number].detail]
    slow = sorted(times, key=times.__getitem__, reverse=True)[:3]
    over = [number for number in times if times[number] > LIMIT]
    in_order = sorted(times.values())
    lines = [
        "# Spoiled files",
        "",
        f"{len(verdicts):,} files from {len(CASES)} seeds in {seconds:.0f} s;",
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}.",
        "",
        "| what | files |",
        "|---|---|",
        f"| ended the process that judged them | {len(lost) - len(hung):,} |",
        f"| hung | {len(hung):,} |",
        f"| took more than {LIMIT:g} s | {len(over):,} |",
        *_histogram(verdicts[number] for number in times),
        "",
        f"Median {in_order[len(in_order) // 2] * 1e3:.2f} ms, 99.9 % within "
        f"{in_order[int(len(in_order) * 0.999)] * 1e3:.1f} ms. The slowest: "
        + ", ".join(f"{_name(number)} {times[number] * 1e3:.0f} ms" for number in slow)
        + ".",
    ]
    lines += [f"Lost: {_name(number)}." for number in lost] + [
        f"Over time: {_name(number)}." for number in over
    ]
    return "\n".join(lines) + "\n", not lost and not over


def _histogram(verdicts: Iterable[Verdict]) -> list[str]:
    found = Counter(verdict.reason or "accepted" for verdict in verdicts)
    return [f"| {reason} | {number:,} |" for reason, number in found.most_common()]


def main(count: int = COUNT) -> None:
    """Judge, and print the table; the exit code is 1 where any file crashed, hung or took too long."""
    text, fine = report(*run(count))
    print(text)
    if count == COUNT:
        RAW.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(text, encoding="utf-8")
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
