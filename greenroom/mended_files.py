"""Mended files: kept in a folder that all workers share, so that each original is mended once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from greenroom.copy_record import CopyRecord, clear_remains, read_record, write_record
from greenroom.isolation.orders import Look, Mend
from greenroom.isolation.pool import FilePool
from greenroom.mended import Mended
from greenroom.rules import Category
from greenroom.verdict import Verdict

#: Folders that one original may have: more than one only where what is in the first is spoiled, or not ours.
MOST_PLACES: Final = 20


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A mended file that is there for as long as its asset may have to be uploaded again.

    Attributes:
        path: where it is.
        steps: what was done, in sentences for a campaign manager.
        original_sha256: of the file that it was made from.
        verdict: what inspection says of it; accepted.
    """

    path: Path
    steps: tuple[str, ...]
    original_sha256: str
    verdict: Verdict


def mend_and_keep(
    path: Path, verdict: Verdict, folder: Path, *, name: str, kind: Category | None, files: FilePool
) -> Kept | None:
    """Mend a file, or find what was made of the same content before.

    Args:
        path: the original; never changed.
        verdict: what inspection said of it.
        folder: where mended files are kept; made if need be.
        name: what the sender calls it.
        kind: what the manifest wants it to be.
        files: processes in which files are looked at and mended.

    Returns:
        None where nothing needs to be done.

    Raises:
        CannotMend: the text says why.
        OSError: the folder cannot be written to.
        TransientError: the moment's fault.
    """
    if verdict.sha256 is not None:
        before = _found(folder, verdict.sha256, kind, files)
        if before is not None:
            return before
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder) as draft:
        mended = files.mend(Mend(path=path, verdict=verdict, into=Path(draft), name=name, kind=kind))
        if mended is None:
            return None
        return _keep(mended, Path(draft), folder, kind, files)


def _places(folder: Path, original_sha256: str, kind: Category | None) -> Iterator[Path]:
    """Where the copy of an original may be: a folder of its own, or the next one where that is spoiled."""
    first = folder / original_sha256[:2] / f"{original_sha256}-{kind or 'any'}"
    yield first
    yield from (first.with_name(f"{first.name}.{number}") for number in range(2, MOST_PLACES + 1))


def _keep(mended: Mended, draft: Path, folder: Path, kind: Category | None, files: FilePool) -> Kept:
    record = CopyRecord(file=mended.path.name, sha256=mended.sha256, steps=mended.steps)
    note = write_record(draft, record)
    whole = draft / "whole"
    whole.mkdir()
    for made in (mended.path, note):
        made.rename(whole / made.name)
    problem: OSError | None = None
    for place in _places(folder, mended.original_sha256, kind):
        place.parent.mkdir(parents=True, exist_ok=True)
        clear_remains(place)
        try:
            # In one step: whoever finds the place finds all of it.
            whole.rename(place)
        except OSError as error:
            # Another worker was first; the same original has one mended file. Or what is there is spoiled.
            if found := _kept(place, mended.original_sha256, kind, files):
                return found
            problem = error
        else:
            return Kept(
                path=place / mended.path.name,
                steps=mended.steps,
                original_sha256=mended.original_sha256,
                verdict=mended.verdict,
            )
    raise problem or OSError("there is no place for the copy")


def _found(folder: Path, original_sha256: str, kind: Category | None, files: FilePool) -> Kept | None:
    """What was made of an original before."""
    for place in _places(folder, original_sha256, kind):
        if not place.exists():
            return None
        if found := _kept(place, original_sha256, kind, files):
            return found
    return None


def _kept(place: Path, original_sha256: str, kind: Category | None, files: FilePool) -> Kept | None:
    """What is kept there, if it is what was made, and still what WhatsApp takes."""
    record = read_record(place)
    if record is None:
        return None
    path = place / record.file
    verdict = files.look_once(Look(path=path, kind=kind))
    if not verdict.accepted or record.sha256 != verdict.sha256:
        return None
    return Kept(path=path, steps=record.steps, original_sha256=original_sha256, verdict=verdict)
