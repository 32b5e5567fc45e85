"""Twice the hostile bytes cost twice the work at most, and no file takes more memory than is stated.

Work is lines of Python that were run and bytes that were read, which are the same on every machine; what
regular expressions do is counted in `tests/patterns`.
"""

from __future__ import annotations

import io
import struct
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

from examples import makers
from greenroom.inspection import inspect_file
from greenroom.inspection.content import KEEP, Content
from greenroom.reasons import Reason
from greenroom.rules import MIB
from tests.support import ole2_writer, raw

#: Bytes that looking at a file may have in memory: the file itself, where it is small, and as much again.
MOST_MEMORY: Final = 3 * KEEP
#: Twice the file may cost so many times the work.
MOST_GROWTH: Final = 2.1


def _svg(count: int) -> bytes:
    return b"<!---->" * count + b"x"


def _pdf(count: int) -> bytes:
    return b"%PDF-1.7\n" + b"1 " * count + b"\n%%EOF"


def _docx(count: int) -> bytes:
    return makers.zipped({"[Content_Types].xml": b"<Override " * count})


def _riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def _webp(count: int) -> bytes:
    return _riff((b"JUNK" + bytes(4)) * count)


def _webp_frames(count: int) -> bytes:
    inside = bytes(16) + (b"JUNK" + bytes(4)) * count
    return _riff((b"ANMF" + struct.pack("<I", len(inside)) + inside) * 20)


def _png(count: int) -> bytes:
    whole = raw.png(8, 8)
    at = whole.index(b"IDAT") - 4
    return whole[:at] + raw.chunk(b"juNk", b"") * count + whole[at:]


def _jpeg(count: int) -> bytes:
    return b"\xff\xd8" + b"\xff" * count + b"\xd9"


