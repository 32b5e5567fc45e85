"""A new file for what a command was asked for: it has its name when it is whole, and takes nobody else's."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from greenroom.errors import Misuse

#: What a file system says that has no hard links.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@contextmanager
def new_file(target: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A file to write to, which is readable for its owner alone, and has its name once the block is over.

    Where the block raises, nothing is left.

    Args:
        target: its name.
        force: put it in the place of a file that is there.

    Raises:
        Misuse: there is such a file already, or it cannot be written.
    """
    if not force and os.path.lexists(target):
        raise _taken(target)
    try:
        handle, name = tempfile.mkstemp(prefix=".greenroom-", dir=target.parent)
    except OSError as error:
        raise Misuse(f"{target} cannot be written: {error.strerror}") from error
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if force:
            draft.replace(target)
        else:
            _name(draft, target)
    except OSError as error:
        raise Misuse(f"{target} cannot be written: {error.strerror}") from error
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _name(draft: Path, target: Path) -> None:
    """Give the file its name, unless somebody has taken that meanwhile."""
    try:
        target.hardlink_to(draft)
    except FileExistsError:
        raise _taken(target) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            raise _taken(target) from None
        draft.replace(target)


def _taken(target: Path) -> Misuse:
    return Misuse(f"{target} is there already. Give another name, or --force.")
