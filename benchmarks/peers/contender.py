"""What every contender is given, and what it has to be able to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

CHECKOUT = Path(__file__).resolve().parents[2]
#: One phone number's allowance, as every peer is told it.
LIMIT_PER_SECOND = 25


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where a contender works.

    Attributes:
        endpoint: the address that takes uploads.
        folder: for whatever it has to write.
        files: paths of all files, each with a content of its own.
    """

    endpoint: str
    folder: Path
    files: tuple[str, ...]

    def environment(self, **more: str) -> dict[str, str]:
        """What a contender's own processes need to know."""
        return {**os.environ, "PYTHONPATH": str(CHECKOUT), "BENCH_ENDPOINT": self.endpoint, **more}


@dataclass(frozen=True, kw_only=True)
class Work:
    """Files to be uploaded.

    Attributes:
        name: of this hand-over; the same name again is the same hand-over again.
        first: of the stage's files.
        files: how many.
        keys: of the numbers, which take the files in turn.
        paced: whether each number's limit is to be kept.
    """

    name: str
    first: int
    files: int
    keys: tuple[str, ...]
    paced: bool

    def uploads(self, stage: Stage) -> Iterator[tuple[str, str]]:
        """A path and a key for each upload."""
        for number in range(self.first, self.first + self.files):
            yield stage.files[number % len(stage.files)], self.keys[number % len(self.keys)]


class Contender(Protocol):
    """A way of uploading files, set up and idle."""

    def processes(self) -> Sequence[int]:
        """Process IDs that are no descendants of this process and yet belong to the contender."""
        ...

    def add_numbers(self, keys: Sequence[str]) -> None:
        """Make numbers known; not measured."""
        ...

    def upload(self, work: Work) -> None:
        """Hand the work over; it need not be done when this returns."""
        ...

    def more(self, what: str, **options: Any) -> dict[str, float]:
        """Measure something that not every contender can do."""
        ...


def python(*words: str) -> list[str]:
    """A command of this interpreter's."""
    return [sys.executable, "-m", *words]
