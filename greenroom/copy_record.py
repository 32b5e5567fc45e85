"""The record beside a fixed copy: by it Greenroom knows, and can prove, what it made itself.

Folders are opened one within the other and never by a path with several parts, so that no link and no ``..``
leads out of them between a look and a deed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

#: The record's name, in the folder of each copy.
NOTE: Final = "fixed.json"
#: Bytes of a record at most: a name and some sentences.
LONGEST_NOTE: Final = 64 * 1024
_CHUNK: Final = 1024 * 1024
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# O_NONBLOCK: should the name be a pipe's, it must not hang us. To a file it means nothing.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
#: Where a copy is, below the folder of all copies: two digits, the original's hash and the wanted kind.
_PLACE: Final = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62}-[a-z]+(?:\.\d+)?)/([^/\0]+)")


@dataclass(frozen=True, kw_only=True)
class CopyRecord:
    """What was made, and of what.

    Attributes:
        file: the copy's name, in the record's own folder.
        sha256: of the copy, 64 hex digits.
        steps: what was done, in sentences for a campaign manager.
    """

    file: str
    sha256: str
    steps: tuple[str, ...]


def write_record(folder: Path, record: CopyRecord) -> Path:
    """Write the record into a folder; returns where."""
    path = folder / NOTE
    path.write_text(json.dumps(asdict(record)), encoding="utf-8")
    return path


def read_record(place: Path) -> CopyRecord | None:
    """The record of a copy's folder; None where there is none that can be used."""
    try:
        with _opened(place, None) as handle:
            return _record(handle)
    except OSError:
        return None


def is_place_of_copy(source: str, folder: Path) -> bool:
    """Whether a path is one that Greenroom gives to fixed copies of this folder; not whether it did."""
    return _PLACE.fullmatch(_below(source, folder)) is not None


def remove_copy(source: str, folder: Path) -> bool:
    """Remove a fixed copy, its record and its own folder, if the record proves that it is one.

    Removed is a regular file that has the name and the hash of the record beside it, in a folder that has
    the name of a copy's, with no link on the way to it. Whatever else lies there stays.

    Args:
        source: its path; may have been named by anybody.
        folder: where fixed copies are kept; may itself be a link, since the operator named it.

    Returns:
        Whether it was removed.
    """
    found = _PLACE.fullmatch(_below(source, folder))
    if found is None:
        return False
    shard, place, name = found.groups()
    try:
        with _opened(folder, None, follow=True) as root, _opened(shard, root) as above:
            with _opened(place, above) as handle:
                if not _proven(handle, name):
                    return False
                os.unlink(name, dir_fd=handle)
                os.unlink(NOTE, dir_fd=handle)
            with suppress(OSError):  # somebody has put something of their own there
                os.rmdir(place, dir_fd=above)
    except OSError:
        return False
    return True


def clear_remains(place: Path) -> None:
    """Remove the folder of a copy that was lost, if nothing but its record is left there."""
    with suppress(OSError), _opened(place.parent, None) as above:
        with _opened(place.name, above) as handle:
            with os.scandir(handle) as entries:
                names = [entry.name for entry in entries]
            if names != [NOTE] or _record(handle) is None:
                return
            # Within the folder that was looked at: another worker may have put a whole one in its place.
            os.unlink(NOTE, dir_fd=handle)
        os.rmdir(place.name, dir_fd=above)


def _below(source: str, folder: Path) -> str:
    """The path below the folder as it is written; empty where it does not begin with the folder's."""
    start = f"{folder.absolute()}/"
    return source[len(start) :] if source.startswith(start) else ""


@contextmanager
def _opened(path: Path | str, within: int | None, *, follow: bool = False) -> Iterator[int]:
    handle = os.open(path, _FOLDER & ~os.O_NOFOLLOW if follow else _FOLDER, dir_fd=within)
    try:
        yield handle
    finally:
        os.close(handle)


def _regular(name: str, within: int) -> int:
    """The handle of a regular file in a folder.

    Raises:
        OSError: it is not there, or is a link, a pipe, a device or a folder.
    """
    handle = os.open(name, _FILE, dir_fd=within)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(name)
    return handle


def _record(folder: int) -> CopyRecord | None:
    with os.fdopen(_regular(NOTE, folder), "rb") as file:
        text = file.read(LONGEST_NOTE + 1)
    try:
        values = json.loads(text) if len(text) <= LONGEST_NOTE else None
    except (ValueError, RecursionError):
        return None
    return _from_values(values)


def _from_values(values: Any) -> CopyRecord | None:
    match values:
        case {"file": str(file), "sha256": str(sha256), "steps": list(steps)} if _is_name(file):
            return CopyRecord(file=file, sha256=sha256, steps=tuple(map(str, steps)))
    return None


def _is_name(text: str) -> bool:
    return text not in ("", ".", "..", NOTE) and "/" not in text and "\0" not in text


def _proven(folder: int, name: str) -> bool:
    record = _record(folder)
    return record is not None and record.file == name and record.sha256 == _sha256(name, folder)


def _sha256(name: str, within: int) -> str:
    digest = hashlib.sha256()
    with os.fdopen(_regular(name, within), "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
