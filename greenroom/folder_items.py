"""Items made of files and folders that are named on a command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from greenroom.errors import ManifestError
from greenroom.manifest import LONGEST_REF, ManifestItem, parse_items


def items_of_paths(paths: Iterable[Path]) -> list[ManifestItem]:
    """An item for each file given, and for each file below a folder given; hidden ones are left out.

    The ref of a file is its path below the folder that was given, or its name. A file that is given twice
    is taken once.

    Raises:
        ManifestError: a folder cannot be read, or a name is not Unicode.
    """
    sources: dict[str, str] = {}
    taken: set[str] = set()
    for path in paths:
        root = path if path.is_dir() else path.parent
        for file in files_below(path):
            source = str(file.absolute())
            if source in taken:
                continue
            taken.add(source)
            ref = _shortened(file.relative_to(root).as_posix())
            sources[_shortened(source) if ref in sources else ref] = source
    for source in sources.values():
        _require_unicode(source)
    return parse_items([{"ref": ref, "source": source} for ref, source in sources.items()], where="file")


def _shortened(ref: str) -> str:
    """A path that can be a ref: of one that is too long, its end, after what tells it from others."""
    if len(ref) <= LONGEST_REF:
        return ref
    mark = sha256(os.fsencode(ref)).hexdigest()[:16] + "..."
    return mark + ref[len(mark) - LONGEST_REF :]


def _require_unicode(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ManifestError(
            f"The name {path!a} is not UTF-8, so that no campaign can hold it. Rename it."
        ) from None


def _refused(error: OSError) -> NoReturn:
    raise ManifestError(f"The folder {error.filename} cannot be read: {error.strerror}") from error


def files_below(path: Path, *, unreadable: Callable[[OSError], Iterable[Path]] = _refused) -> Iterator[Path]:
    """The path itself where it is no folder, else every file below it in order of name; no hidden ones.

    A link to a folder is not followed, so that no loop of links is walked.

    Args:
        path: a file or a folder.
        unreadable: what stands for a folder that cannot be read, where its files would come.

    Raises:
        ManifestError: a folder cannot be read, and nothing is to stand for it: leaving out its files unsaid
            would be no answer.
    """
    if not path.is_dir():
        yield path
        return
    errors: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=errors.append):
        yield from _instead(errors, unreadable)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))
    yield from _instead(errors, unreadable)


def _instead(errors: list[OSError], unreadable: Callable[[OSError], Iterable[Path]]) -> Iterator[Path]:
    while errors:
        yield from unreadable(errors.pop(0))
