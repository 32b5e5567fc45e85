"""Where an uploading process spends its time: a sampling profiler looks at it from outside while it works.

The profiler is py-spy: nothing is built into the process, which goes on while it is looked at. Samples are of
the thread that has the interpreter: system calls, as of sending, are not among them, and neither is sleeping.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import psutil

from benchmarks.flame_graph import draw

#: Samples a second.
RATE = 250
SECONDS = 20
TITLE = "An uploading process at the full pace of its numbers: who has the interpreter"
#: What the frames of a file are about; the first that fits.
AREAS = (
    (r"(urllib3|requests|httptools|greenroom/provider|greenroom/sources)", "HTTP and files"),
    (r"(sqlalchemy|psycopg|models/)", "database"),
    (r"(celery|kombu|amqp|billiard|redis|valkey)", "tasks and broker"),
    (r"(greenroom/rate_limit|tasks/uploading/sender)", "pace: who sends when"),
    (r"(tasks/|greenroom/|worker/)", "the rest of Greenroom"),
)
OTHER = "Python itself"
_FRAME = re.compile(r"^.* \((?P<file>[^()]*?)(?::\d+)?\)$")


def area_of(stack: str) -> str:
    """What a sample is about: its innermost frame that is not of Python's own library.

    Args:
        stack: frames as ``function (file:line)``, the outermost first, with semicolons between them.
    """
    for frame in reversed(stack.split(";")):
        found = _FRAME.match(frame)
        for pattern, area in AREAS:
            if found and re.search(pattern, found["file"]):
                return area
    return OTHER


def stacks_of(lines: str) -> Counter[str]:
    """How often each stack was seen.

    Args:
        lines: ``stack count``, one of each line.
    """
    counts: Counter[str] = Counter()
    for line in lines.splitlines():
        stack, _, count = line.rpartition(" ")
        # A process that is not stopped to be looked at may be seen in the middle of a change: rubbish.
        if count.isdecimal():
            counts[stack] += int(count)
    return counts


def shares(stacks: Mapping[str, int]) -> dict[str, float]:
    """The part of all samples that each area has."""
    counts: Counter[str] = Counter()
    for stack, count in stacks.items():
        counts[area_of(stack)] += count
    total = counts.total() or 1
    return {area: count / total for area, count in counts.most_common()}


def busiest(pid: int) -> int:
    """Of a process and those it has started, the one that has computed most."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return max(family, key=lambda process: sum(process.cpu_times()[:2])).pid


def profile(pid: int, flame_graph: Path) -> dict[str, float]:
    """Look at a process for a while: draws a flame graph, and answers the share of each area."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "stacks.txt")
        command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid)]
        command += ["--duration", str(SECONDS), "--rate", str(RATE), "--nonblocking", "--gil"]
        command += ["--format", "raw", "--output", str(raw)]
        subprocess.run(command, check=True, capture_output=True)
        stacks = stacks_of(raw.read_text(encoding="utf-8"))
    flame_graph.write_text(draw(stacks, title=TITLE), encoding="utf-8")
    return shares(stacks)
