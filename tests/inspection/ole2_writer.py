"""A small writer of OLE2 compound files ([MS-CFB], version 3), for tests."""

from __future__ import annotations

import struct
from collections.abc import Mapping

_SECTOR = 512
_END = 0xFFFFFFFE
_FREE = 0xFFFFFFFF
_FAT = 0xFFFFFFFD
_NONE = 0xFFFFFFFF
_MINI_LIMIT = 4096


def compound(
    streams: Mapping[str, bytes], *, storages: tuple[str, ...] = (), clsid: bytes = b"\0" * 16
) -> bytes:
    """An OLE2 file whose root holds these streams (each at least 4,096 bytes long) and empty storages."""
    assert all(len(body) >= _MINI_LIMIT for body in streams.values()), "this writer makes no mini streams"
    bodies = [body.ljust(-(-len(body) // _SECTOR) * _SECTOR, b"\0") for body in streams.values()]
    entries = 1 + len(streams) + len(storages)
    directory_sectors = -(-entries * 128 // _SECTOR)
    data_sectors = [len(body) // _SECTOR for body in bodies]
    total = directory_sectors + sum(data_sectors)
    fat_sectors = 1
    while fat_sectors * (_SECTOR // 4) < total + fat_sectors:
        fat_sectors += 1
    fat = [_FAT] * fat_sectors
    starts = []
    for count in (directory_sectors, *data_sectors):
        starts.append(len(fat))
        fat.extend(range(len(fat) + 1, len(fat) + count))
        fat.append(_END)
    fat.extend([_FREE] * (fat_sectors * (_SECTOR // 4) - len(fat)))
    names = [("Root Entry", 5, _END, 0), *((s, 1, 0, 0) for s in storages)]
    names[1:1] = [
        (name, 2, start, len(body)) for (name, body), start in zip(streams.items(), starts[1:], strict=True)
    ]
    directory = b"".join(
        _entry(name, kind, start, size, right=index + 1 if 0 < index < entries - 1 else _NONE, clsid=clsid)
        for index, (name, kind, start, size) in enumerate(names)
    ).ljust(directory_sectors * _SECTOR, b"\0")
    header = struct.pack("<8s16sHHHHH6x", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, fat_sectors, starts[0], 0, _MINI_LIMIT, _END, 0, _END, 0)
    header += struct.pack("<109I", *[*range(fat_sectors), *[_FREE] * (109 - fat_sectors)])
    assert len(header) == _SECTOR
    return header + struct.pack(f"<{len(fat)}I", *fat) + directory + b"".join(bodies)


def _entry(name: str, kind: int, start: int, size: int, *, right: int, clsid: bytes) -> bytes:
    encoded = name.encode("utf-16-le")
    child = 1 if kind == 5 else _NONE
    return (
        (encoded + b"\0\0").ljust(64, b"\0")
        + struct.pack("<HBBIII", len(encoded) + 2, kind, 1, _NONE, right, child)
        + (clsid if kind == 5 else b"\0" * 16)
        + struct.pack("<I8x8xIQ", 0, start, size)
    )


def word(*, locked: bool = False, storages: tuple[str, ...] = ()) -> bytes:
    """A Word 97-2003 document, as far as its first header goes."""
    fib = struct.pack("<HHHHHH", 0xA5EC, 0x00C1, 0, 0x0409, 0, 0x0100 if locked else 0x0200)
    return compound({"WordDocument": fib.ljust(4608, b"\0"), "1Table": bytes(4096)}, storages=storages)


def excel(*, locked: bool = False, name: str = "Workbook") -> bytes:
    """An Excel 97-2003 workbook, as far as its first records go."""
    records = struct.pack("<HHHHHHII", 0x0809, 16, 0x0600, 5, 0, 0, 0, 0)
    if locked:
        records += struct.pack("<HH", 0x002F, 54) + bytes(54)
    return compound({name: (records + struct.pack("<HH", 0x000A, 0)).ljust(4096, b"\0")})


def powerpoint(*, locked: bool = False) -> bytes:
    """A PowerPoint 97-2003 presentation, as far as its streams go."""
    streams = {"Current User": bytes(4096), "PowerPoint Document": bytes(8192)}
    return compound({**streams, "EncryptedSummary": bytes(4096)} if locked else streams)
