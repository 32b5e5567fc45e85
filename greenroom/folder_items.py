"""Items made of files and folders that are named on a command line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from greenroom.errors import ManifestError
from greenroom.folder_walk import FolderWalk
from greenroom.manifest import LONGEST_REF, LONGEST_SOURCE, ManifestItem, parse_items


def items_of_paths(paths: Iterable[Path], walk: FolderWalk | None = None) -> list[ManifestItem]:
    """An item for each file given, and for each file below a folder given that the walk takes.

    The ref of a file is its path below the folder that was given, or its name. A file that is given twice
    is taken once. What cannot be taken is in `unusable` of the walk.

    Args:
        paths: files and folders.
        walk: which files of a folder are taken; None where all of them have to be usable.

    Raises:
        ManifestError: without a walk, a folder cannot be read, or a name cannot be a source.
    """
    walking = walk or FolderWalk()
    sources: dict[str, str] = {}
    taken: set[str] = set()
    for path in paths:
        root = path if path.is_dir() else path.parent
        for file in walking.files(path):
            source = str(file.absolute())
            if problem := _problem(source):
                walking.unusable.setdefault(file, problem)
            if file in walking.unusable or source in taken:
                continue
            taken.add(source)
            ref = _shortened(file.relative_to(root).as_posix())
            sources[_shortened(source) if ref in sources else ref] = source
    if walk is None:
        for file, problem in walking.unusable.items():
            raise ManifestError(f"{str(file)!a}: {problem}")
    return parse_items([{"ref": ref, "source": source} for ref, source in sources.items()], where="file")


def _shortened(ref: str) -> str:
    """A path that can be a ref: of one that is too long, its end, after what tells it from others."""
    if len(ref) <= LONGEST_REF:
        return ref
    mark = sha256(os.fsencode(ref)).hexdigest()[:16] + "..."
    return mark + ref[len(mark) - LONGEST_REF :]


def _problem(source: str) -> str:
    """Why no campaign can hold this path; nothing where it can."""
    if len(source) > LONGEST_SOURCE:
        return f"The path has more than {LONGEST_SOURCE:,} characters. Move it up."
    try:
        source.encode()
    except UnicodeEncodeError:
        return "The name is not UTF-8, so that no campaign can hold it. Rename it."
    return ""
