"""One file's bytes: read once to hash and size them, then read again only where an examiner looks.

Memory is bounded: up to :data:`KEEP` bytes stay in memory (every image that could be accepted), anything
larger is hashed chunk by chunk and looked into through its open handle.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from greenroom.rules import LARGEST_FILE, SIZE_LIMITS, Category

#: Bytes handed to libmagic: more finds nothing more in our types, and costs (4 KiB: 0.018 ms a call).
HEAD = 4096
#: Files up to this size stay in memory whole: the largest image that the provider takes.
KEEP = SIZE_LIMITS[Category.IMAGE]
_CHUNK = 256 * 1024


class NotAFile(OSError):
    """The path is a folder, a pipe or a device."""


class Content:
    """The bytes of one file, hashed and sized when opened.

    Attributes:
        size: bytes in the file; of an oversize file what the file system says.
        sha256: 64 hex digits, or None of an oversize file, which is not read to its end.
        head: the first :data:`HEAD` bytes.
        data: the whole content where it fits into :data:`KEEP`, otherwise None.
    """

    def __init__(self, path: Path) -> None:
        # A pipe or a device is not even opened: that alone can wake its other end or wind a tape.
        self._require_file(path.stat())
        # O_NONBLOCK, should it become a pipe this moment: it must not hang us. To a file it means nothing.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        self._file = os.fdopen(handle, "rb", buffering=0)
        try:
            self._load()
        except BaseException:
            self._file.close()
            raise

    @staticmethod
    def _require_file(found: os.stat_result) -> None:
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError("a folder")
        if not stat.S_ISREG(found.st_mode):
            raise NotAFile("not a regular file")

    def _load(self) -> None:
        found = os.fstat(self._file.fileno())
        self._require_file(found)
        self.data: bytes | None = None
        self.sha256: str | None = None
        self.size = found.st_size
        if self.size > LARGEST_FILE:
            self.head = self._file.read(HEAD)
        elif self.size > KEEP or not self._keep_whole():
            self._hash_in_chunks()

    def _keep_whole(self) -> bool:
        """Read a small file in one go; False if it grew beyond :data:`KEEP` meanwhile."""
        data = self._file.read(self.size + 1)
        while len(data) <= KEEP and (more := self._file.read(_CHUNK)):
            data += more
        if len(data) > KEEP:
            return False
        self.data, self.size, self.head = data, len(data), data[:HEAD]
        self.sha256 = hashlib.sha256(data).hexdigest()
        return True

    def _hash_in_chunks(self) -> None:
        self._file.seek(0)
        digest = hashlib.sha256()
        buffer = bytearray(_CHUNK)
        view = memoryview(buffer)
        size, self.head = 0, b""
        while count := self._file.readinto(buffer):
            digest.update(view[:count])
            if size == 0:
                self.head = bytes(view[:HEAD])
            size += count
            if size > LARGEST_FILE:  # it grew while we read
                self.size = size
                return
        self.size, self.sha256 = size, digest.hexdigest()

    @property
    def oversize(self) -> bool:
        """Whether the file is above every limit, so that it was not read to its end."""
        return self.sha256 is None

    def read(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``offset``; fewer, or none, at the end of the file."""
        if offset < 0 or length <= 0:
            return b""
        if self.data is not None:
            return self.data[offset : offset + length]
        self._file.seek(offset)
        parts = []
        while length and (part := self._file.read(length)):
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def tail(self, length: int) -> bytes:
        """The last ``length`` bytes, or the whole of a shorter file."""
        start = max(0, self.size - length)
        return self.read(start, self.size - start)

    def stream(self) -> BinaryIO:
        """A seekable file over the content, for libraries that want one."""
        if self.data is not None:
            return io.BytesIO(self.data)
        self._file.seek(0)
        return self._file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
