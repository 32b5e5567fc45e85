"""How figures and moments are written for people, and the console they are written to."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from rich.console import Console
from rich.markup import escape

from greenroom.rules import KIB, MIB

console = Console(highlight=False)
#: Progress and remarks: never mixed into what a program reads from standard output.
remarks = Console(stderr=True, highlight=False)


def plain(text: object) -> str:
    """What others wrote (names of files, words of the provider), for a console.

    Neither markup nor control characters of it count: a name must not colour, move or crash the terminal.
    """
    return escape("".join(letter if _shows(letter) else _spelt(letter) for letter in str(text)))


def _shows(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == "Zs"


def _spelt(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def size(count: int | None) -> str:
    """Bytes as people write them."""
    if count is None:
        return ""
    if count < KIB:
        return f"{count} B"
    if count < MIB:
        return f"{count / KIB:.0f} KB"
    return f"{count / MIB:.1f} MB"


def moment(at: datetime | None) -> str:
    """A moment in the reader's own time zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else ""


def day(at: datetime | None) -> str:
    """A day in the reader's own time zone."""
    return at.astimezone().strftime("%d %b %Y") if at else ""


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
