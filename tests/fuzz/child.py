"""A process that judges inputs: ``python -m tests.fuzz.child TARGET SEEDS SECONDS SEED FIRST LAST``.

It says on standard output, a line each, what came of every input, so that whoever started it knows which one
it was that ended it.
"""

from __future__ import annotations

import logging
import random
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.target import Target
from tests.fuzz.targets import load_target

#: Bytes of address space beyond what the code itself takes.
MOST_MEMORY = 512 * 1024 * 1024
#: Seconds of the processor's that one input may take. Not of the clock's: the machine may be busy.
MOST_SECONDS = 5.0
_PAGE = resource.getpagesize()


def input_of(target: Target, name: str, seed: int, number: int) -> object:
    """The input of a number: the same again each time."""
    return target.make(random.Random(f"{name} {seed} {number}"))


def main() -> None:
    """Judge inputs, one after another."""
    name, seeds, seconds, *numbers = sys.argv[1:]
    seed, first, last = map(int, numbers)
    target = load_target(name, Path(seeds))
    logging.disable(logging.CRITICAL)
    _bound_memory()
    for number in range(first, last + 1):
        # Its default is to end the process, which also ends a loop in C.
        signal.setitimer(signal.ITIMER_PROF, float(seconds))
        began_at = time.process_time()
        outcome = _judged(target, name, seed, number)
        took = time.process_time() - began_at
        print(f"{number}\t{took:.4f}\t{_peak()}\t{outcome}", flush=True)


def _judged(target: Target, name: str, seed: int, number: int) -> str:
    try:
        return "ok\t" + target.judge(input_of(target, name, seed, number))
    except Exception as error:  # noqa: BLE001 - each is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        return f"crash\t{type(error).__name__} in {place}: {ascii(str(error))[:200]}"


def _bound_memory() -> None:
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * _PAGE
    resource.setrlimit(resource.RLIMIT_AS, (size + MOST_MEMORY, resource.RLIM_INFINITY))


def _peak() -> int:
    """The most memory that this process has had; what `getrusage` says counts its parent's, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
