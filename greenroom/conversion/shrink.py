"""The best JPEG, PNG or WebP that is within a size: quality first, then pixels."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any, Final

from PIL import Image

from greenroom.conversion import limits
from greenroom.conversion.deadline import Deadline
from greenroom.conversion.job import Draft
from greenroom.errors import CannotFix
from greenroom.figures import human_size
from greenroom.rules import size_limit

_LEAST_STEP: Final = 0.9
_SMALLEST_SIDE: Final = 320
_LIMIT: Final = size_limit("image/jpeg")

Encode = Callable[[int], bytes]


def packed(image: Image.Image, form: str, **options: Any) -> bytes:
    """The file that Pillow writes."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def best_within(encode: Encode, limit: int, *, best: int, worst: int, deadline: Deadline) -> bytes | None:
    """The file of the highest quality that is within the limit, or None where the worst is not.

    Args:
        encode: a quality to a file; higher is larger, if not strictly so.
        limit: bytes.
        best: quality beyond which nobody sees a difference.
        worst: quality that is not gone below.
        deadline: asked before each try.
    """
    found = None
    low, high = worst, best
    tried = best  # most files fit at once
    while low <= high:
        deadline.check()
        data = encode(tried)
        if len(data) <= limit:
            found, low = data, tried + 1
        else:
            high = tried - 1
        tried = (low + high) // 2
    return found


def as_jpeg(
    image: Image.Image, profile: bytes | None, deadline: Deadline, *, limit: int = _LIMIT, **first: Any
) -> tuple[bytes, tuple[str, ...]]:
    """A JPEG within the limit, and what that took.

    Args:
        image: RGB.
        profile: its ICC profile, or None.
        deadline: asked before each try.
        limit: bytes.
        first: options to try before all others, such as the original's own quality.

    Raises:
        CannotFix: at the floor of quality it would be smaller than a thumbnail.
    """
    if first and len(data := packed(image, "JPEG", icc_profile=profile, optimize=True, **first)) <= limit:
        return data, ()
    full = image.size
    while True:
        data_ = best_within(
            lambda quality: packed(image, "JPEG", quality=quality, icc_profile=profile, optimize=True),  # noqa: B023 - called within this round
            limit,
            best=limits.BEST_JPEG,
            worst=limits.WORST_JPEG,
            deadline=deadline,
        )
        if data_ is not None:
            return data_, _scaled_step(full, image.size)
        worst = len(packed(image, "JPEG", quality=limits.WORST_JPEG, icc_profile=profile, optimize=True))
        image = _smaller(image, worst, limit)


def as_png(
    image: Image.Image, profile: bytes | None, deadline: Deadline, *, limit: int = _LIMIT
) -> tuple[bytes, tuple[str, ...]]:
    """A PNG within the limit, with fewer pixels if need be.

    Raises:
        CannotFix: it would be smaller than a thumbnail.
    """
    full = image.size
    while True:
        deadline.check()
        data = packed(image, "PNG", icc_profile=profile, optimize=True)
        if len(data) <= limit:
            return data, _scaled_step(full, image.size)
        image = _smaller(image, len(data), limit)


def as_still_image(
    image: Image.Image, profile: bytes | None, deadline: Deadline, *, png: bool, **first: Any
) -> tuple[bytes, Draft]:
    """A JPEG or a PNG within the provider's limit: PNG where it is wanted and fits, or is transparent.

    Args:
        image: RGB or RGBA.
        profile: its ICC profile, or None.
        deadline: asked before each try.
        png: whether PNG is wanted.
        first: options for JPEG, see :func:`as_jpeg`.
    """
    if image.mode == "RGBA":
        data, steps = as_png(image, profile, deadline)
        return data, Draft(mime_type="image/png", steps=steps)
    if png:
        deadline.check()
        data = packed(image, "PNG", icc_profile=profile, optimize=True)
        if len(data) <= _LIMIT:
            return data, Draft(mime_type="image/png", steps=())
        data, steps = as_jpeg(image, profile, deadline)
        steps = ("Saved as JPEG, since as PNG it would be over the limit.", *steps)
        return data, Draft(mime_type="image/jpeg", steps=steps)
    data, steps = as_jpeg(image, profile, deadline, **first)
    return data, Draft(mime_type="image/jpeg", steps=steps)


def _smaller(image: Image.Image, size: int, limit: int) -> Image.Image:
    """The image with as many fewer pixels as bytes are too many."""
    scale = min(_LEAST_STEP, math.sqrt(limit / size) * limits.FILL)
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    if max(width, height) < _SMALLEST_SIDE:
        raise CannotFix(
            f"Brought under {human_size(limit)}, this image would be {width} x {height} pixels or less, "
            "too small to look at. Save it with less detail."
        )
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _scaled_step(full: tuple[int, int], now: tuple[int, int]) -> tuple[str, ...]:
    if full == now:
        return ()
    return (f"Scaled down from {full[0]} x {full[1]} to {now[0]} x {now[1]} pixels.",)
