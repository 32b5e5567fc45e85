"""Manifest files: read as the csv and json modules define them, item by item, in bounded memory.

Nothing is cut, dropped or guessed in silence: a line that says more than an item has is refused, and each
refusal names the line and what to do. A file is read twice, first to check all of it, then to hand it over;
it may not change meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO

from greenroom.chunks import chunks
from greenroom.errors import ManifestError
from greenroom.manifest import ManifestItem, WrongItem, check_items
from greenroom.manifest_rows import ManifestRow, rows_of_csv, rows_of_json, rows_of_json_lines
from greenroom.seen_refs import RepeatedRef, SeenRefs

#: Items that are checked in one call.
_AT_A_TIME: Final = 1_000
_READERS: Final[dict[str, Callable[[TextIO, str], Iterator[ManifestRow]]]] = {
    ".csv": rows_of_csv,
    ".json": rows_of_json,
    ".jsonl": rows_of_json_lines,
}
#: Both keep the ends of lines; in JSON only the line feed ends one.
_NEWLINES: Final = {".csv": "", ".json": "\n", ".jsonl": "\n"}
_WEB: Final = ("http://", "https://")


def read_manifest(path: Path, *, fix: bool = False) -> ManifestFile:
    """The items of a manifest file (``.csv``, ``.json`` or ``.jsonl``); relative sources start beside it.

    Args:
        path: the file.
        fix: whether all of its items are to be fixed, whatever it says of each.

    Raises:
        ManifestError: the file cannot be read, or a line of it is wrong.
    """
    return ManifestFile(path, fix=fix)


class ManifestFile(Collection[ManifestItem]):
    """The items of a file that was checked as a whole; each pass reads it anew, so that none are kept.

    Raises:
        ManifestError: at construction if the file cannot be used; in a later pass if it has changed.
    """

    def __init__(self, path: Path, *, fix: bool = False) -> None:
        self._path = path
        self._fix = fix
        if path.suffix.lower() not in _READERS:
            raise ManifestError(f"{path} is no manifest: give a .csv, .json or .jsonl file, or a folder.")
        self._identity: tuple[int, ...] | None = None
        self._length = self._check()

    def __len__(self) -> int:
        return self._length

    def __contains__(self, item: object) -> bool:
        return any(item == one for one in self)

    def __iter__(self) -> Iterator[ManifestItem]:
        for _, item in self._items():
            yield item.model_copy(update={"fix": True}) if self._fix else item

    def _check(self) -> int:
        number = 0
        with SeenRefs() as seen:
            try:
                for number, (_, item) in enumerate(self._items(), start=1):
                    seen.add(item.ref, number)
                seen.finish()
            except RepeatedRef as repeated:
                raise self._repeated(repeated) from None
        return number

    def _repeated(self, found: RepeatedRef) -> ManifestError:
        chosen = islice(self._items(), found.first - 1, found.number)
        first_line, _ = next(chosen)
        # The last of them, and none of those between kept.
        line, item = deque(chosen, maxlen=1).pop()
        return ManifestError(
            f"{self._path.name}, line {line}: the ref {item.ref!r} stands on line {first_line} already; each "
            "item needs one of its own."
        )

    def _items(self) -> Iterator[tuple[int, ManifestItem]]:
        """Each item and the line that it begins on."""
        try:
            with self._opened() as file:
                rows = _READERS[self._path.suffix.lower()](file, self._path.name)
                for chunk in chunks(rows, _AT_A_TIME):
                    yield from self._checked(chunk)
                    self._require_unchanged(file)
                self._require_unchanged(file)
        except OSError as error:
            raise ManifestError(f"{self._path} cannot be read: {error.strerror}.") from error

    def _checked(self, rows: list[ManifestRow]) -> Iterator[tuple[int, ManifestItem]]:
        lines = [line for line, _ in rows]
        try:
            items = check_items([_beside(values, self._path.parent) for _, values in rows])
        except WrongItem as wrong:
            # What stands before it comes first: a ref that stands twice is told at its own line.
            if wrong.index:
                yield from self._checked(rows[: wrong.index])
            raise ManifestError(f"{self._path.name}, line {lines[wrong.index]}: {wrong}") from None
        yield from zip(lines, items, strict=True)

    def _opened(self) -> TextIO:
        # A pipe is not even opened: that would wait for its other end, and it cannot be read twice.
        if not stat.S_ISREG(self._path.stat().st_mode):
            raise ManifestError(f"{self._path} is no file. Write the manifest into a file, and give that.")
        suffix = self._path.suffix.lower()
        file = self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline=_NEWLINES[suffix])
        if self._identity is None:
            self._identity = _identity(file)
        with suppress(ManifestError):
            self._require_unchanged(file)
            return file
        file.close()
        raise self._changed()

    def _require_unchanged(self, file: TextIO) -> None:
        if _identity(file) != self._identity:
            raise self._changed()

    def _changed(self) -> ManifestError:
        return ManifestError(
            f"{self._path} was changed while it was read. Start again when whatever writes it is done."
        )


def _identity(file: TextIO) -> tuple[int, ...]:
    found = os.fstat(file.fileno())
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _beside(values: Any, folder: Path) -> Any:
    """A relative source starts at the manifest's folder."""
    if isinstance(values, dict):
        source = values.get("source")
        if isinstance(source, str) and source and not source.startswith("/") and not _is_web(source):
            return {**values, "source": str(folder.absolute() / source)}
    return values


def _is_web(source: str) -> bool:
    return source[:8].lower().startswith(_WEB)
