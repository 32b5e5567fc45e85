"""Figures and lists as people write them."""

from __future__ import annotations

from collections.abc import Iterable

from greenroom.rules import KIB

_UNITS = ("KB", "MB", "GB")
_MINUTE = 60
_HOUR = 3600


def human_size(size: int) -> str:
    """A size as a file manager shows it: ``"7.3 MB"``, ``"312 KB"``, ``"40 bytes"``."""
    if size < KIB:
        return f"{size} byte{'' if size == 1 else 's'}"
    figure, units = size / KIB, iter(_UNITS)
    unit = next(units)
    # As it is shown: 1,023.97 KB is 1 MB, and not 1,024 KB.
    while round(figure, 1) >= KIB and (larger := next(units, None)):
        figure, unit = figure / KIB, larger
    return f"{figure:,.1f}".removesuffix(".0") + f" {unit}"


def compared(size: int, limit: int) -> str:
    """A size above a limit, written so that the two never look alike."""
    shown = human_size(size)
    return f"{size:,} bytes" if shown == human_size(limit) else shown


def human_time(seconds: float) -> str:
    """A play time as a player shows it: ``"0:12"``, ``"1:02:03"``."""
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, _HOUR)
    minutes, left = divmod(rest, _MINUTE)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(words: Iterable[str]) -> str:
    """``"A"``, ``"A and B"``, ``"A, B and C"``; each word once, in the order given."""
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} and {last}" if most else last
