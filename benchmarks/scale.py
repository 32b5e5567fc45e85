"""What 40, 1,000 and 10,000 numbers need: arithmetic from unit costs, and a simulation that must agree.

Run with ``make bench-scale``, or ``python -m benchmarks.scale [--costs FILE] [--duty SHARE] [--seed N]``;
takes half a minute, and writes ``benchmarks/results/scale.md``. Unit costs are those of
``benchmarks/results/unit_costs.json``; with ``--measure`` the program first runs the embedded stack for a
minute, and ticks of the dispatcher by themselves, and writes that file. Exits 1 where arithmetic and
simulation differ by more than five in a hundred.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.host import host
from benchmarks.scale_arithmetic import (
    PACE,
    RARELY,
    SOMETIMES,
    TARGET,
    TICK_SECONDS,
    Carries,
    Fleet,
    Needs,
    carries,
    load,
    needs,
)
from benchmarks.scale_costs import FILE, UnitCosts, measure, read_costs, write_costs
from benchmarks.scale_simulation import Simulated, Simulation

RESULTS = Path(__file__).parent / "results" / "scale.md"
NUMBERS = (40, 1_000, 10_000)
DUTY, POSTGRES_CORES, SEED = 0.1, 8, 1
MEASURE_SECONDS = 60.0
#: Arithmetic and simulation may differ by so much.
AGREE = 0.05
#: A count of numbers is compared from here on; below, one number more is a larger difference than that.
COMPARED_FROM = 30
#: What is asked of one of a kind to find its limit: so much of it, for so many batches or seconds at least.
TOO_MUCH, MOST_BATCHES, MOST_SECONDS = 1.5, 20_000, 60


def compared(costs: UnitCosts, fleet: Fleet, found: Simulated) -> Iterator[tuple[str, float, float]]:
    """Each figure: its name, by arithmetic, and simulated."""
    mean = load(costs, fleet.active)
    yield "numbers that upload at a moment", fleet.active, found.active
    if fleet.at_most(SOMETIMES) >= COMPARED_FROM:
        most = f"the most of them, but for {SOMETIMES:.0%} of the time"
        yield most, float(fleet.at_most(SOMETIMES)), float(found.at_most)
    yield "uploads a second", mean.uploads, found.uploads
    yield "cores busy: upload", mean.upload, found.upload
    yield "cores busy: inspection, dispatcher", mean.inspection + mean.dispatcher, found.inspection
    yield "cores busy: Redis", mean.redis, found.redis
    yield "cores busy: PostgreSQL", mean.postgres, found.postgres


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What one of a kind carries when half as much again is asked of it.

    Attributes:
        what: of which there is one, while there is enough of all else.
        arithmetic: uploads a second.
        simulated: the same.
    """

    what: str
    arithmetic: float
    simulated: float


def limits(costs: UnitCosts, *, postgres_cores: int, seed: int) -> Iterator[Limit]:
    """Ask too much of one upload process, one Redis, and one PostgreSQL, each in its turn."""
    enough = Needs(
        upload_processes=10_000,
        inspection_processes=10_000,
        redis_servers=1_000,
        postgres_cores=10_000,
        postgres_servers=1,
        cores=0,
    )
    per_second = {
        "upload process": (1000 / costs.upload_ms, replace(enough, upload_processes=1)),
        "Redis": (1000 / costs.redis_ms, replace(enough, redis_servers=1)),
        "PostgreSQL": (
            1000 * postgres_cores / costs.postgres_ms,
            replace(enough, postgres_cores=postgres_cores),
        ),
    }
    for what, (most, there) in per_second.items():
        numbers = math.ceil(most * TOO_MUCH / PACE)
        fleet = Fleet(numbers=numbers, duty=1.0, postgres_cores=postgres_cores)
        batches = max(MOST_BATCHES, numbers * MOST_SECONDS)
        found = Simulation(costs, fleet, there, seed=seed, batches=batches).run()
        yield Limit(what=what, arithmetic=most, simulated=found.uploads)


def difference(arithmetic: float, simulated: float) -> float:
    """Of the simulation from the arithmetic, as a share of that."""
    return simulated / arithmetic - 1 if arithmetic else float(simulated != 0)


def report(
    costs: UnitCosts, runs: list[tuple[Fleet, Needs, Simulated]], limits: Sequence[Limit], seed: int
) -> str:
    """The page."""
    fleet = runs[0][0]
    how = f"`python -m benchmarks.scale --duty {fleet.duty:g} --seed {seed}`"
    what = (
        f"A number uploads {PACE:g} files a second while it uploads, which is {fleet.duty:.0%} of the time. "
        f"Planned for: {TARGET:.0%} of each core, at moments with more numbers than in all but {RARELY:.1%} "
        f"of the time. A PostgreSQL has {fleet.postgres_cores} cores."
    )
    lines = [
        "# How many numbers, on how much",
        "",
        f"{how}; {host()}. Unit costs: {costs.measured}.",
        "",
        what,
        "",
        *_costs(costs),
        *_carried(carries(costs, postgres_cores=fleet.postgres_cores)),
        *_too_much(limits),
        *_needed(runs),
        *_agreement(costs, runs),
    ]
    return "\n".join(lines)


