"""Files that come over the network, while they are worked on: on disk, and gone with whoever does that."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def spooled() -> Iterator[tuple[IO[bytes], Path]]:
    """An empty file to write to, and a path by which it can be read, for as long as the block runs.

    Where the system can do that it has no name in any folder: a process that is killed leaves nothing behind,
    and who tidies up temporary folders cannot take it away while it is sent.
    """
    with tempfile.TemporaryFile(prefix="greenroom-") as file:
        # By the process's number: its children find it, too.
        path = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
        if path.exists():
            yield file, path
            return
    with tempfile.NamedTemporaryFile(prefix="greenroom-") as named:
        yield named, Path(named.name)
