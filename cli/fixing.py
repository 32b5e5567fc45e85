"""What `greenroom check --fix` does: fixed copies in a folder, beside originals that stay as they are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from greenroom.errors import CannotFix, GreenroomError, Misuse
from greenroom.isolation.process_pool import ProcessPool
from greenroom.isolation.protocol import FixOrder
from greenroom.isolation.resource_limits import cores
from greenroom.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class FileFix:
    """What came of fixing one file.

    Attributes:
        path: the fixed copy; None where there is none.
        sha256: its hash.
        steps: what was done, in sentences.
        problem: why nothing could be done; empty where something was, or where nothing needs to be.
    """

    path: Path | None = None
    sha256: str | None = None
    steps: tuple[str, ...] = ()
    problem: str = ""


def fix_all(rows: Sequence[tuple[Path, Verdict]], into: Path) -> Iterator[FileFix]:
    """Fix files on all cores; returns in their order.

    A file that brings its process down takes no other file with it.

    Raises:
        Misuse: the folder cannot be written to.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misuse(f"{into} cannot be made: {error.strerror}. Give --fix another folder.") from error
    if not os.access(into, os.W_OK):
        raise Misuse(f"{into} cannot be written to. Give --fix another folder.")
    files, threads = ProcessPool(), ThreadPoolExecutor(cores())
    try:
        yield from threads.map(lambda row: _fix_one(files, row[0], row[1], into), rows)
    finally:
        files.close()
        threads.shutdown(cancel_futures=True)


def _fix_one(files: ProcessPool, file: Path, verdict: Verdict, into: Path) -> FileFix:
    """Fix one file; a trouble with it is an answer and not an exception."""
    try:
        fixed = files.fix(FixOrder(path=file, verdict=verdict, into=into))
    except CannotFix as error:
        return FileFix(problem=str(error))
    except (GreenroomError, OSError) as error:
        return FileFix(problem=f"It could not be fixed: {error}")
    if fixed is None:
        return FileFix()
    return FileFix(path=fixed.path, sha256=fixed.sha256, steps=fixed.steps)
