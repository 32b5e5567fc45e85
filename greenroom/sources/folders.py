"""Folders: which files of this machine a campaign may name, and opening them.

Those below GREENROOM_MEDIA_ROOTS; `greenroom run` and `greenroom demo` allow what stands on the command
line, and a manifest's own folder.
Links are followed first. Greenroom's own files (its settings, database and state folder) are never opened.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from greenroom.errors import SourceMissing, SourceRefused, SourceUnavailable, SourceUnreadable
from greenroom.resources import out_of_resources
from greenroom.sources.beneath import LeadsOut, NotReadable, NotRegular, OfTheKernel, open_beneath
from greenroom.sources.display import shown
from greenroom.sources.fixed_copies import FixedCopies
from greenroom.sources.fixed_copies import is_own as is_own_copy

#: Times that a path is resolved anew because a link on it was changed meanwhile.
_TRIES: Final = 8
#: Seconds for which the places that the roots lead to are known; links such as `current` are changed seldom.
_KNOWN_SECONDS: Final = 30.0
#: No path can be so long, hold this, or go through a file or in a circle, now or later.
_NO_FILE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP)


#: Folders whose answer is kept.
FOLDERS_REMEMBERED: Final = 1_000


class Folders:
    """Files are opened below the roots alone, wherever links lead, and never Greenroom's own."""

    def __init__(
        self, roots: Sequence[Path], *, private: Sequence[Path] = (), copies: FixedCopies | None = None
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            roots: absolute folders, or single files, that the operator named.
            private: files and folders that are never opened, whatever the roots are.
            copies: Greenroom's own, which are not opened either because somebody named one.
        """
        self._copies = copies or FixedCopies(None)
        self._roots = frozenset(map(_plain, roots))
        self._private = frozenset(map(_plain, private))
        self._known: _Places | None = None
        # Manifests name many files of few folders.
        self._allows_all_of = lru_cache(FOLDERS_REMEMBERED)(self._find_whether_all_of)

    def refusal(self, path: str) -> str | None:
        """Why a path may not be opened, as far as can be known without opening it: a sentence."""
        if not self._roots:
            return (
                f"{shown(path)} may not be opened: GREENROOM_MEDIA_ROOTS is not set, so that no folder is "
                "allowed."
            )
        if "/../" not in path and self._allows_all_of(path.rpartition("/")[0]):
            return None
        if "/../" not in path and _root_of(path, self._roots) is not None:
            # Links may lead anywhere; that is looked at in earnest when the file is opened.
            own = _root_of(path, self._private) is not None or self._copies.has(path)
            return _own(path) if own else None
        try:
            real = os.path.realpath(path)
        except (OSError, ValueError):
            return None
        places = self._places()
        if _root_of(real, places.roots) is None:
            return _outside(path)
        return _own(path) if places.is_own(real) else None

    def _find_whether_all_of(self, folder: str) -> bool:
        """Whether all files of a folder may be opened, by its letters, and none in it is Greenroom's own."""
        own = [*self._private, *filter(None, [self._copies.root])]
        below = f"{folder}/"
        return (
            _root_of(folder, self._roots) is not None
            and _root_of(folder, own) is None
            and not any(place.startswith(below) for place in own)
        )

    def open(self, path: str) -> int:
        """A handle to read a file.

        Raises:
            SourceRefused: the operator does not allow it.
            SourceMissing: there is no file.
            SourceUnreadable: Greenroom's user has no right to it.
            SourceUnavailable: it cannot be opened just now.
        """
        try:
            return self._open(path)
        except NotReadable:
            raise SourceUnreadable("Greenroom is not allowed to read this file.") from None
        except NotRegular as error:
            raise SourceMissing(f"{shown(path)} is {error.strerror}, not a file.") from None
        except OfTheKernel:
            raise SourceRefused(
                f"{shown(path)} is part of the system, like /proc, and never opened."
            ) from None
        except ValueError:
            raise SourceMissing(f"There is no file at {shown(path)}.") from None
        except OSError as error:
            if error.errno in _NO_FILE:
                raise SourceMissing(f"There is no file at {shown(path)}.") from None
            if (short := out_of_resources(error)) is not None:
                raise short from error
            raise SourceUnavailable(f"{shown(path)} cannot be read just now: {error.strerror}.") from error

    def _open(self, path: str) -> int:
        if not self._roots:
            raise SourceRefused(self.refusal(path) or _outside(path))
        if (root := _root_of(path, self._roots)) is not None:
            try:
                return self._opened(root, path, path, links=True)
            except LeadsOut:
                pass  # to another root, perhaps
        for _ in range(_TRIES):
            real = os.path.realpath(path)
            if (root := _root_of(real, self._places().roots)) is None:
                raise SourceRefused(_outside(path))
            try:
                return self._opened(root, real, path, links=False)
            except LeadsOut:
                continue  # a link was changed this moment, or goes in a circle
        os.close(os.open(path, getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK)))
        raise SourceUnavailable(f"{shown(path)} cannot be read just now: its links change all the time.")

    def _opened(self, root: str, path: str, source: str, *, links: bool) -> int:
        folder, relative = (root, path[len(root) :].lstrip("/")) if path != root else os.path.split(path)
        # A root that is a file is itself, and not what somebody puts a link to in its place.
        handle, found = open_beneath(folder, relative, links=links and path != root)
        try:
            self._require_not_own(handle, found, source)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _require_not_own(self, handle: int, found: os.stat_result, source: str) -> None:
        places = self._places()
        linked_to = found.st_nlink > 1 and any(_is_file(found, private) for private in self._private)
        if linked_to or (places.has_own and places.is_own(real_path(handle, source))):
            raise SourceRefused(_own(source))

    def _places(self) -> _Places:
        known = self._known
        if known is None or known.until < time.monotonic():
            roots = frozenset(map(os.path.realpath, self._roots))
            private = frozenset(map(os.path.realpath, self._private))
            copies = self._copies.folder
            known = self._known = _Places(
                until=time.monotonic() + _KNOWN_SECONDS,
                roots=roots,
                private=frozenset(each for each in private if _meet(each, roots)),
                copies=copies if copies is not None and _meet(copies, roots) else None,
            )
        return known


