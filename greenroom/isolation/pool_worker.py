"""The process that looks at files, one after another, within bounds that the system holds it to."""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from greenroom.errors import CannotFix, SourceChanged
from greenroom.inspection import inspect_file
from greenroom.isolation.protocol import (
    READY,
    RING,
    FixOrder,
    FixResult,
    InspectOrder,
    ThumbnailOrder,
    read_orders,
    write_fix_result,
    write_thumbnail,
    write_verdict,
)
from greenroom.isolation.resource_limits import FIXING_SECONDS, ResourceLimits, cores
from greenroom.isolation.shared_memory import Shared
from greenroom.rules import KIB, MIB
from greenroom.verdict import Verdict

#: A process that ever had so many bytes in memory does not stay to keep them: its next file gets a new one.
_SLIM: Final = 160 * MIB
_STATUS: Final = Path("/proc/self/status")
_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024

Judge = Callable[[InspectOrder], Verdict]


def inspect_order(order: InspectOrder) -> Verdict:
    """The verdict on one file."""
    return inspect_file(order.path, name=order.name, kind=order.kind)


def main(judge: Judge = inspect_order) -> None:
    """Do as orders say until nobody gives any more; the process's first argument names its bounds.

    Args:
        judge: what gives the verdicts; another one is for tests and measurements.
    """
    bounds, shared, bell = ResourceLimits.from_json(sys.argv[1]), Shared(int(sys.argv[2])), int(sys.argv[3])
    _keep_within(bounds)
    # Whoever started us ends us; Ctrl-C is his to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.dup(1)
    # A library that prints must not do so into our answers.
    os.dup2(2, 1)
    os.write(answers, READY)
    os.write(bell, RING)
    for line in sys.stdin.buffer:
        orders = read_orders(line)
        for order in orders:
            shared.begun += 1
            _set_timers(order, bounds)
            answer = _answer(order, bounds, judge)
            if order is orders[-1]:
                # Whoever has all answers looks at this next.
                shared.spent = _most_memory() > _SLIM
            # At once, for the next file may hang; it wakes nobody.
            os.write(answers, answer)
        os.write(bell, RING)


def _answer(order: InspectOrder, bounds: ResourceLimits, judge: Judge) -> bytes:
    match order:
        case FixOrder():
            return _fixed(order, bounds)
        case ThumbnailOrder():
            return _thumbnail(order)
    return write_verdict(judge(order))


def _thumbnail(order: ThumbnailOrder) -> bytes:
    # As for fixing.
    from greenroom.conversion.thumbnail import thumbnail  # noqa: PLC0415 - see above

    try:
        return write_thumbnail(thumbnail(order.path))
    except (CannotFix, OSError, MemoryError):
        return write_thumbnail(b"")


def _keep_within(bounds: ResourceLimits) -> None:
    """Let the system refuse what is too much."""
    for which, most in (
        (resource.RLIMIT_DATA, bounds.memory),
        (resource.RLIMIT_FSIZE, bounds.written),
        (resource.RLIMIT_CORE, 0),
    ):
        _, highest = resource.getrlimit(which)
        if highest == resource.RLIM_INFINITY or most < highest:
            resource.setrlimit(which, (most, most))


def _set_timers(order: InspectOrder, bounds: ResourceLimits) -> None:
    """End this process, whatever it is at, once a file has taken too much; even if nobody is left who would.

    The system's own signals, whose default is the end: they reach a library that never comes back to Python.
    Left running where nothing is asked, they also end a process that nobody has needed for minutes.
    """
    fixing = isinstance(order, FixOrder)
    signal.setitimer(signal.ITIMER_PROF, bounds.fixing * cores() if fixing else bounds.processor)
    signal.alarm(math.ceil(bounds.fixing if fixing else bounds.patience))


def _most_memory() -> int:
    """Bytes that this process had in memory at its fullest.

    Not by `getrusage` where it can be helped: on Linux its figure begins with that of who started us.
    """
    try:
        with _STATUS.open("rb") as status:
            line = next(line for line in status if line.startswith(b"VmHWM:"))
        return int(line.split()[1]) * KIB
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT


def _fixed(order: FixOrder, bounds: ResourceLimits) -> bytes:
    # The libraries that fix are large, and most processes never need them.
    from greenroom.conversion import fix_file  # noqa: PLC0415 - see above

    try:
        fixed = fix_file(
            order.path, order.verdict, order.into, name=order.name, kind=order.kind, seconds=FIXING_SECONDS
        )
    except CannotFix as error:
        made = FixResult(refusal=str(error))
    except SourceChanged as error:
        made = FixResult(changed=str(error))
    except MemoryError:
        made = FixResult(refusal=too_much_memory(bounds))
    except OSError as error:
        made = FixResult(system=(error.errno or 0, error.strerror or str(error)))
    else:
        made = FixResult(new=fixed)
    return write_fix_result(made)


def too_much_memory(bounds: ResourceLimits) -> str:
    """What is said of a file that cannot be fixed within the bound."""
    return (
        f"Fixing this file takes more than {bounds.memory // MIB} MB of memory. "
        "Save it smaller with the program that made it."
    )
