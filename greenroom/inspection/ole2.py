"""A small reader of OLE2 compound files: the directory, and the start of a stream.

Source: Microsoft, [MS-CFB]. Every chain is bounded by the file's own size, so that a loop ends. The table of
chains (FAT) is bounded by that of the largest file, so that a list of it (DIFAT) that loops ends, too.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged
from greenroom.rules import LARGEST_FILE

_HEADER: Final = 512
_FIRST_DIFAT: Final = 109
_LAST_SECTOR: Final = 0xFFFFFFFA
_ENTRY: Final = 128
_MOST_ENTRIES: Final = 4096
_MINI_STREAM_LIMIT: Final = 4096
_ROOT: Final = 5
_STREAM: Final = 2
_DAMAGED: Final = "This Office document is damaged: its inner directory makes no sense."
_CUT_SHORT: Final = "This Office document is cut short: part of what its directory lists is missing."


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the directory."""

    name: str
    kind: int
    start: int
    size: int
    clsid: bytes


class CompoundFile:
    """An OLE2 file's directory.

    Attributes:
        entries: by name; streams and storages of every level, the first of a name.

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
        self.entries: dict[str, Entry] = {}
        self.root: Entry | None = None
        for entry in self._directory(first):
            if entry.kind == _ROOT:
                self.root = self.root or entry
            elif entry.kind:
                self.entries.setdefault(entry.name, entry)
        if self.root is None:
            raise Damaged(_DAMAGED)

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

    def _directory(self, first: int) -> Iterator[Entry]:
        count = 0
        for sector in self._chain(first):
            block = self._read_sector(sector)
            if len(block) < self._sector:
                raise Damaged(_CUT_SHORT)
            for at in range(0, len(block), _ENTRY):
                count += 1
                if count > _MOST_ENTRIES:
                    return
                yield self._entry(block, at)

    @staticmethod
    def _entry(block: bytes, at: int) -> Entry:
        length, kind = struct.unpack_from("<HB", block, at + 64)
        start, size = struct.unpack_from("<II", block, at + 116)
        name = block[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
        return Entry(name=name, kind=kind, start=start, size=size, clsid=block[at + 80 : at + 96])

    def start_of(self, entry: Entry, length: int) -> bytes:
        """Up to ``length`` bytes at the start of a stream.

        Raises:
            Damaged: the stream runs beyond the end of the file.
        """
        if entry.kind != _STREAM or entry.size == 0:
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

    def _start_of_mini(self, entry: Entry, length: int) -> bytes:
        """A short stream lies in the root's own stream, in pieces of 64 bytes; the first is enough for us."""
        if self.root is None:
            return b""
        at = entry.start * 64
        skip, inside = divmod(at, self._sector)
        for index, sector in enumerate(self._chain(self.root.start)):
            if index == skip:
                return self._read_sector(sector)[inside : inside + min(length, 64, entry.size)]
        raise Damaged(_CUT_SHORT)
