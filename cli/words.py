"""How figures and moments are written for people, and the console they are written to."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console

from greenroom.rules import KIB, MIB

console = Console(highlight=False)
#: Progress and remarks: never mixed into what a program reads from standard output.
remarks = Console(stderr=True, highlight=False)


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