def _costs(costs: UnitCosts) -> Iterator[str]:
    yield from ("| CPU | ms |", "|---|---:|")
    yield f"| an upload, in upload processes | {costs.upload_ms:g} |"
    yield f"| a file, in inspection | {costs.inspection_ms:g} |"
    yield f"| an upload, in Redis ({costs.redis_commands:g} commands) | {costs.redis_ms:g} |"
    yield f"| an upload, in PostgreSQL | {costs.postgres_ms:g} |"
    yield (
        f"| a tick, every {TICK_SECONDS:g} s, and each channel in it | {costs.tick_ms:g} "
        f"+ {costs.tick_channel_ms:g} |"
    )
    yield (f"| the same, in PostgreSQL | {costs.postgres_tick_ms:g} + {costs.postgres_tick_channel_ms:g} |")
    yield ""


def _carried(one: Carries) -> Iterator[str]:
    yield from ("| one of | numbers at their full pace |", "|---|---:|")
    yield f"| core, for uploads and inspections together | {one.core:,.0f} |"
    yield f"| Redis | {one.redis:,.0f} |"
    yield f"| PostgreSQL | {one.postgres:,.0f} |"
    yield f"| dispatcher | {one.dispatcher:,.0f} |"
    yield ""


def _too_much(limits: Sequence[Limit]) -> Iterator[str]:
    yield "Uploads a second that pass where half as much again is asked for as one can do at 100 %:"
    yield from ("", "| one | arithmetic | simulation | difference |", "|---|---:|---:|---:|")
    for one in limits:
        yield (
            f"| {one.what} | {one.arithmetic:,.0f} | {one.simulated:,.0f} "
            f"| {difference(one.arithmetic, one.simulated):+.1%} |"
        )
    yield ""


def _needed(runs: list[tuple[Fleet, Needs, Simulated]]) -> Iterator[str]:
    yield (
        "| numbers | upload at a moment, at most | upload processes | inspection processes | Redis "
        "| PostgreSQL (cores) | cores in all | late in the simulation |"
    )
    yield "|---:" * 8 + "|"
    for fleet, what, found in runs:
        yield (
            f"| {fleet.numbers:,} | {fleet.active:,.0f}, {fleet.most_active:,} "
            f"| {what.upload_processes:,} | {what.inspection_processes:,} "
            f"| {what.redis_servers} | {what.postgres_servers} ({what.postgres_cores}) "
            f"| {what.cores:,} | {found.late:.2%} |"
        )
    yield ""


def _agreement(costs: UnitCosts, runs: list[tuple[Fleet, Needs, Simulated]]) -> Iterator[str]:
    for fleet, _, found in runs:
        hours, waited = found.seconds / 3600, found.waited * 1000
        yield (
            f"{fleet.numbers:,} numbers, simulated for {hours:,.1f} hours; a batch, the files of one second, "
            f"waits {waited:.1f} ms for an upload process."
        )
        yield from ("", "| figure | arithmetic | simulation | difference |", "|---|---:|---:|---:|")
        for name, expected, seen in compared(costs, fleet, found):
            yield f"| {name} | {expected:,.2f} | {seen:,.2f} | {difference(expected, seen):+.1%} |"
        yield ""


def main() -> int:
    """Work it out, print, and write the results; returns 1 where the two differ too much."""
    parser = argparse.ArgumentParser(description="What so many numbers need.")
    parser.add_argument("--costs", type=Path, default=FILE)
    parser.add_argument("--numbers", type=int, nargs="+", default=NUMBERS)
    parser.add_argument("--duty", type=float, default=DUTY, help="the share of time that a number uploads")
    parser.add_argument("--postgres-cores", type=int, default=POSTGRES_CORES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--measure", action="store_true", help="run the stack first, and note its costs")
    parser.add_argument("--seconds", type=float, default=MEASURE_SECONDS, help="for which it is measured")
    given = parser.parse_args()
    if not 0 < given.duty <= 1:
        parser.error("--duty is a share: more than 0, and 1 at the most")
    if given.measure:
        write_costs(given.costs, measure(seconds=given.seconds, where=host()))
    costs = read_costs(given.costs)
    runs = []
    for numbers in given.numbers:
        fleet = Fleet(numbers=numbers, duty=given.duty, postgres_cores=given.postgres_cores)
        what = needs(costs, fleet)
        print(f"Simulating {numbers:,} numbers", file=sys.stderr, flush=True)
        runs.append((fleet, what, Simulation(costs, fleet, what, seed=given.seed).run()))
    one_of_each = list(limits(costs, postgres_cores=given.postgres_cores, seed=given.seed))
    page = report(costs, runs, one_of_each, given.seed)
    print(page)
    if tuple(given.numbers) == NUMBERS:
        RESULTS.write_text(page, encoding="utf-8")
    differences = [
        difference(arithmetic, simulated)
        for fleet, _, found in runs
        for _, arithmetic, simulated in compared(costs, fleet, found)
    ]
    differences += [difference(one.arithmetic, one.simulated) for one in one_of_each]
    worst = max(abs(each) for each in differences)
    print(f"Largest difference: {worst:.1%}; allowed: {AGREE:.0%}.", file=sys.stderr)
    return int(worst > AGREE)


if __name__ == "__main__":
    sys.exit(main())
