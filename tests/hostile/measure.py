"""Runs cases, each in a process of its own with bounds; ``python -m tests.hostile.measure`` is their parent.

The parent loads everything once and forks for each case, so that a case costs what it costs and no more.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.hostile.case import Case

MIB = 1024 * 1024
#: Bytes of address space that a case may take beside what the process has.
MOST_MEMORY = 512 * MIB
#: Seconds of the processor's that a case may take; and a large one.
MOST_SECONDS = 5
MOST_SECONDS_LARGE = 600


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came of a case.

    Attributes:
        kind: the case's.
        name: the case's.
        happened: a verdict or a refusal, or what went wrong.
        well: whether it is what the case says, within its memory.
        memory: MiB that judging took at most, beside what the process had before.
        seconds: of the processor's.
    """

    kind: str
    name: str
    happened: str
    well: bool
    memory: float
    seconds: float


def measured(words: Sequence[str] = ()) -> Iterator[Row]:
    """Run all cases in a process that starts here, and give a row for each."""
    command = [sys.executable, "-m", "tests.hostile.measure", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield Row(**json.loads(line))
    assert process.returncode == 0


def main() -> None:
    """Run cases, and write each row as a line of JSON."""
    from tests.hostile.cases import CASES  # noqa: PLC0415 - loads all of Greenroom; only needed here

    logging.disable(logging.CRITICAL)
    for case in CASES:
        if "--large" in sys.argv or not case.large:
            print(json.dumps(asdict(_forked(case))), flush=True)


def _forked(case: Case) -> Row:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            row = json.dumps(asdict(_run(case)))
            os.write(writing, row.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        text = answers.read()
    _, status = os.waitpid(child, 0)
    if text:
        return Row(**json.loads(text))
    code = os.waitstatus_to_exitcode(status)
    happened = "HANGS" if code in (-signal.SIGPROF, -signal.SIGALRM) else f"DIES with {code}"
    return Row(kind=case.kind, name=case.name, happened=happened, well=False, memory=0, seconds=0)


def _run(case: Case) -> Row:
    import re  # noqa: PLC0415 - of this function alone

    with tempfile.TemporaryDirectory(prefix="greenroom-hostile-") as folder:
        judge = case.prepare(Path(folder))
        before = _reset_peak()
        _bound(MOST_SECONDS_LARGE if case.large else MOST_SECONDS)
        began_at = time.process_time()
        try:
            happened = judge()
        except Exception as error:  # noqa: BLE001 - each is what is looked for
            happened = f"CRASHES with {type(error).__name__}: {ascii(str(error))[:200]}"
        seconds = time.process_time() - began_at
        memory = max(0.0, (_status("VmHWM") - before) / MIB)
    well = re.search(case.says, happened) is not None and memory <= case.memory
    return Row(kind=case.kind, name=case.name, happened=happened, well=well, memory=memory, seconds=seconds)


def _bound(seconds: int) -> None:
    size = _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (size + MOST_MEMORY, resource.RLIM_INFINITY))
    # Their default is to end the process: the one for what computes, the other for what waits.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 10 * seconds)


def _reset_peak() -> int:
    """Let the peak count from here; returns the memory that the process has."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _status(name: str) -> int:
    """Bytes, by the system's own name for them."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
