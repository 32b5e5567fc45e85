"""What JPEG and PNG have in common: the provider's colour rule and the guard against pixel bombs."""

from __future__ import annotations

from typing import Final

from greenroom.inspection.finding import Damaged, Finding
from greenroom.reasons import Reason
from greenroom.verdict import Notice

#: Pixels beyond which an image is a decompression bomb, not an image: the bound at which Pillow refuses to
#: decode (twice its MAX_IMAGE_PIXELS). The provider's page has no such limit; this one protects phones.
MAX_IMAGE_PIXELS: Final = 178_956_970

RULE: Final = "WhatsApp takes 8-bit RGB or RGBA images only"


def judge_image(
    *,
    name: str,
    mime_type: str,
    width: int,
    height: int,
    colour: str | None,
    notices: tuple[Notice, ...] = (),
) -> Finding:
    """A finding on an image whose header was read.

    Args:
        name: ``"JPEG image"``, for the label.
        mime_type: the row of the provider's table.
        width: pixels.
        height: pixels.
        colour: what its colours are, if the provider's page does not allow them, otherwise None. "Images
            must be 8-bit, RGB or RGBA" is read literally: greyscale and palette images are neither.
        notices: worth knowing.
    """
    if width == 0 or height == 0:
        raise Damaged(f"This {name} says that it is {width} x {height} pixels large; its header is damaged.")
    reason, detail = None, ""
    if colour is not None:
        reason, detail = Reason.COLOUR_NOT_SUPPORTED, f"This {name} is {colour}; {RULE}."
    elif width * height > MAX_IMAGE_PIXELS:
        reason = Reason.TOO_LARGE
        detail = (
            f"This {name} unpacks to {width:,} x {height:,} pixels ({width * height / 1e6:,.0f} megapixels); "
            f"no phone can show more than {MAX_IMAGE_PIXELS / 1e6:,.0f} megapixels."
        )
    return Finding(
        label=f"{name}, {width} x {height}" + (f", {colour}" if colour else ""),
        mime_type=mime_type,
        reason=reason,
        detail=detail,
        notices=notices,
    )
