"""The rows of a manifest: CSV, a JSON list or JSON lines, as values with the line that each begins on.

What the csv and json modules take is taken, and nothing is cut: lines end where these formats say so, a
quoted value may hold any of them, and a row is given whole or refused. Each row is bounded, and so is memory.
A row that cannot be used is given as such, if it is sure where the next one begins; else reading ends.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TextIO

from greenroom.errors import ManifestError


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used; the text says why and what to do."""

    problem: str


#: The line, and the values or a :class:`BadRow`.
ManifestRow = tuple[int, Any]
#: Characters of one row. A ref has 255 and a source 4,096 at most; written with JSON's escapes, each is six.
LONGEST_ROW: Final = 64 * 1024
_CHUNK: Final = 64 * 1024
_COLUMNS: Final = "ref,source and perhaps kind and fix"
_ITEM: Final = '{"ref": "hero", "source": "media/hero.jpg"}'
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SPACE: Final = re.compile(r"[ \t\n\r]*")


class _Lines(Iterator[str]):
    """The lines of a file with their ends, as the csv module wants them; each row of them is bounded."""

    def __init__(self, file: TextIO, name: str) -> None:
        self._file = file
        self._name = name
        self._row_length = 0
        self.row_line = 1
        self.line = 0
        self.last = ""
        self.bad_text: tuple[int, str] | None = None

    def begin_row(self) -> None:
        """The next line is the first one of a row."""
        self._row_length = 0
        self.row_line = self.line + 1
        self.bad_text = None

    def __next__(self) -> str:
        text = self._file.readline(LONGEST_ROW + 1)
        if not text:
            raise StopIteration
        self.line += 1
        self._row_length += len(text)
        if self._row_length > LONGEST_ROW:
            raise self.wrong(self.row_line, self._too_long())
        self.last = text
        if self.bad_text is None and (problem := _bad_text(text)):
            self.bad_text = self.line, problem
        return text

    def _too_long(self) -> str:
        advice = (
            "Is a quote opened here and never closed?" if self.line > self.row_line else "Is it a manifest?"
        )
        return f"an item that begins here has more than {LONGEST_ROW:,} characters. {advice}"

    def wrong(self, line: int, problem: str) -> ManifestError:
        """An error that names a line."""
        return ManifestError(f"{self._name}, line {line}: {problem}")


def _bad_text(text: str) -> str:
    """What is wrong with a text that has NUL, or bytes that are no UTF-8; nothing for others."""
    if "\0" in text:
        return (
            "there is the character NUL, as in files that are no text, or no UTF-8. Save it as UTF-8 (in "
            "Excel: CSV UTF-8)."
        )
    if not text.isascii() and _SURROGATE.search(text):
        return "this is not UTF-8 text. Save the file as UTF-8 (in Excel: CSV UTF-8)."
    return ""


def rows_of_csv(file: TextIO, name: str) -> Iterator[ManifestRow]:
    """Each row as a mapping from the columns that it fills.

    Raises:
        ManifestError: naming the line.
    """
    lines = _Lines(file, name)
    first = next(lines, "")
    # Excel writes semicolons where the comma is the decimal mark.
    delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    header = _columns(reader, lines)
    while True:
        lines.begin_row()
        try:
            row = next(reader, None)
        except csv.Error as error:
            line, problem = lines.bad_text or _told(error, lines)
            if lines.line > lines.row_line or _ends_in_quotes(lines.last, delimiter):
                raise lines.wrong(line, problem) from None
            yield line, BadRow(problem)
            continue
        if row is None:
            return
        if lines.bad_text:
            line, problem = lines.bad_text
            yield line, BadRow(problem)
        elif any(row):
            yield lines.row_line, _by_column(header, row)


def _ends_in_quotes(line: str, delimiter: str) -> bool:
    """Whether a faulty line may be the beginning of a row that goes on; then what follows is no row."""
    return next(csv.reader([line], delimiter=delimiter))[-1].endswith(("\n", "\r"))


def _told(error: csv.Error, lines: _Lines) -> tuple[int, str]:
    """What the csv module found, at the line where a person should look."""
    if "unexpected end of data" in str(error):
        return lines.row_line, 'a quote (") is opened here and never closed. Close it, or take it out.'
    if "expected after" in str(error):
        since = f" of the row that begins on line {lines.row_line}" if lines.line > lines.row_line else ""
        return lines.line, (
            f'a quoted value{since} goes on behind its closing quote ("). '
            'Within quotes, write a quote twice ("").'
        )
    return lines.row_line, f"this is not CSV: {error}. Save the file anew."


def _columns(reader: Iterator[list[str]], lines: _Lines) -> list[str]:
    try:
        row = next(reader, [])
    except csv.Error as error:
        raise lines.wrong(*(lines.bad_text or _told(error, lines))) from None
    if lines.bad_text:
        raise lines.wrong(*lines.bad_text)
    header = [column.strip() for column in row]
    if not {"ref", "source"} <= set(header):
        raise lines.wrong(1, f"the first line must name the columns: {_COLUMNS}.")
    named = [column for column in header if column]
    for column in named:
        if named.count(column) > 1:
            raise lines.wrong(1, f"the column {column[:50]!r} is named twice. Take one of the two out.")
    return header


