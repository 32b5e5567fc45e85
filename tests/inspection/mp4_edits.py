"""MP4 files taken apart into boxes, changed, and put together again."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from tests.support.raw import box

#: Boxes that hold boxes.
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
Table = tuple[bytes, bytes] | None


def top(media: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes of a file, each with its header, by type."""
    return list(_boxes(media))


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at : at + size]
        at += size


def without(media: bytes, *kinds: bytes) -> bytes:
    """A file without the boxes of some types at its top."""
    return b"".join(whole for kind, whole in top(media) if kind not in kinds)


def with_data(media: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A file whose media data was changed."""
    return b"".join(
        box(b"mdat", change(whole[8:])) if kind == b"mdat" else whole for kind, whole in top(media)
    )


def before_index(media: bytes, new: bytes) -> bytes:
    """A file whose index comes last, with a new box right before it."""
    return without(media, b"moov") + new + dict(top(media))[b"moov"]


def behind(first: bytes, media: bytes) -> bytes:
    """A file with something before all else, and an index that knows it."""
    return first + changed(
        media,
        b"stco",
        lambda body: (b"stco", body[:8] + _packed("I", (n + len(first) for n in offsets(body)))),
    )


def offsets(body: bytes) -> list[int]:
    """What a table of 32-bit numbers lists."""
    return [number for (number,) in struct.iter_unpack(">I", body[8:])]


def changed(media: bytes, kind: bytes, change: Callable[[bytes], Table], *tracks: int) -> bytes:
    """A file with one box of each track (or of some) changed, renamed, or left out where None is returned."""
    seen = -1

    def rebuilt(data: bytes) -> Iterator[bytes]:
        nonlocal seen
        for name, whole in _boxes(data):
            seen += name == b"trak"
            if name in _PARENTS:
                yield box(name, *rebuilt(whole[8:]))
            elif name == kind and (not tracks or seen in tracks):
                new = change(whole[8:])
                yield box(*new) if new else b""
            else:
                yield whole

    return b"".join(rebuilt(media))


def _packed(form: str, numbers: Iterator[int]) -> bytes:
    return b"".join(struct.pack(f">{form}", number) for number in numbers)


def in_64_bits(body: bytes) -> Table:
    """A ``co64`` for an ``stco``."""
    return b"co64", body[:8] + _packed("Q", iter(offsets(body)))


def in_16_bits(body: bytes) -> Table:
    """An ``stz2`` for an ``stsz``."""
    return b"stz2", bytes(7) + b"\x10" + body[8:12] + _packed("H", iter(offsets(body[4:])))


def long_header(whole: bytes) -> bytes:
    """A box whose size is written in 64 bits."""
    return struct.pack(">I4sQ", 1, whole[4:8], len(whole) + 8) + whole[8:]


def open_ended(whole: bytes) -> bytes:
    """A box that says to run to the end of the file."""
    return bytes(4) + whole[4:]
