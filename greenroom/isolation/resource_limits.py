"""What one file may cost a process: memory, processor, time, and bytes written; each is our own choice."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Final, Self

from greenroom.rules import LARGEST_FILE, MIB

#: Seconds that fixing one file may take; converters ask for it themselves between two frames.
FIXING_SECONDS: Final = 600.0


def cores() -> int:
    """Cores that this process may use, which containers and `taskset` make fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class ResourceLimits:
    """The bounds of one process.

    A file that computes for too long is at fault, on whatever machine; one that merely takes long may lie on
    a disk that is away, or belong to a machine that was asleep.

    Attributes:
        memory: bytes of its own that it may have (``RLIMIT_DATA``, to which Linux holds it). Looking at files
            takes a tenth of it.
        processor: seconds that looking at one file may compute. The largest takes half a second.
        patience: seconds that looking at one file may take in all.
        fixing: the same of fixing one.
        written: bytes of a file that it may write.
    """

    memory: int = 512 * MIB
    processor: float = 30.0
    patience: float = 300.0
    fixing: float = FIXING_SECONDS + 60
    written: int = 2 * LARGEST_FILE

    def to_json(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What :meth:`to_json` wrote."""
        return cls(**json.loads(text))
