"""WebP stickers: size, whether they move, and whether the file is whole.

Source of the layout: Google, "WebP Container Specification". Source of 512 x 512: Meta's page on stickers,
see ``reference/beyond-the-page.md``; it is a warning, since the provider's page does not ask for it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.raster import MAX_IMAGE_PIXELS
from greenroom.reasons import Reason
from greenroom.verdict import Notice

_RIFF_HEADER: Final = 12
_CHUNK_HEADER: Final = 8
_ANMF_HEADER: Final = 16
_ANIMATION_FLAG: Final = 0x02
_STICKER_SIDE: Final = 512
_VP8_START: Final = b"\x9d\x01\x2a"
_VP8L_START: Final = 0x2F
#: Chunks that are looked at, those inside of frames among them: a moving sticker of a minute has 4,000.
_MOST_CHUNKS: Final = 10_000
_CUT_SHORT: Final = "This WebP sticker is cut short: it has less data than its header says."
_CONTRADICTION: Final = "This WebP sticker is damaged: the sizes of its parts contradict each other."


@dataclass(slots=True)
class _Facts:
    """What the chunks say.

    Attributes:
        canvas: width and height in the header of the extended layout, or None.
        flagged: whether that header says that the sticker moves.
        announced: whether the chunk is there that comes before moving images.
        image: width and height of an image that is no frame, or None.
        frames: frames that hold an image.
        outside: whether a frame does not fit into the canvas.
    """

    canvas: tuple[int, int] | None = None
    flagged: bool = False
    announced: bool = False
    image: tuple[int, int] | None = None
    frames: int = 0
    outside: bool = False


def examine(content: Content) -> Finding:
    """Judge a file that starts with a WebP signature.

    Raises:
        Damaged: it has less data than its header says, or no image, or frames that no program shows.
    """
    (declared,) = struct.unpack_from("<I", content.head, 4)
    if declared + 8 > content.size:
        raise Damaged(_CUT_SHORT)
    facts = _read(content, declared + 8)
    size = facts.canvas or facts.image
    if size is None or (facts.image is None and facts.frames == 0):
        raise Damaged("This WebP sticker is damaged: there is no image data in it.")
    if facts.image is None and not (facts.flagged and facts.announced):
        raise Damaged("This WebP sticker is damaged: it holds frames that it does not announce.")
    if facts.image is None and facts.outside:
        raise Damaged("This WebP sticker is damaged: not all of its images fit into its frame.")
    return _judge(facts, *size)


def _judge(facts: _Facts, width: int, height: int) -> Finding:
    animated = facts.frames > 1  # the flag alone moves nothing
    label = f"WebP sticker, {width} x {height}" + (", animated" if animated else "")
    if width * height > MAX_IMAGE_PIXELS:
        return Finding(
            label=label,
            mime_type="image/webp",
            reason=Reason.TOO_LARGE,
            detail=f"This WebP sticker unpacks to {width:,} x {height:,} pixels; stickers are 512 x 512.",
            animated=animated,
        )
    return Finding(
        label=label,
        mime_type="image/webp",
        animated=animated,
        notices=tuple(_notices(facts, width, height)),
    )


def _notices(facts: _Facts, width: int, height: int) -> Iterator[Notice]:
    if (width, height) != (_STICKER_SIDE, _STICKER_SIDE):
        detail = f"This sticker is {width} x {height} pixels; WhatsApp wants stickers of exactly 512 x 512."
        yield Notice(code="sticker_dimensions", detail=detail)
    says = None
    if facts.image is not None and (facts.flagged or facts.announced or facts.frames):
        says = "that it moves, and it has a still image"
    elif facts.image is not None and facts.image != (width, height):
        says = f"{width} x {height} pixels, and its image has {facts.image[0]} x {facts.image[1]}"
    if says is not None:
        detail = f"The header of this sticker says {says}; many programs do not show it. Save it again."
        yield Notice(code="header_disagrees", detail=detail)


def _chunks(content: Content, start: int, end: int, left: Iterator[int]) -> Iterator[tuple[bytes, int, int]]:
    """The chunks of a part of the file, until none is ``left`` of those that are looked at in all."""
    for _ in left:
        header = content.read(start, _CHUNK_HEADER)
        if start + _CHUNK_HEADER > end or len(header) < _CHUNK_HEADER:
            return
        kind, length = struct.unpack("<4sI", header)
        start += _CHUNK_HEADER
        if start + length > end:
            raise Damaged(_CUT_SHORT if start + length > content.size else _CONTRADICTION)
        yield kind, start, length
        start += length + (length & 1)


def _read(content: Content, end: int) -> _Facts:
    facts = _Facts()
    left = iter(range(_MOST_CHUNKS))
    for kind, start, length in _chunks(content, _RIFF_HEADER, end, left):
        if kind == b"VP8X":
            header = content.read(start, 10).ljust(10, b"\0")
            facts.flagged = bool(header[0] & _ANIMATION_FLAG)
            facts.canvas = _uint24(header, 4) + 1, _uint24(header, 7) + 1
        elif kind == b"ANIM":
            facts.announced = True
        elif kind in _IMAGES and facts.image is None:
            facts.image = _IMAGES[kind](content.read(start, 10))
        elif kind == b"ANMF" and _holds_image(content, start, length, left):
            facts.frames += 1
            facts.outside = facts.outside or not _fits(content.read(start, 12), facts.canvas)
    return facts


def _holds_image(content: Content, start: int, length: int, left: Iterator[int]) -> bool:
    """Whether there is an image in an animation frame."""
    inside = _chunks(content, start + _ANMF_HEADER, start + length, left)
    return any(kind in _IMAGES and _IMAGES[kind](content.read(at, 10)) for kind, at, _ in inside)


def _fits(header: bytes, canvas: tuple[int, int] | None) -> bool:
    """Whether an animation frame lies within the canvas; its place is given in pairs of pixels."""
    left, top, width, height = (_uint24(header, at) for at in (0, 3, 6, 9))
    return canvas is not None and 2 * left + width + 1 <= canvas[0] and 2 * top + height + 1 <= canvas[1]


def _uint24(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 3], "little")


def _lossy(data: bytes) -> tuple[int, int]:
    """Width and height in a VP8 key frame (RFC 6386, section 9.1)."""
    if len(data) < 10 or data[3:6] != _VP8_START or data[0] & 1:  # noqa: PLR2004 - the header's own length
        raise Damaged("This WebP sticker is damaged: its image has no valid start.")
    width, height = struct.unpack_from("<HH", data, 6)
    return width & 0x3FFF, height & 0x3FFF


def _lossless(data: bytes) -> tuple[int, int]:
    """Width and height in a VP8L header (WebP Lossless Bitstream Specification, section 3)."""
    if len(data) < 5 or data[0] != _VP8L_START:  # noqa: PLR2004 - the header's own length
        raise Damaged("This WebP sticker is damaged: its image has no valid start.")
    (bits,) = struct.unpack_from("<I", data, 1)
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


_IMAGES: Final = {b"VP8 ": _lossy, b"VP8L": _lossless}
