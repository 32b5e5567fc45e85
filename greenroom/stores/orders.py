"""What a process that reads stores is asked, and what it answers: a line of JSON each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final, Self

#: The library that reads each kind of store, and the extra that brings it.
STORE_LIBRARIES: Final = {"az": "adlfs", "gs": "gcsfs", "s3": "s3fs", "sftp": "sshfs"}
#: Files that one process reads at the same time.
READ_AT_ONCE: Final = 8


class StoreEnd(StrEnum):
    """How an order ended."""

    READ = "read"
    #: It has the version that is known already; nothing was written.
    UNCHANGED = "unchanged"
    MISSING = "missing"
    FOLDER = "folder"
    TOO_LARGE = "too large"
    #: It was replaced while it was read.
    CHANGED = "changed"
    #: The credentials are good, and not for this file.
    FORBIDDEN = "forbidden"
    #: There are no credentials, the store does not know them, or its host key is not known here.
    LOGIN = "login"
    #: The store is away, throttles, or answers what cannot be, or more than was asked for.
    AWAY = "away"
    #: This machine has no room on a disk.
    NO_ROOM = "no room"
    #: The library for such stores is not installed.
    NO_LIBRARY = "no library"


@dataclass(frozen=True, kw_only=True)
class StoreOrder:
    """One file to be read.

    Attributes:
        scheme: ``s3``, ``gs``, ``az`` or ``sftp``.
        place: a bucket or container; of SFTP, host and port.
        key: the file's, below that.
        endpoint: address of the store's API, where the operator named one.
        user: of SFTP, where the operator named one.
        into: path of a file that what is read is written to.
        known: the version that need not be read again.
        most: bytes that are read at most; what is larger is not read at all.
        seconds: after which it is given up.
    """

    scheme: str
    place: str
    key: str
    endpoint: str = ""
    user: str = ""
    into: str = ""
    known: str = ""
    most: int
    seconds: float

    def to_line(self, number: int) -> bytes:
        """For the pipe, under a number that its answer has, too."""
        return json.dumps({"number": number, **asdict(self)}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> tuple[int, Self]:
        """What :meth:`to_line` wrote."""
        values = json.loads(line)
        return values.pop("number"), cls(**values)


@dataclass(frozen=True, kw_only=True)
class StoreAnswer:
    """What came of an order.

    Attributes:
        end: how it ended.
        version: what tells this content from the next one; empty where the store says nothing of the kind.
        code: the store's own word for an error: letters, digits and underscores alone.
    """

    end: StoreEnd
    version: str = ""
    code: str = ""

    def to_line(self, number: int) -> bytes:
        """For the pipe."""
        return json.dumps({"number": number, **asdict(self)}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> tuple[int, Self]:
        """What :meth:`to_line` wrote."""
        values = json.loads(line)
        return values.pop("number"), cls(
            end=StoreEnd(values["end"]), version=values["version"], code=values["code"]
        )
