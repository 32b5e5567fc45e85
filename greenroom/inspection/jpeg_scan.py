"""Whether the last scan of a JPEG without an end mark has all of its blocks.

Source: ITU T.81, annex F (sequential coding). Codes are followed and their values passed over: what an image
looks like does not matter here, only where its data ends.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple

#: Bytes of a scan, or of its last restart interval, that are followed: a quarter of a second in a photograph.
_MOST: Final = 256 * 1024
_DHT: Final = 0xC4
_DRI: Final = 0xDD
_SOS: Final = 0xDA
_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})
_RESTART: Final = re.compile(rb"\xff[\xd0-\xd7]")
_LONGEST_CODE: Final = 16
_COEFFICIENTS: Final = 0x10  # the class of tables that all values of a block but the first one have
_LONGEST_VALUE: Final = 15
_WINDOW: Final = 32  # bits, more than a code and its value take
_BLOCK: Final = 64
_RUN_OF_ZEROS: Final = 0xF0

Segment = tuple[int, int, int]  # its marker, where what it says starts and ends
#: Bits that a code and its value take, and coefficients that it stands for, by the next 16 bits.
Codes = list[tuple[int, int]]
_Table = tuple[bytes, bytes]  # how many codes there are of each length, and what they mean


class _Component(NamedTuple):
    across: int
    down: int


class _Scan(NamedTuple):
    """What the last scan is made of: its units, how many lie between two restart marks, and their blocks."""

    units: int
    interval: int
    blocks: list[tuple[Codes, Codes]]
    start: int


def last_scan_is_whole(data: bytes, segments: Iterable[Segment]) -> bool:
    """Whether all blocks of the last scan are there; False where that is not told.

    Args:
        data: the file.
        segments: those that were met on the way through it.
    """
    scan = _last_scan(data, list(segments))
    if scan is None:
        return False
    parts = _RESTART.split(data[scan.start :])
    if len(parts) != -(-scan.units // scan.interval):
        return False
    packed = parts[-1].removesuffix(b"\xff")
    left = scan.units - (len(parts) - 1) * scan.interval
    return len(packed) <= _MOST and _has_units(packed.replace(b"\xff\0", b"\xff"), scan.blocks, left)


def _last_scan(data: bytes, segments: list[Segment]) -> _Scan | None:
    components: dict[int, _Component] = {}
    width = height = interval = 0
    tables: dict[int, _Table] = {}
    for marker, start, end in segments:
        if marker in _SEQUENTIAL:
            _, height, width, count = struct.unpack_from(">BHHB", data, start)
            components = {
                data[at]: _Component(data[at + 1] >> 4, data[at + 1] & 15)
                for at in range(start + 6, start + 6 + 3 * count, 3)
            }
        elif marker == _DRI:
            (interval,) = struct.unpack_from(">H", data, start)
        elif marker == _DHT:
            tables |= _tables(data[start:end])
    marker, start, end = segments[-1]
    if marker != _SOS or not components:
        return None  # progressive, or not in a scan at all
    chosen = [(data[at], data[at + 1]) for at in range(start + 1, start + 1 + 2 * data[start], 2)]
    parts = [components[number] for number, _ in chosen]
    units = _units(width, height, list(components.values()), parts)
    read = cache(lambda number: _codes(tables[number], coefficients=number >= _COEFFICIENTS))
    blocks = [
        (read(selected >> 4), read(_COEFFICIENTS + (selected & 15)))
        for (_, selected), part in zip(chosen, parts, strict=True)
        for _ in range(part.across * part.down if len(parts) > 1 else 1)
    ]
    return _Scan(units, interval or units, blocks, end) if units and blocks else None


def _units(width: int, height: int, everything: list[_Component], scanned: list[_Component]) -> int:
    """Units of a scan (section A.2): of several components together, or single blocks of one."""
    across, down = (max(part[side] for part in everything) for side in (0, 1))
    if len(scanned) > 1:
        return -(-width // (8 * across)) * -(-height // (8 * down))
    (part,) = scanned
    own_width, own_height = -(-width * part.across // across), -(-height * part.down // down)
    return -(-own_width // 8) * -(-own_height // 8)


def _tables(body: bytes) -> dict[int, _Table]:
    """Huffman tables (section B.2.4.2) by class and number."""
    found, at = {}, 0
    while at + 17 <= len(body):
        counts = body[at + 1 : at + 17]
        found[body[at]] = counts, body[at + 17 : at + 17 + sum(counts)]
        at += 17 + sum(counts)
    return found


def _codes(table: _Table, *, coefficients: bool) -> Codes:
    """A table written out (annex C); a code of fewer bits stands in more places."""
    lengths = [length for length, count in enumerate(table[0], 1) for _ in range(count)]
    codes: Codes = []
    for length, symbol in zip(lengths, table[1], strict=True):
        bits, done = _meaning(symbol) if coefficients else (symbol, 1)
        codes += [(length + bits, done)] * (1 << _LONGEST_CODE - length)
        if len(codes) > 1 << _LONGEST_CODE or bits > _LONGEST_VALUE:
            raise ValueError("more codes, or bits, than there are")
    return codes


def _meaning(symbol: int) -> tuple[int, int]:
    """Bits of the value, and coefficients: zeros and the one behind them, 16 zeros, or a block's rest."""
    if symbol & 15:
        return symbol & 15, (symbol >> 4) + 1
    return 0, 16 if symbol == _RUN_OF_ZEROS else _BLOCK


def _has_units(data: bytes, blocks: list[tuple[Codes, Codes]], units: int) -> bool:
    """Whether so many units end within the data; beyond its end, zeros are read."""
    window = left = at = 0  # bits that were read and are not used yet, how many, and where to read on
    end = len(data)
    try:
        for _ in range(units):
            for first, rest in blocks:
                done, codes = 0, first
                while done < _BLOCK:
                    if left < _WINDOW:
                        beyond = at + 4 - end if at + 4 > end else 0
                        fresh = int.from_bytes(data[at : at + 4]) << 8 * beyond
                        window = (window & (1 << left) - 1) << _WINDOW | fresh
                        left, at = left + _WINDOW, at + 4
                    length, coefficients = codes[window >> left - _LONGEST_CODE & 0xFFFF]
                    left -= length
                    done += coefficients
                    codes = rest
            if at * 8 - left > end * 8:
                return False
    except IndexError:
        return False  # bits that no code starts with
    return True
