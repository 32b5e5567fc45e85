"""What an upload costs in earlier revisions and now, each measured the same way in one run.

Run with ``python -m benchmarks.revisions REVISION...``; takes a minute and a half for each. Every revision is
checked out into a folder of its own, and measured there by today's benchmarks, which change nothing else:
one round of :mod:`benchmarks.backlog_cost`, after which an uploading process is looked into. Writes
``benchmarks/results/revisions.md``, the last revision's flame graph beside it, and that of each to ``raw/``
there, which Git leaves out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkouts import checked_out, environment_of, git
from benchmarks.endpoint import RAW, RESULTS
from benchmarks.machine import describe
from benchmarks.peers.contender import CHECKOUT

#: The last revision's, as the documentation shows it.
FLAME_GRAPH = RESULTS / "flame.svg"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """What a revision cost.

    Attributes:
        name: its short hash.
        subject: the first line of its message.
        upload: CPU milliseconds of an upload, by part of the stack.
        inspection: the same of a file looked at.
        beside: CPU milliseconds of a bare post while files were looked at, and while they were uploaded.
        uploaded: uploads in a second.
        areas: what an uploading process was about, as parts of its time.
    """

    name: str
    subject: str
    upload: dict[str, float]
    inspection: dict[str, float]
    beside: tuple[float, float]
    uploaded: float
    areas: dict[str, float]


def measure(revision: str, folder: Path) -> Revision:
    """One revision, in a folder of its own."""
    name, subject = git("show", "--no-patch", "--format=%h%n%s", revision).splitlines()
    look = ("--flame-graph", str(_flame_graph(name)))
    with checked_out(revision, folder):
        shutil.rmtree(folder / "benchmarks")
        shutil.copytree(CHECKOUT / "benchmarks", folder / "benchmarks")
        said = subprocess.run(
            [*(sys.executable, "-m", "benchmarks.backlog_cost", "--rounds", "1", "--json"), *look],
            cwd=folder,
            env=environment_of(folder),
            stdout=subprocess.PIPE,
            check=True,
        )
    return Revision(name=name, subject=subject, **json.loads(said.stdout))


def _flame_graph(name: str) -> Path:
    return RAW / f"flame_{name}.svg"


def report(found: Sequence[Revision]) -> list[str]:
    """The page's lines: each figure as a part of what a bare post cost in the same seconds."""
    introduction = (
        f"Written by `python -m benchmarks.revisions {' '.join(one.name for one in found)}`. Each figure is "
        "CPU, as a part of what a bare `requests.post` of the same file cost in the same seconds."
    )
    inside = (
        "The uploading workers of the table above, by what the code is about that has the interpreter; a "
        "sampling profiler looks at one process at full pace. "
        f"[Flame graph of `{found[-1].name}`]({FLAME_GRAPH.name})."
    )
    columns = " | ".join(f"`{one.name}`" for one in found)
    lines = [
        "# What an upload cost before, and costs now",
        "",
        introduction,
        "",
        *(f"- {name}: {value}" for name, value in describe().items()),
        "",
        *(f"- `{one.name}`: {one.subject}" for one in found),
        "",
        f"| | {columns} |",
        "| --- |" + " ---: |" * len(found),
    ]
    for what, which in (("upload", 1), ("inspection", 0)):
        for kind in getattr(found[-1], what):
            cells = " | ".join(f"{getattr(one, what)[kind] / one.beside[which]:.3f}" for one in found)
            lines.append(f"| {'an upload' if which else 'a file looked at'}: {kind} | {cells} |")
    sums = [
        (sum(one.upload.values()) / one.beside[1], sum(one.inspection.values()) / one.beside[0])
        for one in found
    ]
    lines += [
        f"| **an upload** | {' | '.join(f'**{upload:.2f}**' for upload, _ in sums)} |",
        f"| **a file looked at** | {' | '.join(f'**{inspection:.2f}**' for _, inspection in sums)} |",
        f"| **both** | {' | '.join(f'**{upload + inspection:.2f}**' for upload, inspection in sums)} |",
        f"| uploads a second | {' | '.join(f'{one.uploaded:,.0f}' for one in found)} |",
        "",
        "## In the uploading processes",
        "",
        inside,
        "",
        f"| | {columns} |",
        "| --- |" + " ---: |" * len(found),
    ]
    for area in dict.fromkeys(area for one in reversed(found) for area in one.areas):
        cells = " | ".join(
            f"{one.areas.get(area, 0) * one.upload['uploading workers'] / one.beside[1]:.3f}" for one in found
        )
        lines.append(f"| {area} | {cells} |")
    return [*lines, ""]


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("revisions", nargs="+", help="from the oldest on")
    given = arguments.parse_args()
    RAW.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        found = [measure(revision, Path(name) / revision) for revision in given.revisions]
    lines = report(found)
    print("\n".join(lines))
    (RESULTS / "revisions.md").write_text("\n".join(lines), encoding="utf-8")
    shutil.copyfile(_flame_graph(found[-1].name), FLAME_GRAPH)


if __name__ == "__main__":
    main()
