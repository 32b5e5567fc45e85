"""A small writer of OLE2 compound files ([MS-CFB], version 3), for tests."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SECTOR = 512
_END = 0xFFFFFFFE
_FREE = 0xFFFFFFFF
_FAT = 0xFFFFFFFD
_NONE = 0xFFFFFFFF
_MINI_LIMIT = 4096
_STORAGE = 1
_STREAM = 2
_ROOT = 5


@dataclass
class _Line:
    """One line of the directory that is being written."""

    name: str
    kind: int
    body: bytes = b""
    right: int = _NONE
    child: int = _NONE


def compound(
    streams: Mapping[str, bytes],
    *,
    storages: tuple[str, ...] = (),
    inside: Mapping[str, Mapping[str, bytes]] | None = None,
    clsid: bytes = b"\0" * 16,
) -> bytes:
    """An OLE2 file.

    Args:
        streams: what its root holds, each at least 4,096 bytes long.
        storages: names of empty storages beside them.
        inside: storages beside them, with the streams that they hold.
        clsid: of the root.
    """
    lines = _directory(streams, {**{name: {} for name in storages}, **(inside or {})})
    bodies = [line.body.ljust(-(-len(line.body) // _SECTOR) * _SECTOR, b"\0") for line in lines]
    assert all(not line.body or len(line.body) >= _MINI_LIMIT for line in lines), "this makes no mini streams"
    directory_sectors = -(-len(lines) * 128 // _SECTOR)
    data_sectors = [len(body) // _SECTOR for body in bodies]
    total = directory_sectors + sum(data_sectors)
    fat_sectors = 1
    while fat_sectors * (_SECTOR // 4) < total + fat_sectors:
        fat_sectors += 1
    fat = [_FAT] * fat_sectors
    starts = []
    for count in (directory_sectors, *data_sectors):
        starts.append(len(fat) if count else _END)
        fat.extend(range(len(fat) + 1, len(fat) + count))
        fat.extend([_END] * bool(count))
    fat.extend([_FREE] * (fat_sectors * (_SECTOR // 4) - len(fat)))
    directory = b"".join(
        _entry(line, start, clsid) for line, start in zip(lines, starts[1:], strict=True)
    ).ljust(directory_sectors * _SECTOR, b"\0")
    header = struct.pack("<8s16sHHHHH6x", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, fat_sectors, starts[0], 0, _MINI_LIMIT, _END, 0, _END, 0)
    header += struct.pack("<109I", *[*range(fat_sectors), *[_FREE] * (109 - fat_sectors)])
    assert len(header) == _SECTOR
    return header + struct.pack(f"<{len(fat)}I", *fat) + directory + b"".join(bodies)


def _directory(streams: Mapping[str, bytes], storages: Mapping[str, Mapping[str, bytes]]) -> list[_Line]:
    lines = [_Line("Root Entry", _ROOT)]
    _put(lines, lines[0], streams, tuple(storages))
    by_name = {line.name: line for line in lines if line.kind == _STORAGE}
    for name, members in storages.items():
        _put(lines, by_name[name], members)
    return lines


def _put(
    lines: list[_Line], parent: _Line, streams: Mapping[str, bytes], storages: tuple[str, ...] = ()
) -> None:
    """Add what a storage holds, each the right neighbour of the one before it."""
    members = [_Line(name, _STREAM, body) for name, body in streams.items()]
    members += [_Line(name, _STORAGE) for name in storages]
    if members:
        parent.child = len(lines)
    for number, member in enumerate(members[:-1], len(lines)):
        member.right = number + 1
    lines += members


def _entry(line: _Line, start: int, clsid: bytes) -> bytes:
    encoded = line.name.encode("utf-16-le")
    return (
        (encoded + b"\0\0").ljust(64, b"\0")
        + struct.pack("<HBBIII", len(encoded) + 2, line.kind, 1, _NONE, line.right, line.child)
        + (clsid if line.kind == _ROOT else b"\0" * 16)
        + struct.pack("<I8x8xIQ", 0, start, len(line.body))
    )


#: The start of each version of Word, by its identifier: its number (nFib).
_WORD_VERSIONS = {0xA5EC: 0x00C1, 0xA5DC: 0x0068, 0xA699: 0x0068, 0xA5DB: 0x002D, 0xA59B: 0x0021}


def word_header(identifier: int = 0xA5EC, *, locked: bool = False) -> bytes:
    """The first 4,608 bytes of a Word document of some version, with its text behind them."""
    flags = 0x0100 if locked else 0x0200
    header = struct.pack("<HHHHHH", identifier, _WORD_VERSIONS[identifier], 0, 0x0409, 0, flags)
    return (header + bytes(12) + struct.pack("<II", 768, 4608)).ljust(4608, b"\0")


def excel_records(number: int = 0x0809, version: int = 0x0600, *, locked: bool = False) -> bytes:
    """The first and the last record of an Excel file of some version, with a password between them."""
    length = {0x0009: 4, 0x0209: 6, 0x0409: 6}.get(number, 16 if version == 0x0600 else 8)
    first = struct.pack("<HHHH", number, length, version, 0x0010).ljust(length + 4, b"\0")
    password = struct.pack("<HH", 0x002F, 54) + bytes(54) if locked else b""
    return first + password + struct.pack("<HH", 0x000A, 0)


def word(
    *, identifier: int = 0xA5EC, name: str = "WordDocument", locked: bool = False, **options: Any
) -> bytes:
    """A Word document of version 6 or later, as far as its first header goes."""
    streams = {name: word_header(identifier, locked=locked), "1Table": bytes(4096)}
    return compound(streams, **options)


def excel(*, version: int = 0x0600, name: str = "Workbook", locked: bool = False, **options: Any) -> bytes:
    """An Excel workbook of version 5 or later, as far as its first records go."""
    return compound({name: excel_records(0x0809, version, locked=locked).ljust(4096, b"\0")}, **options)


def powerpoint(*, locked: bool = False) -> bytes:
    """A PowerPoint 97-2003 presentation, as far as its streams go."""
    streams = {"Current User": bytes(4096), "PowerPoint Document": bytes(8192)}
    return compound({**streams, "EncryptedSummary": bytes(4096)} if locked else streams)
