"""Which refs a manifest has named so far, in a bounded amount of memory, however many they are."""

from __future__ import annotations

import struct
import tempfile
from contextlib import ExitStack
from hashlib import blake2b
from types import TracebackType
from typing import IO, Final, Self

#: Refs that are kept in memory, some 20 MB; more are put aside on disk, 24 bytes each.
IN_MEMORY: Final = 100_000
_BUCKETS: Final = 64
_ENTRY: Final = struct.Struct("<16sQ")


class RepeatedRef(Exception):
    """A ref was named before.

    Attributes:
        number: of the item that names it again, counted from 1.
        first: of the item that named it first.
    """

    def __init__(self, number: int, first: int) -> None:
        super().__init__(number, first)
        self.number = number
        self.first = first


class SeenRefs:
    """Takes the refs of items with their numbers, and finds those that are named twice.

    While there are few, a repeated one is found as it is added; of many, some only at the end. Refs are
    compared by 128 bits of a hash.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._seen: dict[bytes, int] = {}
        self._files = ExitStack()
        self._buckets: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, ref: str, number: int) -> None:
        """Take the next ref.

        Raises:
            RepeatedRef: it was named before, as far as is known by now.
            OSError: there is no room on disk.
        """
        first = self._seen.setdefault(blake2b(ref.encode(), digest_size=16).digest(), number)
        if first != number:
            raise RepeatedRef(number, first)
        if len(self._seen) >= self._in_memory:
            self._put_aside()

    def finish(self) -> None:
        """Look through all that was put aside.

        Raises:
            RepeatedRef: a ref was named twice; the first that was.
            OSError: it could not be read.
        """
        if not self._buckets:
            return
        self._put_aside()
        repeated = [found for bucket in self._buckets if (found := _repeated(bucket))]
        if repeated:
            raise min(repeated, key=lambda found: found.number)

    def _put_aside(self) -> None:
        if not self._buckets:
            self._buckets = [
                self._files.enter_context(tempfile.TemporaryFile(prefix="greenroom-"))  # noqa: SIM115 - it is one
                for _ in range(_BUCKETS)
            ]
        for digest, number in self._seen.items():
            self._buckets[digest[0] % _BUCKETS].write(_ENTRY.pack(digest, number))
        self._seen.clear()


def _repeated(bucket: IO[bytes]) -> RepeatedRef | None:
    """The first ref of these that was named twice; they are in the order of their numbers."""
    bucket.seek(0)
    seen: dict[bytes, int] = {}
    while entry := bucket.read(_ENTRY.size):
        digest, number = _ENTRY.unpack(entry)
        first = seen.setdefault(digest, number)
        if first != number:
            return RepeatedRef(number, first)
    return None
