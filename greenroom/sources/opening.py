"""The one way to open a source: a path or an address that somebody else named, if the operator allows it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from greenroom.errors import SourceRefused
from greenroom.is_url import is_url
from greenroom.sources.fetch import Fetcher
from greenroom.sources.fixed_copies import FixedCopies
from greenroom.sources.folders import Folders, real_path
from greenroom.sources.hosts import AllowedHost
from greenroom.spool import spooled

if TYPE_CHECKING:
    from greenroom.settings import Settings


class Sources:
    """Opens what an installation allows, and nothing else."""

    def __init__(
        self,
        *,
        roots: Sequence[Path] = (),
        hosts: Sequence[AllowedHost] = (),
        private: Sequence[Path] = (),
        fixed_folder: Path | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            roots: folders, or single files, whose files may be opened.
            hosts: web servers that may be asked.
            private: what Greenroom keeps for itself: never opened, wherever it is.
            fixed_folder: of Greenroom's own copies, which are opened for its own uploads alone.
            fetcher: asks web servers; by default one that knows the hosts.
        """
        self._copies = FixedCopies(fixed_folder)
        self._folders = Folders(roots, private=private, copies=self._copies)
        self._fetcher = fetcher or Fetcher(hosts)

    @classmethod
    def of(cls, settings: Settings) -> Sources:
        """What the settings allow."""
        return cls(
            roots=settings.media_roots or (),
            private=settings.private_paths,
            fixed_folder=settings.fixed_folder,
            fetcher=Fetcher(settings.source_hosts or (), ca_bundle=settings.ca_bundle),
        )

    def refusal(self, source: str) -> SourceRefused | None:
        """Why a source is never opened, as far as can be known before: without asking a server.

        What is allowed here may be refused all the same when it is opened.
        """
        if is_url(source):
            return self._fetcher.refusal(source)
        sentence = self._folders.refusal(source)
        return SourceRefused(sentence) if sentence else None

    def open(self, path: str, *, own: bool = False) -> BinaryIO:
        """A file of this machine, from its first byte; the caller closes it.

        Args:
            path: absolute.
            own: whether it may be one of Greenroom's fixed copies, too: never where somebody else named it.

        Raises:
            SourceRefused: the operator does not allow it.
            SourceMissing: there is no file.
            SourceUnavailable: it cannot be opened just now.
        """
        if own and self._copies.has(path):
            return open(self._copies.open(path), "rb", buffering=0)  # noqa: PTH123 - a handle
        return open(self._folders.open(path), "rb", buffering=0)  # noqa: PTH123 - a handle

    @contextmanager
    def copy(self, source: str, *, own: bool = False) -> Iterator[Path]:
        """The source as a file on this machine, for as long as the block runs.

        Its path is that of an open handle, where the system has such: whatever happens to the source
        meanwhile, it is the file that was checked.

        Raises:
            SourceRefused: the operator does not allow it.
            SourceMissing: there is no such file, or its server says so.
            SourceUnavailable: it cannot be read just now.
            FileRejected: the server sends more than WhatsApp ever takes.
        """
        if is_url(source):
            with spooled() as (fetched, path):
                self._fetcher.fetch(source, fetched)
                fetched.flush()
                yield path
            return
        with self.open(source, own=own) as file:
            yield _path_of(file, source)


def _path_of(file: BinaryIO, source: str) -> Path:
    """A path to an open file; by the process's number, so that its children find it, too."""
    path = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
    return path if path.exists() else Path(real_path(file.fileno(), source))
