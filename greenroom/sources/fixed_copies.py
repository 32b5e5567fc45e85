"""Fixed copies: opened by Greenroom's own record, for its own uploads, and for nobody who names one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from greenroom.copy_record import LONGEST_NOTE, NOTE, is_place_of_copy
from greenroom.errors import SourceMissing, SourceUnavailable
from greenroom.resources import out_of_resources
from greenroom.sources.beneath import LeadsOut, NotRegular, open_beneath
from greenroom.sources.display import shown

#: Where a copy is that is being made.
_DRAFT: Final = ".draft-"


class FixedCopies:
    """The copies below one folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._root = None if folder is None else str(folder.absolute()).rstrip("/") + "/"

    @property
    def root(self) -> str | None:
        """Where they are, as it was named."""
        return self._root and self._root.rstrip("/")

    @property
    def folder(self) -> str | None:
        """Where they are; links resolved."""
        return None if self._root is None else os.path.realpath(self._root)

    def has(self, path: str) -> bool:
        """Whether a path is, by its letters, where Greenroom puts a copy; not whether there is one."""
        if self._folder is None or self._root is None or not path.startswith(self._root):
            return False
        return is_place_of_copy(path, self._folder)

    def open(self, path: str) -> int:
        """A handle to read a copy.

        Raises:
            SourceMissing: it is not there, or Greenroom's record does not know it.
            SourceUnavailable: it cannot be opened just now.
        """
        root = (self._root or "/").rstrip("/")
        place, name = os.path.split(path[len(root) + 1 :])
        try:
            if _recorded(root, place) == name:
                return open_beneath(root, f"{place}/{name}", links=False)[0]
        except (FileNotFoundError, NotADirectoryError, LeadsOut, NotRegular):
            pass
        except OSError as error:
            if (short := out_of_resources(error)) is not None:
                raise short from error
            raise SourceUnavailable(f"{shown(path)} cannot be read just now: {error.strerror}.") from error
        raise SourceMissing(f"There is no fixed copy at {shown(path)}.")


def is_own(path: str, folder: str) -> bool:
    """Whether a path, links resolved, is that of a copy, or of one that is being made."""
    start = folder.rstrip("/") + "/"
    return path.startswith(start + _DRAFT) or is_place_of_copy(path, Path(folder))


def _recorded(root: str, place: str) -> str | None:
    """The name of the copy that the record in its folder knows.

    Its hash is not asked for, which earlier versions did not write: what is sent has the asset's in any case.
    """
    handle, _ = open_beneath(root, f"{place}/{NOTE}", links=False)
    with os.fdopen(handle, "rb") as file:
        try:
            record = json.loads(file.read(LONGEST_NOTE))
        except (ValueError, RecursionError):
            return None
    name = record.get("file") if isinstance(record, dict) else None
    return name if isinstance(name, str) else None
