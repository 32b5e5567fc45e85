"""An archive and its parts: opened, found by name and unpacked within bounds.

Source: ECMA-376 part 2 (Open Packaging Conventions), 6.2.2: names of parts ignore case and have their odd
characters as per cent codes. Some writers have backslashes in them, or a slash before them.
"""

from __future__ import annotations

import struct
import threading
import warnings
import zipfile
import zlib
from typing import IO, BinaryIO, Final, Self, cast
from urllib.parse import unquote

from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged
from greenroom.rules import KIB, MIB

#: What opening raises where a file has no directory of parts that could be read.
BAD_ARCHIVE: Final = (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError)
#: Most that is unpacked of a part; a larger one is checked up to here only.
_LARGEST_PART: Final = 128 * KIB
_MOST_ENTRIES: Final = 20_000
#: Bytes of an archive's directory: a presentation of 5,000 parts has 450 KB.
_LARGEST_DIRECTORY: Final = MIB
#: What Office documents are packed with (ECMA-376 part 2, annex C). The others cannot be unpacked in part:
#: their readers give all that a piece of the file unpacks to, however much that is.
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED_FLAG: Final = 0x1
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
#: What is done with a warning is the same for all threads of a process: one at a time changes it.
_OVERLAPS_SEEN: Final = threading.Lock()


class Package:
    """The parts of an archive.

    Attributes:
        names: of each part as it stands in the archive, by the form in which names are compared.

    Raises:
        BadZipFile: or another of :data:`UNREADABLE`: it has no directory of its own.
    """

    def __init__(self, content: Content) -> None:
        self._archive = zipfile.ZipFile(cast("IO[bytes]", _Bounded(content.stream())))
        entries = self._archive.infolist()
        if entries and all(entry.header_offset for entry in entries):
            # The file starts with an entry. Where the directory does not know it, it is that of an archive
            # stored in this one, whose own is cut off.
            raise zipfile.BadZipFile("the directory is of another archive")
        self.names = {
            comparable_name(entry.filename): entry.filename for entry in reversed(entries[:_MOST_ENTRIES])
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def is_locked(self, name: str) -> bool:
        """Whether a part, by its name in the archive, is packed with a password."""
        return bool(self._archive.getinfo(name).flag_bits & _ENCRYPTED_FLAG)

    def unpack(self, name: str, most: int = _LARGEST_PART, *, mime_type: str | None = None) -> bytes:
        """Up to ``most`` bytes of a part, its check sum checked where it ends before that.

        Args:
            name: its name in the archive.
            most: bytes.
            mime_type: what the file is, where that is known.

        Raises:
            Damaged: it cannot be unpacked.
        """
        try:
            if self._archive.getinfo(name).compress_type not in _METHODS:
                raise zipfile.BadZipFile("packed in a way that no document is")
            with _OVERLAPS_SEEN, warnings.catch_warnings():
                # Newer Pythons refuse entries that overlap, but of one kind they only warn.
                warnings.filterwarnings("error", message="Overlapped entries", category=UserWarning)
                with self._archive.open(name) as part:
                    return part.read(most)
        except (*_BROKEN, UserWarning) as error:
            raise Damaged(
                "This Office document or archive is damaged: part of it cannot be unpacked.", mime_type
            ) from error


def comparable_name(name: str) -> str:
    """The form in which two names of parts are compared."""
    if "%" in name:
        name = unquote(name)
    if "\\" in name:
        name = name.replace("\\", "/")
    return (name.lstrip("/") if name[:1] == "/" else name).lower()


class _Bounded:
    """A file that hands out no more at a time than a directory may have: `zipfile` reads it all at once."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read = file.read

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or fewer at the end; all that is left, as is asked for at the end of a file alone.

        Raises:
            BadZipFile: it is more than any directory of a document has.
        """
        if size > _LARGEST_DIRECTORY:
            raise zipfile.BadZipFile("the directory is too large")
        return self._read(size)

    def close(self) -> None:
        """Leave that to who opened it."""
