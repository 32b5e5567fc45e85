"""Mended files: kept in a folder that all workers share, so that each original is mended once."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from greenroom.inspection import inspect_file
from greenroom.mending import Mended, mend_file
from greenroom.rules import Category
from greenroom.verdict import Verdict

#: Says in each folder which file of it was made, and how.
NOTE = "mended.json"


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
    path: Path, verdict: Verdict, folder: Path, *, name: str, kind: Category | None
) -> Kept | None:
    """Mend a file, or find what was made of the same content before.

    Args:
        path: the original; never changed.
        verdict: what inspection said of it.
        folder: where mended files are kept; made if need be.
        name: what the sender calls it.
        kind: what the manifest wants it to be.

    Returns:
        None where nothing needs to be done.

    Raises:
        CannotMend: the text says why.
        OSError: the folder cannot be written to.
    """
    if verdict.sha256 is not None:
        before = _found(_place(folder, verdict.sha256, kind), verdict.sha256, kind)
        if before is not None:
            return before
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder) as draft:
        mended = mend_file(path, verdict, Path(draft), name=name, kind=kind)
        if mended is None:
            return None
        return _keep(mended, Path(draft), _place(folder, mended.original_sha256, kind), kind)


def _place(folder: Path, original_sha256: str, kind: Category | None) -> Path:
    return folder / original_sha256[:2] / f"{original_sha256}-{kind or 'any'}"


def _keep(mended: Mended, draft: Path, place: Path, kind: Category | None) -> Kept:
    note = {"file": mended.path.name, "steps": list(mended.steps)}
    (draft / NOTE).write_text(json.dumps(note), encoding="utf-8")
    place.parent.mkdir(parents=True, exist_ok=True)
    whole = draft / "whole"
    whole.mkdir()
    for made in (mended.path, draft / NOTE):
        made.rename(whole / made.name)
    try:
        # In one step: whoever finds the place finds all of it.
        whole.rename(place)
    except OSError:
        # Another worker was first; the same original has one mended file.
        if found := _found(place, mended.original_sha256, kind):
            return found
        raise
    return Kept(
        path=place / mended.path.name,
        steps=mended.steps,
        original_sha256=mended.original_sha256,
        verdict=mended.verdict,
    )


def _found(place: Path, original_sha256: str, kind: Category | None) -> Kept | None:
    """What is kept there, if it is still what WhatsApp takes."""
    try:
        note = json.loads((place / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    path = place / note["file"]
    verdict = inspect_file(path, kind=kind)
    if not verdict.accepted:
        return None
    return Kept(path=path, steps=tuple(note["steps"]), original_sha256=original_sha256, verdict=verdict)
