"""What a process that looks at files leaves to be read, whatever becomes of it."""

from __future__ import annotations

import mmap
import os
import struct
from typing import Final

_BEGUN: Final = struct.Struct("=Q")
_SPENT: Final = struct.Struct("=?")
_SIZE: Final = _BEGUN.size + _SPENT.size


class Shared:
    """The first bytes of an open file, which two processes have before them; to write costs no system call.

    Args:
        handle: the file's.
    """

    def __init__(self, handle: int) -> None:
        if os.fstat(handle).st_size < _SIZE:
            os.ftruncate(handle, _SIZE)
        self._bytes = mmap.mmap(handle, _SIZE)

    @property
    def begun(self) -> int:
        """Orders that were begun, of all that were ever given."""
        count: int = _BEGUN.unpack_from(self._bytes)[0]
        return count

    @begun.setter
    def begun(self, count: int) -> None:
        _BEGUN.pack_into(self._bytes, 0, count)

    @property
    def spent(self) -> bool:
        """Whether it had better be ended once it has answered."""
        spent: bool = _SPENT.unpack_from(self._bytes, _BEGUN.size)[0]
        return spent

    @spent.setter
    def spent(self, spent: bool) -> None:
        _SPENT.pack_into(self._bytes, _BEGUN.size, spent)

    def close(self) -> None:
        """Unmap it."""
        self._bytes.close()
