"""Excel's records (BIFF), which all its files up to 2003 are made of: version, password, and their end.

Since version 5 they lie in a stream of a compound file, ``Book`` or ``Workbook``, before that they are the
file. Programs that write Excel files by a few lines of their own leave the container out to this day.
Sources: [MS-XLS] 2.4.21 (BOF) and 2.4.117 (FilePass); of older versions "OpenOffice.org's Documentation of
the Microsoft Excel File Format", 5.8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

CURRENT_WORKBOOK: Final = "Excel 97-2003 workbook"
#: Numbers of the first record; of versions 5 and later its first word tells more.
_LABELS: Final[dict[int, str]] = {
    0x0009: "Excel 2 worksheet",
    0x0209: "Excel 3 worksheet",
    0x0409: "Excel 4 worksheet",
    0x0809: "Excel 5 or 95 workbook",
}
_SINCE_5: Final = 0x0809
_VERSION_97: Final = 0x0600
#: What the first record may say follows: globals, a module, a sheet, a chart, a macro sheet, a workspace.
_CONTENTS: Final = frozenset({0x0005, 0x0006, 0x0010, 0x0020, 0x0040, 0x0100})
_LENGTHS: Final = range(4, 17)
_FIRST: Final = 8
_END: Final = 0x000A
_PASSWORD: Final = 0x002F
#: The longest record is of version 8, with some bytes to spare.
_LONGEST: Final = 8228


def workbook_label(start: bytes) -> str | None:
    """The version of records that start so; None where no version starts so."""
    if len(start) < _FIRST:
        return None
    number, _, version = struct.unpack_from("<HHH", start)
    return CURRENT_WORKBOOK if (number, version) == (_SINCE_5, _VERSION_97) else _LABELS.get(number)


def is_locked_workbook(start: bytes) -> bool:
    """Whether there is a password among the records that a file or stream starts with."""
    return any(number == _PASSWORD for number, _ in _records(start))


def is_bare_workbook(head: bytes) -> bool:
    """Whether a file starts with records, in no container."""
    if workbook_label(head) is None:
        return False
    _, length, _, contents = struct.unpack_from("<4H", head)
    return length in _LENGTHS and contents in _CONTENTS


def is_cut_short(start: bytes, size: int) -> bool:
    """Whether the records at the start of a file of ``size`` bytes stop before the one that ends them."""
    whole, end = False, 0
    for number, end in _records(start):
        if whole and number not in _LABELS:
            return False  # the last part has its end; what else follows is no loss
        whole = number == _END and end <= size
    return not whole and (end > size or end + 4 <= len(start) or len(start) == size)


def _records(start: bytes) -> Iterator[tuple[int, int]]:
    """The number of each record, and where it ends, as long as they make sense."""
    at = 0
    while at + 4 <= len(start):
        number, length = struct.unpack_from("<HH", start, at)
        if length > _LONGEST or number == length == 0:
            return
        at += 4 + length
        yield number, at
