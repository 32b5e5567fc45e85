"""Where a new file goes: written aside, then put under a name that nobody has; nothing is overwritten."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_MOST_TRIES: Final = 10_000


@contextmanager
def scratch(into: Path) -> Iterator[Path]:
    """A path in the folder to write to; whatever is left there at the end is removed."""
    handle, name = tempfile.mkstemp(prefix=".fixing-", dir=into)
    os.close(handle)
    path = Path(name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def put(made: Path, into: Path, name: str) -> Path:
    """Move a finished file to its name in the folder, or to the next free one: ``sale-2.jpg``.

    Raises:
        FileExistsError: thousands of files have that name already.
    """
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in range(1, _MOST_TRIES):
        target = into / (name if number == 1 else f"{stem}-{number}{suffix}")
        with suppress(FileExistsError):
            # An empty file of our own holds the name, so that two converters never take the same one.
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            try:
                made.chmod(target.stat().st_mode & 0o777)
                made.replace(target)
            except BaseException:
                target.unlink(missing_ok=True)
                raise
            return target
    raise FileExistsError(f"{name} and its numbered names are all taken in {into}")
