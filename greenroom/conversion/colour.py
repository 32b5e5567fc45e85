"""Colours to 8-bit RGB or RGBA, through the image's own colour profile where it has one that fits."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageCms

_MODES: Final[dict[str, str]] = {
    "1": "black and white",
    "L": "greyscale",
    "LA": "greyscale",
    "La": "greyscale",
    "P": "a palette",
    "PA": "a palette",
    "CMYK": "CMYK (for print)",
    "YCbCr": "YCbCr",
    "LAB": "Lab",
    "HSV": "HSV",
    "I": "16-bit greyscale",
    "F": "floating-point greyscale",
}
#: What an ICC profile calls the colours of Pillow's modes.
_SPACES: Final[dict[str, str]] = {"CMYK": "CMYK", "L": "GRAY", "LAB": "Lab", "RGB": "RGB", "RGBA": "RGB"}
_SIXTEEN_BITS: Final = 65_535
_OPAQUE: Final = 255


@dataclass(frozen=True, kw_only=True)
class Coloured:
    """An image in RGB or RGBA that carries nothing but its pixels.

    Attributes:
        image: without any tags.
        profile: the ICC profile that still describes it, or None.
        steps: what was done.
    """

    image: Image.Image
    profile: bytes | None
    steps: tuple[str, ...]


def to_rgb(image: Image.Image, name: str | None) -> Coloured:
    """The image in 8-bit RGB, or RGBA where any of it is transparent.

    Args:
        image: unpacked.
        name: what :func:`described` said of it.
    """
    profile: bytes | None = image.info.get("icc_profile") or None
    steps = []
    if image.mode in ("RGB", "RGBA") and name is None:
        colours = image.convert("RGBA") if image.has_transparency_data else image
    else:
        colours, used = _converted(image, profile)
        profile = None if image.mode not in ("RGB", "RGBA") else profile
        how = " through its colour profile" if used else ""
        how = how or ("; it has no colour profile, so check its colours" if image.mode == "CMYK" else "")
        colours = _without_idle_alpha(colours)
        steps.append(f"Converted from {name or image.mode} to 8-bit {colours.mode}{how}.")
    return Coloured(image=_bare(_without_idle_alpha(colours)), profile=profile, steps=tuple(steps))


def described(image: Image.Image) -> str | None:
    """What its colours are called, or None of 8-bit RGB and RGBA; to be asked before it is unpacked."""
    if image.mode in ("RGB", "RGBA"):
        return f"16-bit {image.mode}" if ";16" in str(getattr(image, "tile", "")) else None
    return "16-bit greyscale" if image.mode.startswith("I;16") else _MODES.get(image.mode, image.mode)


def _converted(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bool]:
    """RGB or RGBA, and whether a colour profile told how."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if profile is not None and not image.has_transparency_data:
        through = _through_profile(image, profile)
        if through is not None:
            return through, True
    return image.convert("RGBA" if image.has_transparency_data else "RGB"), False


def _eight_bits(image: Image.Image) -> Image.Image:
    """Greyscale of more bits: 8 or 16 bits by their range, anything wider by what is in it."""
    deep = image if image.mode in ("I", "F") else image.convert("I")
    low, high = deep.getextrema()
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        raise TypeError("an image of one band has one minimum and one maximum")
    if deep.mode == "I" and low >= 0 and high <= _SIXTEEN_BITS:
        # 32 bits that hold no more than 8 come from programs that only widened them.
        low, high = 0, _OPAQUE if image.mode == "I" and high <= _OPAQUE else _SIXTEEN_BITS
    scale = 255.0 / (high - low) if high > low else 1.0
    offset = -low * scale
    return deep.point(lambda value: value * scale + offset).convert("L")


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Go to sRGB by way of the profile, or None where it is damaged or is about other colours."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES.get(image.mode):
            return None
        return ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB", inPlace=False
        )
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None


def _without_idle_alpha(image: Image.Image) -> Image.Image:
    """RGB where an alpha channel hides nothing."""
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == _OPAQUE:
        return image.convert("RGB")
    return image


def _bare(image: Image.Image) -> Image.Image:
    """The same pixels without what Pillow would write along: comments, places, dates."""
    bare = image.copy() if image.info else image
    bare.info = {}
    return bare
