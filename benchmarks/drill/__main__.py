"""Fire each alert by its fault, and see it end after what the runbook says.

Run with ``make drill``; takes a quarter of an hour, and writes ``benchmarks/results/drill.md``. Needs
`prometheus` on the path. The stack is the production one of `make chaos`; Prometheus, the exporter and the
alerts are the real ones, with seconds for minutes. At the end, Prometheus is asked every query of the
dashboard.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drill.faults import DRILLS, Drill, resume
from benchmarks.drill.prometheus import panels
from benchmarks.drill.site import Site, running_site
from benchmarks.host import host

RESULTS = Path(__file__).parent.parent / "results" / "drill.md"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of one fault: seconds until its alerts fired and ended, or what did not come."""

    drill: Drill
    fired: float | None = None
    ended: float | None = None
    problem: str = ""

    def __str__(self) -> str:
        names = ", ".join(sorted(self.drill.alerts))
        seconds = [f"{each:.0f} s" if each is not None else "never" for each in (self.fired, self.ended)]
        return f"| {self.drill.name} | {names} | {seconds[0]} | {seconds[1]} |"


def hold(site: Site, each: Drill) -> Tried:
    """Break it, see the alerts fire, put it right, see them end."""
    fired = ended = None
    site.let_an_hour_pass()
    try:
        site.await_end(set(each.alerts), each.patience)
        with each.run(site):
            fired = site.await_firing(set(each.alerts), each.patience)
        ended = site.await_end(set(each.alerts), each.patience)
    except Exception as error:  # noqa: BLE001 - whatever it is stands in the table, and others are tried
        traceback.print_exc()
        resume(site)
        return Tried(drill=each, fired=fired, ended=ended, problem=f"{type(error).__name__}: {error}")
    return Tried(drill=each, fired=fired, ended=ended)


def page(every: Sequence[Tried], queries: int) -> str:
    """The results, as they are kept."""
    rows = "".join(f"{each}\n" for each in every)
    return f"""# Each alert, fired by its fault

`make drill`, {host()}. Times are from the fault until the alerts fire, and from what the runbook says until
they end, where minutes are seconds.

| what breaks | alerts | fires after | ends after |
| --- | --- | ---: | ---: |
{rows}
Prometheus took all {queries} queries of the dashboard.
"""


def main() -> int:
    """Run what was asked for; returns 1 where something did not come."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drill", description="Fire each alert.")
    parser.add_argument("--only", default="", metavar="TEXT", help="drills with this in their name")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave logs and data there")
    given = parser.parse_args()
    program = shutil.which("prometheus")
    if program is None:
        print("There is no `prometheus` on the path. Debian: apt-get install prometheus", file=sys.stderr)
        return 2
    chosen = [each for each in DRILLS if given.only in each.name]
    if given.keep:
        given.keep.mkdir(parents=True)
        return held(given.keep, program, chosen)
    with tempfile.TemporaryDirectory(prefix="greenroom-drill-") as folder:
        return held(Path(folder), program, chosen)


def held(folder: Path, program: str, chosen: Sequence[Drill]) -> int:
    """Hold these drills on one site, in turn; returns 1 where something did not come."""
    every: list[Tried] = []
    with running_site(folder, program) as site:
        for each in chosen:
            every.append(hold(site, each))
            print(every[-1], every[-1].problem, flush=True)
        queries = panels()
        for title, query in queries:
            site.prometheus.query(query)
            print(f"{title}: taken", flush=True)
    if len(chosen) == len(DRILLS) and not any(each.problem for each in every):
        RESULTS.write_text(page(every, len(queries)), encoding="utf-8")
    return 1 if any(each.problem for each in every) else 0


if __name__ == "__main__":
    sys.exit(main())
