"""The files behind the media: each content once, named by its SHA-256, streamed in while it is hashed."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.media_types import HEAD_BYTES

_INCOMING_NAME = re.compile(r"[0-9a-f]{32}\.part")


class Incoming:
    """A file that is being received; leaving the context removes it unless it was kept.

    Attributes:
        size: bytes so far.
        head: the first bytes, at most :data:`sandbox.media_types.HEAD_BYTES`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._kept = False
        self.size = 0
        self.head = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        if not self._kept:
            self._path.unlink()

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the bytes so far."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + piece[:HEAD_BYTES])[:HEAD_BYTES]
        self._digest.update(piece)
        self.size += len(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(self._fd, view) :]

    def move_to(self, target: Path) -> None:
        """Keep what was received, under this name, unless there is such a content already."""
        if not target.exists():
            self._path.replace(target)
            self._kept = True


class Contents:
    """The folder of contents."""

    def __init__(self, folder: Path) -> None:
        self._kept = folder / "contents"
        self._incoming = folder / "incoming"
        for each in (self._kept, self._incoming):
            each.mkdir(parents=True, exist_ok=True)
        for left_over in self._incoming.iterdir():
            # The folder was named by others: only what has a name of ours is ours.
            if _INCOMING_NAME.fullmatch(left_over.name):
                left_over.unlink()

    def incoming(self) -> Incoming:
        """Begin to receive a file."""
        return Incoming(self._incoming / f"{secrets.token_hex(16)}.part")

    def keep(self, incoming: Incoming) -> None:
        """Keep a file that was received whole."""
        incoming.move_to(self.path(incoming.sha256))

    def path(self, sha256: str) -> Path:
        """Where a content is, or would be."""
        return self._kept / sha256

    def remove(self, sha256: str) -> None:
        """Forget a content; nothing happens where it is not there."""
        self.path(sha256).unlink(missing_ok=True)