def _by_column(header: list[str], row: list[str]) -> dict[str, str] | BadRow:
    if len(row) > len(header):
        return BadRow(
            f"there are {len(row)} values, and the first line names {len(header)} columns. "
            'Put a value that holds the separator into quotes: "/srv/spring, summer/x.jpg".'
        )
    values = {column: value for column, value in zip(header, row, strict=False) if value}
    if "" in values:
        return BadRow(f"there is a value in a column that the first line does not name: {_COLUMNS}.")
    return values


def rows_of_json_lines(file: TextIO, name: str) -> Iterator[ManifestRow]:
    """The value on each line; empty lines are left out.

    Raises:
        ManifestError: naming the line.
    """
    lines = _Lines(file, name)
    while True:
        lines.begin_row()
        text = next(lines, None)
        if text is None:
            return
        if not text.isspace():
            yield lines.line, _decoded(text)


def _decoded(text: str) -> Any:
    if problem := _bad_text(text):
        return BadRow(problem)
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return BadRow(_json_problem(error))


def rows_of_json(file: TextIO, name: str) -> Iterator[ManifestRow]:
    """Each value of the list that the file holds.

    Raises:
        ManifestError: naming the line.
    """
    text = _Window(file, name)
    if not text.skips("["):
        raise text.wrong(f"there must be a list of items: [{_ITEM}, ...].")
    if not text.skips("]"):
        while True:
            text.skip_space()
            line = text.line
            yield line, text.value()
            if text.skips("]"):
                break
            if not text.skips(","):
                raise text.wrong(
                    "after an item there must be a comma and the next one, or the end of the list: ]."
                )
    if not text.at_end():
        raise text.wrong("the list has ended, and more follows. Put all items into one list.")


class _Window:
    """The part of a JSON file that is being looked at."""

    def __init__(self, file: TextIO, name: str) -> None:
        self._file = file
        self._name = name
        self._text = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def _fill(self) -> bool:
        """Read some more; False at the end of the file."""
        more = "" if self._ended else self._file.read(_CHUNK)
        self._ended = not more
        rest = self._text[self._at :]
        if "\0" in more:
            line = self.line + rest.count("\n") + more.count("\n", 0, more.index("\0"))
            raise ManifestError(f"{self._name}, line {line}: {_bad_text(more)}")
        self._text, self._at = rest + more, 0
        return bool(more)

    def _go_to(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def skip_space(self) -> None:
        """Go to what is no space."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._go_to(found.end() if found else self._at)
            if self._at < len(self._text) or not self._fill():
                return

    def skips(self, letter: str) -> bool:
        """Whether this comes next, after any space; it is gone by then."""
        self.skip_space()
        if not self._text.startswith(letter, self._at):
            return False
        self._at += 1
        return True

    def at_end(self) -> bool:
        """Whether nothing but space is left."""
        self.skip_space()
        return self._at >= len(self._text)

    def value(self) -> Any:
        """The value that comes next."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                line = self.line + self._text.count("\n", self._at, error.pos)
                # It may only be cut off here.
                if len(self._text) - self._at <= LONGEST_ROW and self._fill():
                    continue
                raise self._broken(error, line) from None
            except RecursionError as error:
                raise self.wrong(_json_problem(error)) from None
            if end - self._at > LONGEST_ROW:
                raise self.wrong(f"an item that begins here has more than {LONGEST_ROW:,} characters.")
            if problem := _bad_text(self._text[self._at : end]):
                value = BadRow(problem)
            self._go_to(end)
            return value

    def _broken(self, error: json.JSONDecodeError, line: int) -> ManifestError:
        if error.msg.startswith("Unterminated") and not self._ended:
            return self.wrong(f"an item that begins here has more than {LONGEST_ROW:,} characters.")
        return ManifestError(f"{self._name}, line {line}: {_json_problem(error)}")

    def wrong(self, problem: str) -> ManifestError:
        """An error that names the present line."""
        return ManifestError(f"{self._name}, line {self.line}: {problem}")


def _json_problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        found = error.msg.removesuffix(" starting at").removesuffix(" at")
        return f"this is not JSON: {found[:1].lower()}{found[1:]}. An item looks like {_ITEM}."
    return f"this is nested too deeply. An item looks like {_ITEM}."


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any] | BadRow:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if isinstance(value, BadRow):
            return value
        if name in found:
            return BadRow(f"the name {name[:50]!r} stands twice in one item. Take one of the two out.")
        found[name] = value
    return found


def _no_number(text: str) -> BadRow:
    return BadRow(f"{text} is no JSON. An item looks like {_ITEM}.")


def _whole_number(text: str) -> int | BadRow:
    try:
        return int(text)
    except ValueError:
        return BadRow(f"there is a number with thousands of digits. An item looks like {_ITEM}.")


#: What the json module would take and an item cannot be becomes a bad row, for its end is known.
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_number, parse_int=_whole_number
)
