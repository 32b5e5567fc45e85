"""How long Opus lasts: a packet by its first two bytes, a file by its pages wherever its clock starts."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from greenroom.inspection import inspect_file
from greenroom.inspection.content import Content
from greenroom.inspection.ogg import _clocks
from greenroom.inspection.opus import samples_of
from tests.support import raw

HOUR = 3600 * 48_000
HEAD = b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"
#: A packet that lasts 20 ms, and one whose first byte would say 2.5 ms.
FRAME, SHORT = b"\xf8" + bytes(9), b"\x80" + bytes(9)


@pytest.mark.parametrize(
    ("start", "samples"),
    [
        (b"\x00", 480),
        (b"\x08", 960),
        (b"\x18", 2880),
        (b"\x60", 480),
        (b"\x68", 960),
        (b"\x80", 120),
        (b"\xf8", 960),
        (b"\xf9", 1920),
        (b"\xfa\x00", 1920),
        (b"\xfb\x03", 2880),
        (b"\xfb\xc3", 2880),
    ],
)
def test_how_long_a_packet_lasts(start: bytes, samples: int) -> None:
    """RFC 6716, table 2 and section 3.2."""
    assert samples_of(start) == samples


@pytest.mark.parametrize("start", [b"", b"\xfb", b"\xfb\x40"])
def test_what_is_no_packet(start: bytes) -> None:
    """Nothing, and packets that do not say how many frames they have, or have none."""
    with pytest.raises(ValueError, match="Opus packet"):
        samples_of(start)


def page(*segments: bytes, flags: int = 0, granule: int = -1) -> bytes:
    """A page of such segments; one of 255 bytes goes on in the next."""
    header = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, 1, 0, 0)
    return header + bytes([len(segments), *map(len, segments)]) + b"".join(segments)


@pytest.mark.parametrize(
    "pages",
    [
        [page(FRAME, FRAME, granule=HOUR)],
        [page(FRAME, FRAME.ljust(255, b"\0")), page(SHORT, flags=1, granule=HOUR)],
        [page(FRAME), page(FRAME, granule=HOUR)],
        [page(FRAME, b"", FRAME, granule=HOUR)],
    ],
    ids=["one page", "a packet on two pages", "a page without a time", "an empty packet"],
)
def test_where_the_clock_starts(tmp_path: Path, pages: list[bytes]) -> None:
    """Two packets before the first time that a page tells: it started 1,920 samples earlier."""
    path = tmp_path / "voice.ogg"
    last = page(FRAME, flags=4, granule=HOUR - 1920 + 2 * 48_000)
    path.write_bytes(raw.ogg_page(HEAD) + raw.ogg_page(b"OpusTags", flags=0) + b"".join(pages) + last)
    verdict = inspect_file(path)
    assert verdict.label == "Ogg Opus audio, 0:02, mono"
    (notice,) = verdict.notices
    assert notice.code == "starts_late"
    assert "Its clock starts at 1:00:00" in notice.detail
    with Content(path) as content:
        (clock,) = _clocks(content, through=True)
    assert (clock.began, clock.samples) == (HOUR - 1920, 2 * 48_000)
