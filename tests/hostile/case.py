"""What a case of the hostile corpus is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: Makes what is judged in a folder, and returns what judges it: that alone is measured.
Prepare = Callable[[Path], Callable[[], str]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One hostile thing.

    Attributes:
        kind: file, manifest, message or answer.
        name: what it is, in some words.
        prepare: makes it.
        says: a pattern in what comes of it: a verdict, or the sentence of a refusal.
        large: takes seconds, and room on disk: left out of the tests, shown by `make hostile`.
        memory: MiB that judging may take, beside what the process has.
    """

    kind: str
    name: str
    prepare: Prepare
    says: str
    large: bool = False
    memory: int = 64


def looked_at(make: Callable[[Path], Path], look: Callable[[Path], str]) -> Prepare:
    """Makes a path in a folder; what looks at it is measured."""

    def prepare(folder: Path) -> Callable[[], str]:
        path = make(folder)
        return lambda: look(path)

    return prepare
