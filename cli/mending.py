"""What `greenroom check --mend` does: mended copies in a folder, beside originals that stay as they are."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from greenroom.errors import CannotMend, GreenroomError, Misuse
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
    with _pool(os.cpu_count() or 1) as pool:
        futures: list[Future[Mending]] = [
            pool.submit(mend_one, file, verdict, into) for file, verdict in rows
        ]
        for (file, verdict), future in zip(rows, futures, strict=True):
            try:
                yield future.result()
            except BrokenProcessPool:
                yield _alone(file, verdict, into)


def mend_one(file: Path, verdict: Verdict, into: Path) -> Mending:
    """Mend one file; a trouble with it is an answer and not an exception."""
    from greenroom.mending import mend_file  # noqa: PLC0415 - PyAV takes its time to load

    try:
        mended = mend_file(file, verdict, into)
    except CannotMend as error:
        return Mending(problem=str(error))
    except (GreenroomError, OSError) as error:
        return Mending(problem=f"It could not be mended: {error}")
    if mended is None:
        return Mending()
    return Mending(path=mended.path, sha256=mended.sha256, steps=mended.steps)


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))


def _alone(file: Path, verdict: Verdict, into: Path) -> Mending:
    try:
        with _pool(1) as pool:
            return pool.submit(mend_one, file, verdict, into).result()
    except BrokenProcessPool:
        return Mending(problem="This file is so damaged that mending it ends the program that tries.")
