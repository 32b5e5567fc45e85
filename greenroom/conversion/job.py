"""What a converter is given and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from greenroom.conversion.deadline import Deadline
from greenroom.rules import Category
from greenroom.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class ConversionJob:
    """One file to fix.

    Attributes:
        path: the original; only ever read.
        out: where a converter writes what is too large to hand back.
        verdict: what inspection said of the original.
        kind: what it is to be, or None for what it most naturally is.
        deadline: when the work has to be given up.
    """

    path: Path
    out: Path
    verdict: Verdict
    kind: Category | None
    deadline: Deadline

    def noticed(self, *codes: str) -> bool:
        """Whether inspection remarked on any of these."""
        return any(notice.code in codes for notice in self.verdict.notices)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A new file, not yet judged.

    Attributes:
        mime_type: the row of the provider's table that it is meant to be.
        steps: what was done.
        data: its content, or None where the converter wrote it to ``Job.out`` itself.
    """

    mime_type: str
    steps: tuple[str, ...]
    data: bytes | None = None
