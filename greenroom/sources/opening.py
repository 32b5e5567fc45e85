"""The one way to open a source: a path or an address that somebody else named, if the operator allows it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from greenroom.errors import OutOfResources, SourceRefused, SourceUnavailable
from greenroom.is_url import is_remote, is_store, is_url
from greenroom.resources import out_of_resources
from greenroom.rules import MIB
from greenroom.sources.allowed_stores import AllowedStore
from greenroom.sources.fetch import Fetcher
from greenroom.sources.fetched_files import FetchedFiles
from greenroom.sources.fixed_copies import FixedCopies
from greenroom.sources.folders import Folders, real_path
from greenroom.sources.hosts import AllowedHost
from greenroom.sources.stores import Stores
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
        stores: Sequence[AllowedStore] | Stores = (),
        fetched_files: FetchedFiles | None = None,
        private: Sequence[Path] = (),
        fixed_folder: Path | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            roots: folders, or single files, whose files may be opened.
            hosts: web servers that may be asked.
            stores: buckets, containers and SFTP servers that may be read; or what reads them.
            fetched_files: where what was fetched is kept for a while; None to keep nothing.
            private: what Greenroom keeps for itself: never opened, wherever it is.
            fixed_folder: of Greenroom's own copies, which are opened for its own uploads alone.
            fetcher: asks web servers; by default one that knows the hosts.
        """
        self._copies = FixedCopies(fixed_folder)
        self._folders = Folders(roots, private=private, copies=self._copies)
        self._fetcher = fetcher or Fetcher(hosts)
        self._stores = stores if isinstance(stores, Stores) else Stores(stores)
        self._fetched_files = fetched_files

    @classmethod
    def of(cls, settings: Settings) -> Sources:
        """What the settings allow."""
        return cls(
            roots=settings.media_roots or (),
            stores=settings.source_stores or (),
            fetched_files=_fetched_files(settings),
            private=settings.private_paths,
            fixed_folder=settings.fixed_folder,
            fetcher=Fetcher(settings.source_hosts or (), ca_bundle=settings.ca_bundle),
        )

    def refusal(self, source: str) -> SourceRefused | None:
        """Why a source is never opened, as far as can be known before: without asking a server.

        What is allowed here may be refused all the same when it is opened.
        """
        # Of most sources one letter tells that they are paths; a manifest has millions.
        if not source.startswith("/"):
            if is_url(source):
                return self._fetcher.refusal(source)
            if is_store(source):
                return self._stores.refusal(source)
        sentence = self._folders.refusal(source)
        return SourceRefused(sentence) if sentence else None

    def close(self) -> None:
        """End what reads stores, if it runs; it is started anew when it is needed."""
        self._stores.close()

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
    def copy(self, source: str, *, own: bool = False, sha256: str = "") -> Iterator[Path]:
        """The source as a file on this machine, for as long as the block runs.

        Its path is that of an open handle, where the system has such: whatever happens to the source
        meanwhile, it is the file that was checked.

        Args:
            source: a path or an address.
            own: whether it may be one of Greenroom's fixed copies, too.
            sha256: of the content that was inspected: if it was fetched to this machine before, its source
                is not asked. Empty for whatever the source holds now.

        Raises:
            SourceRefused: the operator does not allow it.
            SourceMissing: there is no such file, or its server says so.
            SourceUnavailable: it cannot be read just now.
            FileRejected: the server sends more than WhatsApp ever takes.
        """
        if is_remote(source):
            with self._fetched(source, sha256) as path:
                yield path
            return
        with self.open(source, own=own) as file:
            yield _path_of(file, source)

    @contextmanager
    def _fetched(self, source: str, sha256: str) -> Iterator[Path]:
        if refused := self.refusal(source):
            raise refused
        kept = self._fetched_files
        if kept is None:
            with spooled() as (file, path):
                self._fetch(source, file, path)
                yield path
        elif sha256 and (content := kept.content(sha256)):
            with content:
                yield _path_of(content, content.name)
        else:
            with self._fetched_and_kept(source, kept) as path:
                yield path

    @contextmanager
    def _fetched_and_kept(self, source: str, kept: FetchedFiles) -> Iterator[Path]:
        with ExitStack() as stack:
            before = stack.enter_context(kept.last_of(source))
            try:
                draft = stack.enter_context(kept.draft())
                version = self._fetch(source, draft, Path(draft.name), known=before.version if before else "")
            except (OSError, OutOfResources) as error:
                # What is kept only saves time; its room is worth more now.
                kept.clear()
                if short := out_of_resources(error):
                    raise short from None
                why = getattr(error, "strerror", "")
                raise SourceUnavailable(f"GREENROOM_SOURCE_CACHE_FOLDER cannot be used: {why}.") from None
            if version is None and before is not None:
                yield _path_of(before.content, before.content.name)
                return
            kept.keep(source, version or "", draft)
            yield _path_of(draft, draft.name)

    def _fetch(self, source: str, into: IO[bytes], path: Path, *, known: str = "") -> str | None:
        """Its version, or None where that is the known one, and nothing was written."""
        if is_store(source):
            return self._stores.fetch(source, path, known=known)
        version = self._fetcher.fetch(source, into, known=known)
        into.flush()
        return version


def _fetched_files(settings: Settings) -> FetchedFiles | None:
    folder = settings.source_cache_folder
    return FetchedFiles(folder, most=settings.source_cache_mb * MIB) if folder else None


def _path_of(file: IO[bytes], source: str) -> Path:
    """A path to an open file; by the process's number, so that its children find it, too."""
    path = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
    return path if path.exists() else Path(real_path(file.fileno(), source))
