"""Small pictures are made in a process of their own, and of what cannot be shown there is none."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from greenroom.conversion.thumbnail import SIDE
from greenroom.isolation.process_pool import ProcessPool
from greenroom.isolation.protocol import (
    LARGEST_THUMBNAIL,
    InspectOrder,
    ThumbnailOrder,
    read_orders,
    read_thumbnail,
    write_orders,
    write_thumbnail,
)


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    """One that ends with the test."""
    with closing(ProcessPool()) as processes:
        yield processes


def saved(image: Image.Image, kind: str, **more: object) -> bytes:
    """An image's file."""
    file = BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def turned() -> bytes:
    """A wide image that viewers show upright, with a place in its EXIF."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "taken-at-home"
    return saved(Image.new("RGB", (400, 200), "teal"), "JPEG", exif=exif)


def bomb() -> bytes:
    """A PNG of 60,000 pixels a side, in a few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("make", "size", "mode"),
    [
        (turned, (SIDE // 2, SIDE), "RGB"),
        (lambda: saved(Image.new("RGBA", (64, 32), (9, 9, 9, 0)), "PNG"), (64, 32), "RGBA"),
        (lambda: saved(Image.new("CMYK", (512, 512)), "JPEG"), (SIDE, SIDE), "RGB"),
        (lambda: saved(Image.new("P", (300, 100)), "GIF"), (SIDE, 43), "RGB"),
        (lambda: saved(Image.new("I;16", (300, 100)), "PNG"), (SIDE, 43), "RGB"),
    ],
    ids=["turned", "transparent", "for print", "with a palette", "of 16 bits"],
)
def test_an_image_becomes_small(
    pool: ProcessPool, tmp_path: Path, make: Callable[[], bytes], size: tuple[int, int], mode: str
) -> None:
    """Upright, in WebP, and with nothing else of the file."""
    (tmp_path / "image").write_bytes(make())
    small = pool.thumbnail(ThumbnailOrder(path=tmp_path / "image"))
    with Image.open(BytesIO(small)) as image:
        assert (image.format, image.size, image.mode) == ("WEBP", size, mode)
        assert not image.getexif()
    assert b"taken-at-home" not in small
    assert len(small) < LARGEST_THUMBNAIL


@pytest.mark.parametrize(
    "content",
    [b"", b"no image", turned()[:300], bomb(), b"<svg xmlns='http://www.w3.org/2000/svg'/>"],
    ids=["nothing", "text", "cut short", "a bomb", "a drawing"],
)
def test_of_what_cannot_be_shown_there_is_none(pool: ProcessPool, tmp_path: Path, content: bytes) -> None:
    """And the process goes on to the next."""
    (tmp_path / "file").write_bytes(content)
    assert pool.thumbnail(ThumbnailOrder(path=tmp_path / "file")) == b""
    assert pool.thumbnail(ThumbnailOrder(path=tmp_path / "missing")) == b""


def test_a_process_that_talks_nonsense_is_not_believed() -> None:
    """What a page shows is an image of the one sort that is asked for."""
    assert read_thumbnail(write_thumbnail(b"RIFF....WEBP")) == b"RIFF....WEBP"
    assert read_thumbnail(write_thumbnail(b"")) == b""
    for line in (b"PHN2Zz4=\n", b"%%%\n", write_thumbnail(b"RIFF" + bytes(LARGEST_THUMBNAIL))):
        with pytest.raises(ValueError, match=r".+"):
            read_thumbnail(line)


def test_an_order_arrives_as_it_was_given(tmp_path: Path) -> None:
    """Beside those that ask for verdicts."""
    orders = [InspectOrder(path=tmp_path), ThumbnailOrder(path=tmp_path, name="a")]
    assert read_orders(write_orders(orders)) == orders
