"""Stickers: WebP of 512 x 512 pixels, nothing cut off; still ones under 100 KB, moving ones under 500."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from PIL import Image

from greenroom.conversion import limits
from greenroom.conversion.animation import seconds_of
from greenroom.conversion.colour import Coloured
from greenroom.conversion.job import ConversionJob, Draft
from greenroom.conversion.shrink import best_within, packed
from greenroom.errors import CannotFix
from greenroom.figures import human_size
from greenroom.rules import size_limit

_SIDE: Final = 512
#: Detail is taken away by drawing the image small and enlarging it again: blurred beats blocky.
_SOFTER: Final = (1.0, 0.7, 0.5, 0.35)
#: Images of an animation that are left out: none, every second, two of three.
_THINNER: Final = (1, 2, 3)
_METHOD: Final = 4


def still_sticker(job: ConversionJob, coloured: Coloured) -> Draft:
    """A still sticker."""
    limit = size_limit("image/webp")
    sticker, steps = _squared(coloured.image)
    for share in _SOFTER:
        softer = _softened(sticker, share)
        data = best_within(
            lambda quality: packed(softer, "WEBP", quality=quality, method=_METHOD),  # noqa: B023 - called within this round
            limit,
            best=limits.BEST_STICKER,
            worst=limits.WORST_STICKER,
            deadline=job.deadline,
        )
        if data is not None:
            return _draft(job, data, (*coloured.steps, *steps, *_softer_step(share)))
    raise CannotFix(f"This sticker has too much detail for {human_size(limit)}. Draw it simpler.")


def animated_sticker(job: ConversionJob, image: Image.Image) -> Draft:
    """A moving sticker; every frame keeps its time."""
    limit = size_limit("image/webp", animated=True)
    frames, times, steps = _frames(job, image)
    for every in _THINNER:
        kept = frames[::every]
        lasting = [sum(times[at : at + every]) for at in range(0, len(times), every)]
        data = best_within(
            lambda quality: _packed(kept, lasting, quality),  # noqa: B023 - called within this round
            limit,
            best=limits.BEST_STICKER,
            worst=limits.WORST_STICKER,
            deadline=job.deadline,
        )
        if data is not None:
            if every > 1:
                steps = (
                    *steps,
                    f"Kept {len(kept)} of its {len(frames)} frames; it is as long as before.",
                )
            return _draft(job, data, steps)
    raise CannotFix(
        f"This sticker moves too much for {human_size(limit)}: {len(frames)} frames. Make it shorter."
    )


def _frames(job: ConversionJob, image: Image.Image) -> tuple[list[Image.Image], list[int], tuple[str, ...]]:
    """Every frame as a sticker, its milliseconds, and what was done."""
    count: int = getattr(image, "n_frames", 1)
    if count > limits.MAX_STICKER_FRAMES:
        raise CannotFix(
            f"This animation has {count} frames; fixing makes stickers of up to "
            f"{limits.MAX_STICKER_FRAMES}. Make it shorter."
        )
    frames, times = [], []
    steps: tuple[str, ...] = ()
    for number in range(count):
        job.deadline.check()
        image.seek(number)
        sticker, steps = _squared(image.convert("RGBA"))
        frames.append(sticker)
        times.append(round(seconds_of(image) * 1000))
    if image.format != "WEBP":
        steps = (*steps, f"Saved as WebP instead of {image.format}.")
    return frames, times, steps


def _squared(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The image as large as fits into 512 x 512, in the middle, with nothing around it."""
    if image.size == (_SIDE, _SIDE):
        return image.copy(), ()
    scale = _SIDE / max(image.size)
    inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    fitted = image.resize(inner, Image.Resampling.LANCZOS)
    step = f"Brought from {image.width} x {image.height} to 512 x 512 pixels"
    if inner == (_SIDE, _SIDE):
        return fitted, (f"{step}.",)
    square = Image.new("RGBA", (_SIDE, _SIDE))
    square.paste(fitted, ((_SIDE - inner[0]) // 2, (_SIDE - inner[1]) // 2))
    return square, (f"{step}, with transparent edges.",)


def _softened(image: Image.Image, share: float) -> Image.Image:
    if share == 1:
        return image
    small = image.resize((round(_SIDE * share), round(_SIDE * share)), Image.Resampling.LANCZOS)
    return small.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)


def _softer_step(share: float) -> tuple[str, ...]:
    return () if share == 1 else ("Took away fine detail, which would not fit.",)


def _packed(frames: Sequence[Image.Image], times: Sequence[int], quality: int) -> bytes:
    out = io.BytesIO()
    first, *others = frames
    first.save(
        out,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=list(times),
        loop=0,
        quality=quality,
        method=_METHOD,
        allow_mixed=True,
    )
    return out.getvalue()


def _draft(job: ConversionJob, data: bytes, steps: tuple[str, ...]) -> Draft:
    if len(data) < job.verdict.size or not steps:
        steps = (*steps, f"Packed anew: {human_size(job.verdict.size)} became {human_size(len(data))}.")
    return Draft(mime_type="image/webp", steps=steps, data=data)
