"""Manifest files: read as the csv and json modules define them, item by item, in bounded memory.

Nothing is cut or guessed, and nothing dropped in silence: a line that says more than an item has is refused,
and each refusal names the line and what to do. A file is read twice, first to check all of it, then to hand
over what is good; it may not change meanwhile.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TextIO

from greenroom.chunks import chunks
from greenroom.errors import ManifestError
from greenroom.manifest import ManifestItem, WrongItem, check_items
from greenroom.manifest_rows import BadRow, ManifestRow, rows_of_csv, rows_of_json, rows_of_json_lines
from greenroom.seen_refs import MOST_REPEATED, SeenRefs, TooManyRepeatedRefs

#: Bad lines that are kept to be shown.
MOST_BAD_LINES: Final = 20
#: Items that are checked in one call.
_AT_A_TIME: Final = 1_000
_READERS: Final[dict[str, Callable[[TextIO, str], Iterator[ManifestRow]]]] = {
    ".csv": rows_of_csv,
    ".json": rows_of_json,
    ".jsonl": rows_of_json_lines,
}
#: Both keep the ends of lines; in JSON only the line feed ends one.
_NEWLINES: Final = {".csv": "", ".json": "\n", ".jsonl": "\n"}
#: By what a file begins with; no line with the names of columns begins so.
_ENDINGS: Final = {"[": ".json", "{": ".jsonl"}
#: What no relative path begins with: an address, if one of a kind that is refused.
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]{0,15}://", re.IGNORECASE)


def read_manifest(path: Path, *, fix: bool = False) -> ManifestFile:
    """The items of a manifest file (``.csv``, ``.json`` or ``.jsonl``), all of which have to be good.

    Args:
        path: the file; relative sources start beside it.
        fix: whether all of its items are to be fixed, whatever it says of each.

    Raises:
        ManifestError: the file cannot be read, or a line of it is wrong.
    """
    manifest = ManifestFile(path, fix=fix)
    if manifest.bad_lines:
        more = manifest.bad_count - 1
        rest = f" So are {more:,} more lines." if more else ""
        raise ManifestError(f"{manifest.name}, {manifest.bad_lines[0]}{rest}")
    return manifest


class ManifestFile(Collection[ManifestItem]):
    """The good items of a file that was checked as a whole; each pass reads it anew, so that none are kept.

    Of items with one ref, the first is good.

    Attributes:
        name: what to call the file.
        bad_count: how many items are bad.
        bad_lines: the first of them: the line, what is wrong, and what to do.

    Raises:
        ManifestError: at construction if the file cannot be used, or from some line on it is not sure where
            items begin; in a later pass if it has changed.
    """

    def __init__(self, path: Path, *, fix: bool = False, spooled_for: Path | None = None) -> None:
        """Check all of it.

        Args:
            path: the file.
            fix: whether all of its items are to be fixed.
            spooled_for: the folder in which relative sources start, where the path is that of a copy of
                standard input. Its format is told by its first character.
        """
        self._path = path
        self._fix = fix
        self._folder = (spooled_for or path.parent).absolute()
        self.name = "standard input" if spooled_for else path.name
        self._shown = self.name if spooled_for else str(path)
        self._ending = _ending_by_content(path) if spooled_for else path.suffix.lower()
        if self._ending not in _READERS:
            raise ManifestError(f"{path} is no manifest: give a .csv, .json or .jsonl file, or a folder.")
        self._identity: tuple[int, ...] | None = None
        self._repeated: dict[int, int] = {}
        self._length = 0
        self.bad_count = 0
        self.bad_lines: list[str] = []
        self._check()

    def __len__(self) -> int:
        return self._length

    def __contains__(self, item: object) -> bool:
        return any(item == one for one in self)

    def __iter__(self) -> Iterator[ManifestItem]:
        for number, (_, item) in enumerate(self._items()):
            if number not in self._repeated:
                yield item.model_copy(update={"fix": True}) if self._fix else item

    def _check(self) -> None:
        bad: list[tuple[int, str]] = []

        def keep(line: int, problem: str) -> None:
            self.bad_count += 1
            if len(bad) < MOST_BAD_LINES:
                bad.append((line, problem))

        with SeenRefs() as seen:
            try:
                for number, (_, item) in enumerate(self._items(keep)):
                    seen.add(item.ref, number)
                    self._length += 1
                seen.finish()
            except TooManyRepeatedRefs:
                raise ManifestError(
                    f"{self._shown}: more than {MOST_REPEATED:,} items have a ref that stands before "
                    "already; each needs one of its own. Is ref what it should be?"
                ) from None
        self._repeated = seen.repeated
        self._length -= len(self._repeated)
        self.bad_count += len(self._repeated)
        bad.extend(self._repeated_lines())
        bad.sort(key=lambda found: found[0])
        self.bad_lines = [f"line {line}: {problem}" for line, problem in bad[:MOST_BAD_LINES]]

    def _repeated_lines(self) -> Iterator[tuple[int, str]]:
        """The first items whose ref stands before; their lines are looked up, for they were not kept."""
        firsts: dict[int, int] = {}
        for number in sorted(self._repeated)[:MOST_BAD_LINES]:
            first = self._repeated[number]
            while first in self._repeated:
                first = self._repeated[first]
            firsts[number] = first
        if not firsts:
            return
        lines = dict.fromkeys(firsts.values(), 0)
        last = max(firsts)
        for number, (line, item) in enumerate(self._items()):
            if number in lines:
                lines[number] = line
            if number in firsts:
                before = lines[firsts[number]]
                yield (
                    line,
                    f"the ref {item.ref!r} stands on line {before} already; each item needs one of its own.",
                )
            if number == last:
                return

    def _items(
        self, bad: Callable[[int, str], None] = lambda _line, _problem: None
    ) -> Iterator[tuple[int, ManifestItem]]:
        """Each item that is good by itself, and the line that it begins on; `bad` is told of the others."""
        try:
            with self._opened() as file:
                rows = _READERS[self._ending](file, self.name)
                for chunk in chunks(rows, _AT_A_TIME):
                    yield from self._checked(chunk, bad)
                    self._require_unchanged(file)
                self._require_unchanged(file)
        except OSError as error:
            raise ManifestError(f"{self._shown} cannot be read: {error.strerror}.") from error

    def _checked(
        self, rows: list[ManifestRow], bad: Callable[[int, str], None]
    ) -> Iterator[tuple[int, ManifestItem]]:
        lines = [line for line, _ in rows]
        values = [_beside(value, self._folder) for _, value in rows]
        start = 0
        while start < len(rows):
            try:
                yield from zip(lines[start:], check_items(values[start:]), strict=True)
            except WrongItem as wrong:
                end = start + wrong.index
                yield from zip(lines[start:end], check_items(values[start:end]), strict=True)
                value = values[end]
                bad(lines[end], value.problem if isinstance(value, BadRow) else str(wrong))
                start = end + 1
            else:
                return

    def _opened(self) -> TextIO:
        # A pipe is not even opened: that would wait for its other end, and it cannot be read twice.
        if not stat.S_ISREG(self._path.stat().st_mode):
            raise ManifestError(
                f"{self._shown} is no file. Write the manifest into a file, or give it on standard input "
                "(--manifest -)."
            )
        newline = _NEWLINES[self._ending]
        file = self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline=newline)
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
            f"{self._shown} was changed while it was read. Start again when whatever writes it is done."
        )


def _ending_by_content(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        return _ENDINGS.get(file.read(_AT_A_TIME).lstrip()[:1], ".csv")


def _identity(file: TextIO) -> tuple[int, ...]:
    found = os.fstat(file.fileno())
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _beside(values: Any, folder: Path) -> Any:
    """A relative source starts at the manifest's folder."""
    if isinstance(values, dict):
        source = values.get("source")
        if isinstance(source, str) and source and not source.startswith("/") and not _ADDRESS.match(source):
            return {**values, "source": str(folder / source)}
    return values
