"""Opening an image with Pillow, within bounds, and saying what goes wrong in our own words."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from greenroom.conversion import limits
from greenroom.errors import CannotFix
from greenroom.rules import MIB

#: Pillow's readers that are let near a stranger's file. Left out are those that start other programs (EPS) or
#: that nobody sends.
_FORMATS: Final = (
    "JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP", "DIB", "ICO", "JPEG2000", "PPM", "TGA", "PSD",
    "PCX", "QOI",
)  # fmt: skip
#: What Pillow raises for images that are cut short or make no sense.
IMAGE_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
)
#: Pillow's formats that may hold images which follow one another in time.
MOVING: Final = frozenset({"GIF", "WEBP", "AVIF"})
#: Formats whose decoders hold the whole image several times over.
_AT_ONCE: Final = frozenset({"WEBP", "AVIF", "JPEG2000"})
#: Bytes of a pixel in memory, by Pillow's mode; of all others four.
_BYTES: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
_TOO_MUCH: Final = (
    f"Fixing this image takes more than {limits.MOST_MEMORY // MIB} MB of memory. Save it smaller."
)
_BROKEN: Final = "This image cannot be read: it is damaged, cut short or of a rare kind. Export it again."


@contextmanager
def readable() -> Iterator[None]:
    """What Pillow raises inside becomes :class:`CannotFix`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # we have bounds of our own, and oddities in tags don't matter
            yield
    except CannotFix:
        raise
    except UnidentifiedImageError as error:
        raise CannotFix(
            "Greenroom cannot read this type of image. Save it as JPEG or PNG with the program that made it."
        ) from error
    except Image.DecompressionBombError as error:
        raise CannotFix(
            f"This image unpacks to more than {limits.MAX_ORIGINAL_PIXELS / 1e6:,.0f} megapixels, which "
            "fixing does not take on. Save it smaller; phones show a tenth of that."
        ) from error
    except MemoryError as error:
        raise CannotFix(_TOO_MUCH) from error
    except IMAGE_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the image's
        raise CannotFix(_BROKEN) from error


def _most_pixels(image: Image.Image) -> int:
    """Pixels that an image of this kind may have."""
    if image.format in _AT_ONCE:
        return min(limits.MAX_ORIGINAL_PIXELS, limits.MOST_PIXELS_AT_ONCE)
    return min(limits.MAX_ORIGINAL_PIXELS, limits.MOST_UNPACKED // _BYTES.get(image.mode, 4))


@contextmanager
def open_image(path: Path) -> Iterator[tuple[Image.Image, tuple[str, ...]]]:
    """The image, not yet unpacked, and the step that says so if it will be smaller than it was.

    Raises:
        CannotFix: it cannot be read, here or while the caller works on it, or is too large.
    """
    with readable(), Image.open(path, formats=_FORMATS) as image:
        yield image, _bound(image)


def _bound(image: Image.Image) -> tuple[str, ...]:
    width, height = image.size
    most = _most_pixels(image)
    if image.format in ("JPEG", "MPO") and width * height > limits.WORKED_WITH:
        # The decoder leaves out detail: it never holds more than a half, a quarter, an eighth of each side.
        scale = next((n for n in (2, 4, 8) if width * height // n**2 <= limits.WORKED_WITH), 8)
        image.draft(image.mode, (max(1, width // scale), max(1, height // scale)))
    if image.width * image.height > most:
        raise CannotFix(
            f"This image unpacks to {width:,} x {height:,} pixels "
            f"({width * height / 1e6:,.0f} megapixels); fixing takes on {most / 1e6:,.0f}. "
            "Save it smaller; phones show a tenth of that."
        )
    if image.size == (width, height):
        return ()
    return (f"Scaled down from {width} x {height} to {image.width} x {image.height} pixels.",)
