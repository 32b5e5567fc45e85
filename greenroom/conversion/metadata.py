"""What an image carries besides its pixels: which way up it is, and what the camera noted."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageOps

from greenroom.conversion.image_reader import IMAGE_ERRORS

_ORIENTATION: Final = 0x0112
_GPS: Final = 0x8825
#: Tags that say how the file is laid out, not what the camera saw: TIFF keeps all of them in its EXIF.
_PRIVATE: Final = (0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x8769, 0x9286)


def upright(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The image as its EXIF orientation wants it to be seen, and the step that says so."""
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
        turned = ImageOps.exif_transpose(image)
    except IMAGE_ERRORS:
        return image, ()  # a damaged EXIF block is ignored by every viewer
    if turn not in range(2, 9):
        return image, ()
    return turned, (f"Turned the pixels upright (EXIF orientation {turn}) and removed the mark.",)


def farewell(image: Image.Image) -> tuple[str, ...]:
    """A step that says what private notes are not carried over, if there are any."""
    try:
        exif = image.getexif()
        if exif.get_ifd(_GPS):
            return ("Removed the place where the image was taken and the camera's other notes.",)
        noted = any(tag in exif for tag in _PRIVATE)
    except IMAGE_ERRORS:
        noted = True
    if noted or image.info.get("xmp") or (image.format == "JPEG" and image.info.get("comment")):
        return ("Removed the notes of the camera or the program that made it.",)
    return ()
