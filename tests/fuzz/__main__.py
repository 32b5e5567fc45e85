"""`make fuzz`: judge many inputs at each door, and print a table."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.fuzz.child import MOST_MEMORY, MOST_SECONDS, input_of
from tests.fuzz.run import Tally, fuzz, write_seeds
from tests.fuzz.targets import TARGETS, load_target

MIB = 1024 * 1024


def main() -> int:
    """Run it; returns 1 where an input crashed or hung."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="greenroom-fuzz-") as folder:
        with _quiet():
            seeds = write_seeds(Path(folder))
        if options.only:
            return _again(options.only, options.seed, seeds)
        share = -(-options.inputs // len(TARGETS))
        with ThreadPoolExecutor(options.processes) as pool:
            tallies = list(
                pool.map(lambda name: fuzz(name, inputs=share, seed=options.seed, seeds=seeds), TARGETS)
            )
    _print(tallies, seed=options.seed)
    return 1 if any(tally.crashes or tally.hangs for tally in tallies) else 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Let encoders, which make some of the files, say nothing on standard error."""
    kept = os.dup(2)
    with Path(os.devnull).open("w", encoding="ascii") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="How many, over all targets.")
    parser.add_argument("--seed", type=int, default=1, help="Another one makes other inputs.")
    parser.add_argument("--processes", type=int, default=2, help="Targets at the same time.")
    parser.add_argument("--only", metavar="TARGET:NUMBER", help="Make and judge one input again, here.")
    return parser.parse_args()


def _again(which: str, seed: int, seeds: Path) -> int:
    name, _, number = which.partition(":")
    target = load_target(name, seeds)
    given = input_of(target, name, seed, int(number))
    print(ascii(given)[:2_000])
    print(target.judge(given))
    return 0


def _print(tallies: list[Tally], *, seed: int) -> None:
    print(
        f"Seed {seed}; an input may take {MOST_SECONDS:g} s of the processor and {MOST_MEMORY // MIB} MB.\n"
    )
    print("| target | inputs | crashes | hangs | slowest, s | peak of a process, MB | what came of them |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for tally in tallies:
        outcomes = ", ".join(f"{what} {count:,}" for what, count in tally.outcomes.most_common(4))
        print(
            f"| {tally.name} | {tally.inputs:,} | {len(tally.crashes)} | {len(tally.hangs)} | "
            f"{tally.slowest:.2f} (number {tally.slowest_number}) | {tally.peak / MIB:.0f} | {outcomes} |"
        )
    for tally in tallies:
        for line in (*tally.crashes[:20], *tally.hangs[:20]):
            print(f"\n{line}")


if __name__ == "__main__":
    sys.exit(main())
