"""What comes out of fixing: a new file, and what was done to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from greenroom.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class FixedFile:
    """A new file that WhatsApp takes.

    Attributes:
        path: the new file.
        steps: what was done, in sentences for a campaign manager.
        original_sha256: 64 hex digits of the file that was fixed.
        sha256: 64 hex digits of the new file.
        verdict: what inspection says of the new file; always accepted.
    """

    path: Path
    steps: tuple[str, ...]
    original_sha256: str
    sha256: str
    verdict: Verdict
