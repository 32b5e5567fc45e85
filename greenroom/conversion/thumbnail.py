"""A small picture of an image, for a report; made in a process of its own, as all of strangers' files are."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import ImageOps

from greenroom.conversion.downscale import bounded
from greenroom.conversion.image_reader import open_image, readable

#: Pixels of a side; twice what a page shows, for screens that have two for one.
SIDE: Final = 128
#: WebP's own figure; a picture of that size takes two or three KB.
QUALITY: Final = 60


def thumbnail(path: Path) -> bytes:
    """The image in WebP, upright, with no more than :data:`SIDE` pixels on either side.

    Raises:
        CannotFix: it cannot be read, or is too large.
        OSError: its disk failed.
    """
    with open_image(path) as (image, _), readable():
        small, _steps = bounded(image)
        small = ImageOps.exif_transpose(small)
        small = small.convert("RGBA" if small.has_transparency_data else "RGB")
        small.thumbnail((SIDE, SIDE))
        written = BytesIO()
        # Nothing else of the file goes along: no place where it was taken, no profile.
        small.save(written, "WEBP", quality=QUALITY, exif=b"", icc_profile=None, xmp=b"")
    return written.getvalue()
