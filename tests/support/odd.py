"""A process that looks at files, and that does for some of them what no parser may do, by their names."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from greenroom.isolation.pool_worker import inspect_order, main
from greenroom.isolation.protocol import InspectOrder
from greenroom.rules import MIB
from greenroom.verdict import Verdict
from worker.checkout import CHECKOUT

#: Arguments of Python that start it.
ODD: Final = (
    "-P",
    "-c",
    f"import sys; sys.path.append({str(CHECKOUT)!r}); import tests.support.odd as o; o.run()",
)


def run() -> None:
    """Look at files until nobody asks any more."""
    main(_odd)


def _odd(order: InspectOrder) -> Verdict:
    name = order.name or order.path.name
    if "kills" in name:
        os.abort()
    if "killed-once" in name and not (mark := Path(f"{order.path}.mark")).exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    _wait(name)
    if "grows" in name:
        return replace(inspect_order(order), label=_grown())
    if "raises" in name:
        raise RecursionError
    if "prints" in name:
        print("a library that talks")  # noqa: T201 - that is what it does
        os.write(1, b"more")
    if "tells" in name:
        return replace(inspect_order(order), label=str(os.getpid()), detail=repr(dict(os.environ)))
    return inspect_order(order)


def _wait(name: str) -> None:
    if "hangs" in name:
        time.sleep(600)
    if "clings" in name:
        # As a library that never comes back, and lets no other thread of Python run.
        ctypes.PyDLL(None).sleep(600)
    if "computes" in name:
        while True:
            pass


def _grown() -> str:
    """Megabytes that could be had."""
    pieces: list[bytes] = []
    try:
        while len(pieces) < 4096:
            pieces.append(b"x" * MIB)
    except MemoryError:
        return str(len(pieces))
    return "endless"
