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
#: Items that may name a ref again; of more, it is the manifest that is wrong.
MOST_REPEATED: Final = 100_000
_BUCKETS: Final = 64
_ENTRY: Final = struct.Struct("<16sQ")


class TooManyRepeatedRefs(Exception):
    """More refs were named again than are kept."""


class SeenRefs:
    """Takes the refs of items with their numbers, and finds those that are named again.

    Of many, some are found only at the end. Refs are compared by 128 bits of a hash.

    Attributes:
        repeated: numbers of items that name a ref again, each with that of one that named it before.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._seen: dict[bytes, int] = {}
        self.repeated: dict[int, int] = {}
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
            TooManyRepeatedRefs: see `MOST_REPEATED`.
            OSError: there is no room on disk.
        """
        self._compare(self._seen, blake2b(ref.encode(), digest_size=16).digest(), number)
        if len(self._seen) >= self._in_memory:
            self._put_aside()

    def finish(self) -> None:
        """Look through all that was put aside.

        Raises:
            TooManyRepeatedRefs: see `MOST_REPEATED`.
            OSError: it could not be read.
        """
        if not self._buckets:
            return
        self._put_aside()
        for bucket in self._buckets:
            bucket.seek(0)
            seen: dict[bytes, int] = {}
            while entry := bucket.read(_ENTRY.size):
                self._compare(seen, *_ENTRY.unpack(entry))

    def _compare(self, seen: dict[bytes, int], digest: bytes, number: int) -> None:
        first = seen.setdefault(digest, number)
        if first == number:
            return
        if len(self.repeated) == MOST_REPEATED:
            raise TooManyRepeatedRefs
        self.repeated[number] = first

    def _put_aside(self) -> None:
        if not self._buckets:
            self._buckets = [
                self._files.enter_context(tempfile.TemporaryFile(prefix="greenroom-"))  # noqa: SIM115 - it is one
                for _ in range(_BUCKETS)
            ]
        for digest, number in self._seen.items():
            self._buckets[digest[0] % _BUCKETS].write(_ENTRY.pack(digest, number))
        self._seen.clear()
