"""Fetched files, kept for a while on this machine's own disk: what was inspected need not be fetched again.

Below one folder lies each content under its SHA-256, and for each source a note of the version that it had
and of the content that this was. All processes of the machine share it without locks: what is written gets
its name when it is whole, what is read is held open and checked by its hash, and what was used longest ago
goes first, contents and notes alike. Whatever is spoiled or gone is fetched anew, and nothing else comes of
it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final

from greenroom.rules import MIB

#: What is left when there was more than may be, as a share of that: so that it is not counted each time.
_LEFT: Final = 0.9
#: The folder is looked through when so much of what may be has been added by this process.
_LOOK_AFTER: Final = 1 / 64
#: Seconds after which a draft belongs to nobody any more: longer than any file is fetched.
_DRAFT_SECONDS: Final = 3600.0
_LONGEST_NOTE: Final = 4096
#: Bytes that a disk gives a file at a time: a million notes take four gigabytes.
_BLOCK: Final = 4096
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class KnownVersion:
    """What a source held when it was fetched last.

    Attributes:
        version: its ETag or the like.
        content: what that was, open to be read.
    """

    version: str
    content: BinaryIO


class FetchedFiles:
    """The files that were fetched to this machine."""

    def __init__(self, folder: Path, *, most: int = 1024 * MIB) -> None:
        """Prepare; the folder is made when something is kept.

        Args:
            folder: where; nothing else may lie there.
            most: bytes that it may hold.
        """
        self._contents = folder / "contents"
        self._notes = folder / "notes"
        self._drafts = folder / "drafts"
        self._most = most
        #: Nobody knows how much is there; it is looked at when the first file is kept.
        self._added = most

    def content(self, sha256: str) -> BinaryIO | None:
        """A content, open from its first byte; None where it is not here. The caller closes it."""
        path = self._path(sha256)
        try:
            file = path.open("rb", buffering=0)
        except OSError:
            return None
        try:
            if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                file.seek(0)
                os.utime(path)
                return file
            path.unlink(missing_ok=True)
        except OSError:
            pass  # it went meanwhile, or cannot be read
        file.close()
        return None

    @contextmanager
    def last_of(self, source: str) -> Iterator[KnownVersion | None]:
        """What a source held when it was fetched last, if that is still here."""
        note = self._note(source)
        content = self.content(note[1]) if note else None
        if note is None or content is None:
            yield None
            return
        with suppress(OSError):
            os.utime(self._note_path(source))
        with content:
            yield KnownVersion(version=note[0], content=content)

    @contextmanager
    def draft(self) -> Iterator[FileIO]:
        """An empty file to fetch into, which has a name; gone at the end of the block unless it was kept.

        Raises:
            OSError: the folder cannot be written to.
        """
        for folder in (self._contents, self._notes, self._drafts):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = self._drafts / secrets.token_hex(16)
        with name.open("x+b", buffering=0) as file:
            try:
                yield file
            finally:
                name.unlink(missing_ok=True)

    def keep(self, source: str, version: str, draft: FileIO) -> None:
        """Keep what was fetched, and note of which version it is, where the source names one.

        What cannot be kept is not: whoever fetched it has it all the same.
        """
        size = draft.seek(0, os.SEEK_END)
        if size > self._most * _LEFT:
            return
        draft.seek(0)
        sha256 = hashlib.file_digest(draft, "sha256").hexdigest()
        path = self._path(sha256)
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            Path(draft.name).rename(path)
            if version:
                self._write_note(source, version, sha256)
        self._added += _room(size) + _BLOCK
        if self._added >= self._most * _LOOK_AFTER:
            self._added = 0
            self.clear(most=self._most)

    def clear(self, *, most: int = 0) -> None:
        """Drop what was used longest ago, if there is more than so many bytes."""
        _drop_old(self._drafts, before=time.time() - _DRAFT_SECONDS)
        files = sorted(_files(*self._contents.glob("*"), self._notes), reverse=True)
        if sum(room for _, room, _ in files) <= most:
            return
        left = 0
        for _, room, path in files:
            left += room
            if left > most * _LEFT:
                with suppress(OSError):
                    os.unlink(path)  # noqa: PTH108 - an entry of a folder

    def _path(self, sha256: str) -> Path:
        return self._contents / sha256[:2] / sha256

    def _note_path(self, source: str) -> Path:
        # Not the source itself: its query may be what signs it.
        return self._notes / hashlib.sha256(source.encode(errors="surrogateescape")).hexdigest()

    def _note(self, source: str) -> tuple[str, str] | None:
        try:
            with self._note_path(source).open("rb") as file:
                note = json.loads(file.read(_LONGEST_NOTE))
            version, sha256 = note["version"], note["sha256"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        if isinstance(version, str) and isinstance(sha256, str) and _SHA256.fullmatch(sha256):
            return version, sha256
        return None

    def _write_note(self, source: str, version: str, sha256: str) -> None:
        draft = self._drafts / secrets.token_hex(16)
        draft.write_text(json.dumps({"version": version, "sha256": sha256}), encoding="utf-8")
        draft.rename(self._note_path(source))


def _room(size: int) -> int:
    """What a file of a size takes of a disk."""
    return max(-(-size // _BLOCK), 1) * _BLOCK


def _files(*folders: Path) -> Iterator[tuple[float, int, str]]:
    """When each was used last, what it takes of the disk, and where it is."""
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    found = entry.stat()
                    yield found.st_mtime, _room(found.st_size), entry.path


def _drop_old(folder: Path, *, before: float) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.stat().st_mtime < before:
                    os.unlink(entry)  # noqa: PTH108 - an entry of the folder
