"""The files below folders that are named on a command line; what is left out of them is kept to be said."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Final

#: What operating systems, archives, network storage and office programs put beside the files of people.
_SYSTEM: Final = (
    *(".ds_store", "._*", "__macosx", ".localized", "icon\r"),
    *("desktop.ini", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db"),
    *("$recycle.bin", "system volume information", "found.[0-9][0-9][0-9]", "lost+found"),
    *("@eadir", "#recycle", "#snapshot"),
    *("~$*", ".~lock.*#"),
)
#: Names that are kept of what was passed over.
_MOST_NAMES: Final = 5


class FolderWalk:
    """Walks folders, in order of name.

    Hidden files and folders are left out, and so are those of the system, by their names. What is named on
    the command line itself is always taken.

    Attributes:
        system_files: how many files and folders of the system were passed over.
        system_names: some of their names, each once.
        unusable: what could not be taken, and why: folders that cannot be read, as far as the walk goes.
    """

    def __init__(self, *, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        """Patterns are globs for a path relative to its folder, in any case of letters; `*` matches `/` too.

        One that matches a folder holds for all that is in it.

        Args:
            include: only files that one of them matches are taken; none stands for all files.
            exclude: files that one of them matches are left out, also of those to be included.
        """
        self._include = [_folded(pattern) for pattern in include]
        self._exclude = [_folded(pattern) for pattern in exclude]
        self.system_files = 0
        self.system_names: list[str] = []
        self.unusable: dict[Path, str] = {}

    def files(self, path: Path) -> Iterator[Path]:
        """The path itself where it is no folder, else every file below it that is to be taken.

        A link to a folder is not followed, so that no loop of links is walked. A folder that cannot be read
        is given itself, where its files would come, and is in `unusable` by then.
        """
        if not path.is_dir():
            yield path
            return
        errors: list[OSError] = []
        for folder, folders, names in os.walk(path, onerror=errors.append):
            yield from self._unreadable(errors)
            below = PurePosixPath(folder).relative_to(path)
            folders[:] = [name for name in self._visible(folders) if not self._is_excluded(below / name)]
            for name in self._visible(names):
                if self._is_included(below / name) and not self._is_excluded(below / name):
                    yield Path(folder, name)
        yield from self._unreadable(errors)

    def _visible(self, names: Sequence[str]) -> Iterator[str]:
        for name in sorted(names):
            if any(fnmatchcase(name.lower(), pattern) for pattern in _SYSTEM):
                self.system_files += 1
                if name not in self.system_names and len(self.system_names) < _MOST_NAMES:
                    self.system_names.append(name)
            elif not name.startswith("."):
                yield name

    def _is_excluded(self, below: PurePosixPath) -> bool:
        """Whether it is excluded itself; folders around it were looked at before."""
        return _matches(str(below).casefold(), self._exclude)

    def _is_included(self, below: PurePosixPath) -> bool:
        around = accumulate(below.parts, lambda folder, name: f"{folder}/{name}")
        return not self._include or any(_matches(path.casefold(), self._include) for path in around)

    def _unreadable(self, errors: list[OSError]) -> Iterator[Path]:
        while errors:
            error = errors.pop(0)
            folder = Path(error.filename)
            self.unusable[folder] = f"The folder cannot be read: {error.strerror}."
            yield folder


def _folded(pattern: str) -> str:
    return pattern.removeprefix("./").rstrip("/").casefold()


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
