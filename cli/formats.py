"""How figures and moments are written for people, and the console they are written to."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import click
from rich.console import Console, ConsoleDimensions
from rich.markup import escape

from greenroom.errors import Misuse
from greenroom.figures import counted as counted  # noqa: PLC0414 - commands take it from here
from greenroom.untrusted_text import printable, printable_lines

#: Columns outside a terminal, where nothing is broken to fit, and rows of a file.
ENDLESS, _ROWS = 100_000, 25


class _Output(Console):
    """A terminal, or something else that is as wide as it has to be: a line a file, each name whole.

    ``COLUMNS`` makes it as wide as it says.
    """

    @property  # type: ignore[misc] # nobody here sets it
    def size(self) -> ConsoleDimensions:
        found = super().size
        if self._width is None and not self.file.isatty() and not self._environ.get("COLUMNS", "").isdigit():
            return ConsoleDimensions(ENDLESS, _ROWS)
        return found


console: Console = _Output(highlight=False)
#: Progress and remarks: never mixed into what a program reads from standard output.
remarks: Console = _Output(stderr=True, highlight=False)


def below() -> str:
    """What stands between the texts of one cell: a new line, where lines are not endless."""
    return " " if console.width >= ENDLESS else "\n"


def plain(text: object) -> str:
    """What others wrote (names of files, words of the provider), for a console.

    Neither markup nor control characters of it count: a name must not colour, move or crash the terminal.
    """
    return escape(printable(text))


def say(text: str, *, err: bool = False) -> None:
    """Print a sentence without markup; whatever is in it cannot drive the terminal."""
    click.echo(printable_lines(text), err=err)


def moment(at: datetime | None) -> str:
    """A moment to the minute in the reader's own time zone, and which that is."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M %Z") if at else ""


def short_moment(at: datetime) -> str:
    """The same in two lines, for a table that has no room beside each other."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M\n%Z")


def zoned(at: datetime) -> str:
    """A moment to the second in the reader's own time zone, and which that is."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def day(at: datetime | None) -> str:
    """A day in the reader's own time zone."""
    return at.astimezone().strftime("%d %b %Y") if at else ""


_UNITS = {"min": 60, "h": 3_600, "d": 86_400}
_SHORTEST, _LONGEST = _UNITS["min"], 365 * _UNITS["d"]


def span(length: timedelta) -> str:
    """A length of time as people write it: ``11 days``, ``36 hours``."""
    seconds = length.total_seconds()
    if seconds >= 3 * _UNITS["d"]:
        return counted(round(seconds / _UNITS["d"]), "day")
    if seconds >= 3 * _UNITS["h"]:
        return counted(round(seconds / _UNITS["h"]), "hour")
    return counted(round(seconds / _UNITS["min"]), "minute")


def parse_span(text: str) -> timedelta:
    """A length of time from ``30d``, ``12h`` or ``60min``.

    Raises:
        Misuse: it is none, or not between a minute and a year.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(min|h|d)", text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise Misuse(f"{text!r} is no length of time between a minute and a year; write 30d, 12h or 60min.")
    return timedelta(seconds=seconds)
