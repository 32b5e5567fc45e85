"""What a machine may run out of: memory, open files, threads, room on a disk.

Whoever meets that at a file knows nothing of the file: it is tried again, and loses no attempt.
"""

from __future__ import annotations

import errno

from greenroom.errors import OutOfResources

#: What the system says, and what is missing then.
_MISSING = {
    errno.ENOMEM: "memory",
    errno.EMFILE: "open files",
    errno.ENFILE: "open files",
    errno.ENOSPC: "room on a disk",
    errno.EDQUOT: "room on a disk",
    errno.EAGAIN: "processes",
}
#: How Python says that a thread could not be started; it has no type of its own.
_NO_THREAD = "can't start new thread"
#: And how `tempfile` says that no folder could be written to.
_NO_FOLDER = "No usable temporary directory"


def out_of_resources(error: BaseException) -> OutOfResources | None:
    """The error that says what this machine has run out of, or None where that is not what happened."""
    if isinstance(error, OutOfResources):
        return error
    missing = _missing(error)
    if missing is None:
        return None
    return OutOfResources(f"This machine has no more {missing} just now; it has nothing to do with the file.")


def _missing(error: BaseException) -> str | None:
    match error:
        case MemoryError():
            return "memory"
        case RuntimeError() if _NO_THREAD in str(error):
            return "threads"
        case FileNotFoundError() if _NO_FOLDER in str(error):
            return "room on a disk"
        case OSError():
            return _MISSING.get(error.errno or 0)
    return None
