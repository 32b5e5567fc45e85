"""Fixed files: kept in a folder that all workers share, so that each original is fixed once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from greenroom.copy_record import CopyRecord, clear_remains, read_record, write_record
from greenroom.fixed_file import FixedFile
from greenroom.isolation.process_pool import ProcessPool
from greenroom.isolation.protocol import FixOrder, InspectOrder
from greenroom.rules import Category
from greenroom.verdict import Verdict

#: Folders that one original may have: more than one only where what is in the first is spoiled, or not ours.
MAX_STORE_PLACES: Final = 20


@dataclass(frozen=True, kw_only=True)
class StoredFix:
    """A fixed file that is there for as long as its asset may have to be uploaded again.

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


def fix_and_store(
    path: Path, verdict: Verdict, folder: Path, *, name: str, kind: Category | None, files: ProcessPool
) -> StoredFix | None:
    """Fix a file, or find what was made of the same content before.

    Args:
        path: the original; never changed.
        verdict: what inspection said of it.
        folder: where fixed files are kept; made if need be.
        name: what the sender calls it.
        kind: what the manifest wants it to be.
        files: processes in which files are looked at and fixed.

    Returns:
        None where nothing needs to be done.

    Raises:
        CannotFix: the text says why.
        OSError: the folder cannot be written to.
        TransientError: the moment's fault.
    """
    if verdict.sha256 is not None:
        before = _found(folder, verdict.sha256, kind, files)
        if before is not None:
            return before
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder) as draft:
        fixed = files.fix(FixOrder(path=path, verdict=verdict, into=Path(draft), name=name, kind=kind))
        if fixed is None:
            return None
        return _keep(fixed, Path(draft), folder, kind, files)


def _places(folder: Path, original_sha256: str, kind: Category | None) -> Iterator[Path]:
    """Where the copy of an original may be: a folder of its own, or the next one where that is spoiled."""
    first = folder / original_sha256[:2] / f"{original_sha256}-{kind or 'any'}"
    yield first
    yield from (first.with_name(f"{first.name}.{number}") for number in range(2, MAX_STORE_PLACES + 1))


def _keep(
    fixed: FixedFile, draft: Path, folder: Path, kind: Category | None, files: ProcessPool
) -> StoredFix:
    record = CopyRecord(file=fixed.path.name, sha256=fixed.sha256, steps=fixed.steps)
    note = write_record(draft, record)
    whole = draft / "whole"
    whole.mkdir()
    for made in (fixed.path, note):
        made.rename(whole / made.name)
    problem: OSError | None = None
    for place in _places(folder, fixed.original_sha256, kind):
        place.parent.mkdir(parents=True, exist_ok=True)
        clear_remains(place)
        try:
            # In one step: whoever finds the place finds all of it.
            whole.rename(place)
        except OSError as error:
            # Another worker was first; the same original has one fixed file. Or what is there is spoiled.
            if found := _kept(place, fixed.original_sha256, kind, files):
                return found
            problem = error
        else:
            return StoredFix(
                path=place / fixed.path.name,
                steps=fixed.steps,
                original_sha256=fixed.original_sha256,
                verdict=fixed.verdict,
            )
    raise problem or OSError("there is no place for the copy")


def _found(folder: Path, original_sha256: str, kind: Category | None, files: ProcessPool) -> StoredFix | None:
    """What was made of an original before."""
    for place in _places(folder, original_sha256, kind):
        if not place.exists():
            return None
        if found := _kept(place, original_sha256, kind, files):
            return found
    return None


def _kept(place: Path, original_sha256: str, kind: Category | None, files: ProcessPool) -> StoredFix | None:
    """What is kept there, if it is what was made, and still what WhatsApp takes."""
    record = read_record(place)
    if record is None:
        return None
    path = place / record.file
    verdict = files.inspect_once(InspectOrder(path=path, kind=kind))
    if not verdict.accepted or record.sha256 != verdict.sha256:
        return None
    return StoredFix(path=path, steps=record.steps, original_sha256=original_sha256, verdict=verdict)
