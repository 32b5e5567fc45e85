"""Fewer pixels before anything else is done: what phones show, in the memory that one file may take."""

from __future__ import annotations

from typing import Final

from PIL import Image

from greenroom.conversion import limits
from greenroom.conversion.image_reader import IMAGE_ERRORS

#: Rows that are brought down at a time.
_ROWS: Final = 1024
#: What Pillow can bring down stays as it is; other modes become one that it can.
_REDUCIBLE: Final[dict[str, str]] = {"1": "L", "P": "RGB", "PA": "RGBA", "La": "RGBA", "RGBa": "RGBA"}


def bounded(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The image with no more pixels than are worked with, and the step that says so.

    Strip by strip, so that the whole is never held twice.

    Args:
        image: unpacked.
    """
    if image.width * image.height <= limits.WORKED_WITH:
        return image, ()
    factor = next(n for n in range(2, 99) if image.width * image.height <= limits.WORKED_WITH * n * n)
    mode = _mode(image)
    small = Image.new(mode, (-(-image.width // factor), -(-image.height // factor)))
    for top in range(0, image.height, _ROWS * factor):
        strip = image.crop((0, top, image.width, min(image.height, top + _ROWS * factor)))
        strip.info = {key: image.info[key] for key in ("transparency",) if key in image.info}
        small.paste(strip.convert(mode).reduce(factor), (0, top // factor))
    small.info = {key: value for key, value in image.info.items() if key != "transparency"}
    small.format = image.format
    try:
        small.info["exif"] = image.getexif().tobytes()
    except IMAGE_ERRORS:
        small.info.pop("exif", None)  # a damaged EXIF block is ignored by every viewer
    step = f"Scaled down from {image.width} x {image.height} to {small.width} x {small.height} pixels."
    return small, (step,)


def _mode(image: Image.Image) -> str:
    if image.mode.startswith("I;16"):
        return "I"
    if image.has_transparency_data and image.mode in ("P", "RGB"):
        return "RGBA"
    return _REDUCIBLE.get(image.mode, image.mode)