def _zip(count: int) -> bytes:
    """An archive whose directory lists one file many times."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", b"")
    data = made.getvalue()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0, 0, len(entry) * count, start, 0)
    return data[:start] + entry * count + tail


def _looped(count: int) -> bytes:
    """A compound file whose list of table sectors continues with itself."""
    data = bytearray(ole2_writer.word().ljust(512 * (count + 2), b"\0"))
    last = count
    data[68:76] = struct.pack("<II", last, count)
    at = (last + 1) * 512
    data[at : at + 512] = struct.pack("<128I", *[0xFFFFFFFF] * 127, last)
    return bytes(data)


def _tree(count: int) -> bytes:
    """A compound file whose root holds many streams, each a neighbour of itself and of the first."""
    data = bytearray(ole2_writer.compound({f"s{n}": bytes(4096) if n < 2 else b"" for n in range(count)}))
    first = (int.from_bytes(data[48:52], "little") + 1) * 512
    for number in range(count):
        data[first + number * 128 + 68 : first + number * 128 + 72] = struct.pack("<I", number % 2)
    return bytes(data)


def _types(count: int) -> bytes:
    """A document that lists a main part for each of many extensions, and has as many parts."""
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    listed = "".join(f'<Default Extension="{n}" ContentType="{kind}"/>' for n in range(count))
    return makers.zipped({**{f"a.{n}": b"" for n in range(count)}, "[Content_Types].xml": listed}, method=0)


def _records(count: int) -> bytes:
    return ole2_writer.excel_records(0x0409, 0)[:-4] + b"\x42\0\0\0" * count


def _mp4(body: bytes) -> bytes:
    entry = raw.box(
        b"stsd", bytes(4), struct.pack(">I", 1), raw.box(b"mp4a", bytes(28), b"esds", bytes(4), body)
    )
    handler = raw.box(b"hdlr", bytes(8), b"soun", bytes(12))
    media = raw.box(b"mdia", handler, raw.box(b"minf", raw.box(b"stbl", entry)))
    return raw.box(b"ftyp", b"isom", bytes(4)) + raw.box(b"moov", raw.box(b"trak", media))


def _long_length(count: int) -> bytes:
    return _mp4(b"\x03" + b"\x80" * count)


def _deep(count: int) -> bytes:
    return _mp4(b"\x03\x00\x00\x00\x00" * count)


def _sync(count: int) -> bytes:
    return b"\xff\xf1" * count


def _nameless(count: int) -> bytes:
    """Boxes that nobody knows, before an index that never comes."""
    return raw.box(b"ftyp", b"isom", bytes(4)) + raw.box(bytes(4)) * count


def _fragments(count: int) -> bytes:
    run = raw.box(b"traf", raw.box(b"tfhd", bytes(8)), raw.box(b"trun", bytes(8)) * 20)
    return _mp4(b"") + raw.box(b"moof", run) * count


def _segments(count: int) -> bytes:
    """A JPEG of tables, and of bytes between them that belong to none."""
    table = b"\xff\xc4\x00\x14" + bytes(17) + b"\1"
    return b"\xff\xd8" + (table + b"\0\xff\0") * count


def _endless(count: int) -> bytes:
    """A JPEG of the largest size that stops in its image, whose codes are as short as can be."""
    frame = b"\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00"
    tables = b"".join(b"\xff\xc4\x00\x14" + bytes([kind, 1]) + bytes(16) for kind in (0x00, 0x10))
    return b"\xff\xd8" + frame + tables + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + bytes(count)


def _tagged(count: int) -> bytes:
    """Audio that only seems to start, behind a tag."""
    return b"ID3\3\0\0\0\0\0\0" + b"\xff\xf1" * count


def _endless_png(count: int) -> bytes:
    return raw.png(1, count, rows=bytes(4 * count))[:-12]


MAKERS: Final = (
    *(_svg, _pdf, _docx, _webp, _webp_frames, _png, _jpeg, _zip, _looped, _long_length, _deep, _sync),
    *(_tree, _types, _records),
    *(_nameless, _fragments, _segments, _endless, _tagged, _endless_png),
)


def _work(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Lines that were run and bytes that were read to judge a file."""
    lines = read = 0
    whole = Content.read

    def counted(self: Content, offset: int, length: int) -> bytes:
        nonlocal read
        data = whole(self, offset, length)
        read += len(data)
        return data

    def trace(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    with monkeypatch.context() as patched:
        patched.setattr(Content, "read", counted)
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            inspect_file(path)
        finally:
            sys.settrace(before)
    return lines, read


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_twice_the_bytes_cost_twice_the_work(
    make: Callable[[int], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each of the files that are made against a reader."""
    path = tmp_path / "hostile"
    path.write_bytes(make(8))
    _work(path, monkeypatch)  # what is done once, such as loading libmagic
    found = []
    for count in (300, 600):
        path.write_bytes(make(count))
        found.append(_work(path, monkeypatch))
    (lines, read), (more_lines, more_read) = found
    assert more_lines <= lines * MOST_GROWTH + 50
    assert more_read <= read * MOST_GROWTH + 2 * path.stat().st_size


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (_zip, 400_000),
        (_webp, 2 * MIB),
        (_looped, 40_000),
        (_tree, 20_000),
        (_types, 9_000),
        (_records, MIB),
        (_webp_frames, 30_000),
        (_png, 60_000),
        (_jpeg, 4 * MIB),
        (_pdf, 2 * MIB),
        (_deep, MIB),
        (_nameless, MIB),
        (_fragments, 20_000),
        (_segments, 150_000),
        (_endless, 200_000),
        (_endless, 4 * MIB),
        (_tagged, 4 * MIB),
        (_endless_png, 8_000_000),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_large_ones_have_bounds(make: Callable[[int], bytes], count: int, tmp_path: Path) -> None:
    """However large, a file takes a bounded number of steps and bytes of memory."""
    path = tmp_path / "hostile"
    path.write_bytes(make(count))
    calls = 0

    def count_calls(_frame: FrameType, _event: str, _arg: Any) -> None:
        nonlocal calls
        calls += 1

    tracemalloc.start()
    sys.setprofile(count_calls)
    try:
        inspect_file(path)
    finally:
        sys.setprofile(None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MOST_MEMORY
    assert calls < 700_000


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_of_another_method_is_not_unpacked(method: int, tmp_path: Path) -> None:
    """Readers of bzip2 and LZMA give all that a piece unpacks to, however little is asked for."""
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("[Content_Types].xml", b" " * (16 * MIB))
    tracemalloc.start()
    verdict = inspect_file(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert verdict.reason is Reason.BROKEN
    assert peak < MIB
