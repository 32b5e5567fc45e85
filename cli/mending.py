"""What `greenroom check --mend` does: mended copies in a folder, beside originals that stay as they are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from greenroom.errors import CannotMend, GreenroomError, Misuse
from greenroom.isolation.bounds import cores
from greenroom.isolation.orders import Mend
from greenroom.isolation.pool import FilePool
from greenroom.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Mending:
    """What came of mending one file.

    Attributes:
        path: the mended copy; None where there is none.
        sha256: its hash.
        steps: what was done, in sentences.
        problem: why nothing could be done; empty where something was, or where nothing needs to be.
    """

    path: Path | None = None
    sha256: str | None = None
    steps: tuple[str, ...] = ()
    problem: str = ""


def mend_all(rows: Sequence[tuple[Path, Verdict]], into: Path) -> Iterator[Mending]:
    """Mend files on all cores; answers in their order.

    A file that brings its process down takes no other file with it.

    Raises:
        Misuse: the folder cannot be written to.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misuse(f"{into} cannot be made: {error.strerror}. Give --mend another folder.") from error
    if not os.access(into, os.W_OK):
        raise Misuse(f"{into} cannot be written to. Give --mend another folder.")
    files, threads = FilePool(), ThreadPoolExecutor(cores())
    try:
        yield from threads.map(lambda row: _mend_one(files, row[0], row[1], into), rows)
    finally:
        files.close()
        threads.shutdown(cancel_futures=True)


def _mend_one(files: FilePool, file: Path, verdict: Verdict, into: Path) -> Mending:
    """Mend one file; a trouble with it is an answer and not an exception."""
    try:
        mended = files.mend(Mend(path=file, verdict=verdict, into=into))
    except CannotMend as error:
        return Mending(problem=str(error))
    except (GreenroomError, OSError) as error:
        return Mending(problem=f"It could not be mended: {error}")
    if mended is None:
        return Mending()
    return Mending(path=mended.path, sha256=mended.sha256, steps=mended.steps)
