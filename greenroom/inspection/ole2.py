"""A small reader of OLE2 compound files: what lies in the root storage, and the start of a stream.

Source: Microsoft, [MS-CFB]. Every chain is bounded by the file's own size, so that a loop ends. The table of
chains (FAT) is bounded by that of the largest file, so that a list of it (DIFAT) that loops ends, too. The
root's members are a tree in the directory; each entry is looked at once, so that a tree that loops ends.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged
from greenroom.rules import LARGEST_FILE

_HEADER: Final = 512
_FIRST_DIFAT: Final = 109
_LAST_SECTOR: Final = 0xFFFFFFFA
_ENTRY: Final = 128
#: Members of the root storage that are looked at: an Outlook message has one for each who receives it.
_MOST_ENTRIES: Final = 4096
#: Sectors of the directory that are looked into: 65,536 entries of storages of every level.
_MOST_SECTORS: Final = 16_384
_MINI_STREAM_LIMIT: Final = 4096
_STORAGE: Final = 1
_STREAM: Final = 2
_ROOT: Final = 5
_DAMAGED: Final = "This Office document is damaged: its inner directory makes no sense."
_CUT_SHORT: Final = "This Office document is cut short: part of what its directory lists is missing."


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One line of the directory; ``left``, ``right`` and ``child`` are the numbers of others."""

    name: str
    kind: int
    left: int
    right: int
    child: int
    clsid: bytes
    start: int
    size: int


class CompoundFile:
    """An OLE2 file's root storage.

    What is embedded in a document, a workbook in a letter for instance, lies in storages of its own below the
    root and is not looked at: it does not tell what the file is.

    Attributes:
        clsid: the program that the file belongs to, 16 bytes.
        streams: the root's streams by name in capitals: the format ignores case. Of equal names the first.
        storages: names of the root's storages, in capitals.

    Raises:
        Damaged: the directory cannot be read.
    """

    def __init__(self, content: Content) -> None:
        header = content.read(0, _HEADER)
        if len(header) < _HEADER:
            raise Damaged(_CUT_SHORT)
        self._content = content
        major, _order, shift = struct.unpack_from("<HHH", header, 26)
        if (major, shift) not in ((3, 9), (4, 12)):
            raise Damaged(_DAMAGED)
        self._sector = 1 << shift
        self._most = content.size // self._sector + 2
        self._fat = self._read_fat(header)
        (first,) = struct.unpack_from("<I", header, 48)
        self._directory = array("I", islice(self._chain(first), _MOST_SECTORS))
        if self._directory and (max(self._directory) + 1) * self._sector >= content.size:
            raise Damaged(_CUT_SHORT)
        root = self._entry(0)
        if root is None or root.kind != _ROOT:
            raise Damaged(_DAMAGED)
        self._mini_stream = root.start
        self.clsid = root.clsid
        self.streams: dict[str, DirectoryEntry] = {}
        self.storages: set[str] = set()
        for entry in self._members(root):
            if entry.kind == _STREAM:
                self.streams.setdefault(entry.name.upper(), entry)
            elif entry.kind == _STORAGE:
                self.storages.add(entry.name.upper())

    def _read_sector(self, index: int) -> bytes:
        return self._content.read((index + 1) * self._sector, self._sector)

    def _read_fat(self, header: bytes) -> array[int]:
        sectors = list(struct.unpack_from(f"<{_FIRST_DIFAT}I", header, 76))
        (following,) = struct.unpack_from("<I", header, 68)
        # As many as list every sector of the largest file; Office keeps no more than the file needs.
        most = LARGEST_FILE // self._sector // (self._sector // 4) + _FIRST_DIFAT
        while len(sectors) < most:
            block = self._read_sector(following) if following < _LAST_SECTOR else b""
            if len(block) < self._sector:
                break
            *more, following = struct.unpack(f"<{self._sector // 4}I", block)
            sectors.extend(more)
        words: array[int] = array("I")
        for index in sectors[:most]:
            if index >= _LAST_SECTOR:
                continue
            block = self._read_sector(index)
            if len(block) < self._sector:
                raise Damaged(_CUT_SHORT)
            words.extend(struct.unpack(f"<{self._sector // 4}I", block))
        return words

    def _chain(self, sector: int) -> Iterator[int]:
        for _ in range(self._most):
            if sector >= _LAST_SECTOR:
                return
            if sector >= len(self._fat):
                raise Damaged(_DAMAGED)
            yield sector
            sector = self._fat[sector]
        raise Damaged(_DAMAGED)  # a loop

    def _members(self, storage: DirectoryEntry) -> Iterator[DirectoryEntry]:
        """What lies in a storage itself; what a number leads to that is no entry is left out."""
        waiting, seen = [storage.child], {0}
        while waiting and len(seen) <= _MOST_ENTRIES:
            number = waiting.pop()
            entry = None if number in seen else self._entry(number)
            if entry is not None:
                seen.add(number)
                waiting += (entry.left, entry.right)
                yield entry

    def _entry(self, number: int) -> DirectoryEntry | None:
        """One line of the directory; None beyond its end."""
        index, place = divmod(number, self._sector // _ENTRY)
        if index >= len(self._directory):
            return None
        line = self._content.read((self._directory[index] + 1) * self._sector + place * _ENTRY, _ENTRY)
        if len(line) < _ENTRY:
            raise Damaged(_CUT_SHORT)
        length, kind, _colour, left, right, child, clsid = struct.unpack_from("<HBBIII16s", line, 64)
        name = line[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
        return DirectoryEntry(name, kind, left, right, child, clsid, *struct.unpack_from("<II", line, 116))

    def start_of(self, entry: DirectoryEntry, length: int) -> bytes:
        """Up to ``length`` bytes at the start of a stream.

        Raises:
            Damaged: the stream runs beyond the end of the file.
        """
        if entry.size == 0:
            return b""
        if entry.size < _MINI_STREAM_LIMIT:
            return self._start_of_mini(entry, length)
        sectors = list(self._chain(entry.start))
        if len(sectors) * self._sector < entry.size:
            raise Damaged(_CUT_SHORT)
        # The last sector of a file may be short: some writers do not fill it up.
        if (max(sectors) + 1) * self._sector >= self._content.size:
            raise Damaged(_CUT_SHORT)
        wanted = sectors[: length // self._sector + 1]
        return b"".join(map(self._read_sector, wanted))[:length]

    def _start_of_mini(self, entry: DirectoryEntry, length: int) -> bytes:
        """A short stream lies in the root's own stream, in pieces of 64 bytes; the first is enough for us."""
        at = entry.start * 64
        skip, inside = divmod(at, self._sector)
        for index, sector in enumerate(self._chain(self._mini_stream)):
            if index == skip:
                return self._read_sector(sector)[inside : inside + min(length, 64, entry.size)]
        raise Damaged(_CUT_SHORT)
