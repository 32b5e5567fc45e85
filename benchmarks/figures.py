"""How much the suite measures, and the figures that come of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

from benchmarks.peers.contender import LIMIT_PER_SECOND

#: Names of Greenroom's figures under a backlog: of an upload, and with looking at its file.
BACKLOG, BACKLOG_WHOLE = "backlog", "backlog with inspection"
#: Files for warming up, for single uploads, and for the seconds before and after a watched pace.
SPARE = 200


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is done.

    Attributes:
        numbers: phone numbers that take the files without a pace.
        passes: times that everybody is started.
        rounds: without a pace, each time.
        files: in a round without a pace.
        reference_files: in a round of bare requests.
        paced_seconds: that one number's pace is watched; whole ones, for half a second may hold the uploads
            of a whole one, and more than the allowance would be counted.
        manifest: files handed over at once.
        celery_manifest: tasks enqueued one by one, to compare.
    """

    numbers: int
    passes: int
    rounds: int
    files: int
    reference_files: int
    paced_seconds: int
    manifest: int
    celery_manifest: int

    @property
    def different_files(self) -> int:
        """As many as one contender is given before it is ended."""
        return SPARE + self.rounds * self.files + LIMIT_PER_SECOND * self.paced_seconds


WHOLE = Sizes(
    numbers=40,
    passes=3,
    rounds=1,
    files=800,
    reference_files=500,
    paced_seconds=8,
    manifest=50_000,
    celery_manifest=10_000,
)
QUICK = Sizes(
    numbers=20,
    passes=1,
    rounds=2,
    files=160,
    reference_files=150,
    paced_seconds=5,
    manifest=50_000,
    celery_manifest=1_000,
)


@dataclass(kw_only=True)
class Results:
    """All single figures: ``figures[contender][name]`` has one for each round."""

    machine: dict[str, str]
    sizes: Sizes
    figures: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, contender: str, **figures: float) -> None:
        """Keep a round's figures."""
        for name, value in figures.items():
            self.figures[contender][name].append(value)

    def of(self, contender: str, name: str) -> list[float]:
        """A figure in every round; empty where it was not measured."""
        return self.figures.get(contender, {}).get(name, [])

    def middle(self, contender: str, name: str) -> float | None:
        """A figure's median."""
        values = self.of(contender, name)
        return median(values) if values else None