@dataclass(frozen=True, kw_only=True)
class _Places:
    """Where everything is, links resolved.

    Attributes:
        until: moment of `time.monotonic` up to which this is taken to be so.
        roots: what may be opened.
        private: what may not, as far as it lies near a root.
        copies: the folder of fixed copies; None where no root is near.
    """

    until: float
    roots: frozenset[str]
    private: frozenset[str]
    copies: str | None

    @property
    def has_own(self) -> bool:
        """Whether anything of Greenroom's own lies where files may be opened."""
        return bool(self.private) or self.copies is not None

    def is_own(self, real: str) -> bool:
        """Whether a path, links resolved, is Greenroom's own."""
        if _root_of(real, self.private) is not None:
            return True
        return self.copies is not None and is_own_copy(real, self.copies)


def _meet(path: str, roots: Collection[str]) -> bool:
    """Whether one of the roots is above a path, or below it."""
    return _root_of(path, roots) is not None or any(_root_of(root, (path,)) is not None for root in roots)


def parse_roots(text: str | Sequence[Path]) -> tuple[Path, ...]:
    """The folders of a setting: separated by colons as in PATH, or a list in JSON.

    Raises:
        ValueError: the text says how to write it.
    """
    names = _names(text) if isinstance(text, str) else [str(each) for each in text]
    for name in names:
        if not name.startswith("/") or "\0" in name:
            raise ValueError(
                f"has {name!r}, which is no absolute folder. Write folders like /media-in:/srv/media, or as "
                'a list in JSON, where a name holds a colon: ["/media-in"]'
            )
    return tuple(Path(_plain(name)) for name in names)


def _names(text: str) -> list[str]:
    if not text.startswith("["):
        return [name for name in text.split(":") if name]
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError('begins with [ and is no list of folders in JSON, like ["/media-in"]')
    return names


def real_path(handle: int, path: str) -> str:
    """Where an open file really is, as the system says; where it does not say, what the path resolves to."""
    try:
        return os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115 - a path only to be compared
    except OSError:
        return os.path.realpath(path)


def _plain(path: Path | str) -> str:
    text = os.path.normpath(os.fspath(path))
    return "/" + text.lstrip("/") if text.startswith("/") else text


def _root_of(path: str, roots: Collection[str]) -> str | None:
    """The innermost of these that a path lies below, by its letters, or is."""
    while path not in roots:
        above = path.rpartition("/")[0] or "/"
        if above == path or not path.startswith("/"):
            return None
        path = above
    return path


def _is_file(found: os.stat_result, path: str) -> bool:
    try:
        return os.path.samestat(found, os.stat(path))  # noqa: PTH116 - paths are text here
    except (OSError, ValueError):
        return False


def _outside(path: str) -> str:
    return f"{shown(path)} does not lie in the folders that GREENROOM_MEDIA_ROOTS allows."


def _own(path: str) -> str:
    return f"{shown(path)} belongs to Greenroom itself, and is never opened for a campaign."
