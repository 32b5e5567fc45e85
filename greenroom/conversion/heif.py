"""HEIC photos, decoded by FFmpeg's HEVC decoder tile by tile and put together with Pillow."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from PIL import Image, ImageOps

from greenroom.conversion import limits, metadata
from greenroom.conversion.deadline import Deadline
from greenroom.conversion.heif_boxes import Photo, read_photo
from greenroom.errors import CannotFix
from greenroom.figures import human_size
from greenroom.rules import MIB

#: Bytes of a HEIC photo; they are read at once.
_LARGEST: Final = 100 * MIB


def decoded(path: Path, deadline: Deadline) -> tuple[Image.Image, tuple[str, ...]]:
    """The photo, upright, with its ICC profile in ``info``, and what was done.

    Raises:
        CannotFix: it is damaged, too large, or not coded in HEVC.
    """
    if (size := path.stat().st_size) > _LARGEST:
        raise CannotFix(f"This HEIC image is {human_size(size)}, larger than any photo. Save it as JPEG.")
    photo = read_photo(path.read_bytes())
    if photo.width * photo.height > limits.MAX_ORIGINAL_PIXELS:
        raise CannotFix(
            f"This HEIC image unpacks to {photo.width:,} x {photo.height:,} pixels; "
            f"fixing takes on {limits.MAX_ORIGINAL_PIXELS / 1e6:,.0f} megapixels."
        )
    try:
        image = _assembled(photo, deadline)
    except (av.FFmpegError, ValueError) as error:
        raise CannotFix("This HEIC image is damaged. Export it again, or save it as JPEG.") from error
    if photo.profile is not None:
        image.info["icc_profile"] = photo.profile
    turn = ("Turned the pixels upright.",) if photo.turns or photo.mirror else ()
    return image, (*turn, *_farewell(photo))


def _farewell(photo: Photo) -> tuple[str, ...]:
    notes = Image.new("RGB", (1, 1))
    notes.info["exif"] = b"Exif\0\0" + photo.exif.removeprefix(b"Exif\0\0")
    return metadata.farewell(notes) if photo.exif else ()


def _assembled(photo: Photo, deadline: Deadline) -> Image.Image:
    # Each tile is brought down by itself where the whole would be more than is worked with.
    pixels = photo.width * photo.height
    factor = next(n for n in (1, 2, 4, 8) if n == 8 or pixels <= limits.WORKED_WITH * n * n)  # noqa: PLR2004 - the last
    canvas = Image.new("RGB", (-(-photo.width // factor), -(-photo.height // factor)))
    for number, data in enumerate(photo.tiles):
        deadline.check()
        tile = _tile(photo.setup, data)
        tile = tile.reduce(factor) if factor > 1 else tile
        row, column = divmod(number, photo.columns)
        # All tiles are of one size; the last of a row or column may reach over the edge.
        canvas.paste(tile, (column * tile.width, row * tile.height))
    if photo.turns:
        canvas = canvas.rotate(90 * photo.turns, expand=True)
    if photo.mirror == "horizontal":
        canvas = ImageOps.mirror(canvas)
    elif photo.mirror == "vertical":
        canvas = ImageOps.flip(canvas)
    return canvas


def _tile(setup: bytes, data: bytes) -> Image.Image:
    decoder: Any = av.CodecContext.create("hevc", "r")
    decoder.extradata = setup
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(limits.MAX_ORIGINAL_PIXELS)}
    packet = av.Packet(data)
    packet.pts, packet.time_base = 0, Fraction(1, 25)
    frames = [*decoder.decode(packet), *decoder.decode(None)]
    if not frames or frames[0].is_corrupt or frames[0].width * frames[0].height > limits.MAX_ORIGINAL_PIXELS:
        raise ValueError("no image in a tile")
    image: Image.Image = frames[0].to_image()
    return image
