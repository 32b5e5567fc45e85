"""Animations (GIF, animated WebP and AVIF) to a silent video."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av
from PIL import Image

from greenroom.conversion import limits
from greenroom.conversion.job import ConversionJob, Draft
from greenroom.conversion.video_encoder import ColourDescription, Frames, write_silent_video
from greenroom.conversion.video_plan import VideoPlan, plan_video
from greenroom.errors import CannotFix
from greenroom.figures import human_time

#: Browsers show frames that ask for a hundredth of a second or less for a tenth.
_LEAST_SECONDS: Final = 0.011
_USUAL_SECONDS: Final = 0.1
#: A GIF plays in a loop, a video once: a short one is repeated until it is worth looking at.
_WORTH_SECONDS: Final = 3.0
_MOST_TIMES: Final = 30


def seconds_of(image: Image.Image) -> float:
    """How long the frame that the animation stands at is shown."""
    seconds = float(image.info.get("duration") or 0) / 1000
    return seconds if seconds >= _LEAST_SECONDS else _USUAL_SECONDS


def to_video(job: ConversionJob, image: Image.Image) -> Draft:
    """An MP4 without audio."""
    count: int = getattr(image, "n_frames", 1)
    if count > limits.MAX_FRAMES:
        raise CannotFix(
            f"This animation has {count:,} frames; fixing takes on {limits.MAX_FRAMES:,}. Make it shorter."
        )
    seconds = 0.0
    for number in range(count):
        job.deadline.check()
        image.seek(number)
        image.load()
        seconds += seconds_of(image)
    times = _times(seconds)
    rate = min(limits.MOST_RATE, max(1.0, count / seconds))
    plan = plan_video(size=image.size, rate=rate, seconds=seconds * times, audio=False)
    write_silent_video(
        job, plan, ColourDescription(), lambda: _frames(job, image, plan, times), lasting=seconds_of(image)
    )
    steps = [
        f"Made an MP4 video of the {image.format} animation: {human_time(seconds * times)}, without audio."
    ]
    if times > 1:
        steps.append(f"Repeated it {times} times, since a video plays once and does not loop.")
    if plan.size != image.size:
        steps.append(f"Brought from {_size(image.size)} to {_size(plan.size)} pixels.")
    return Draft(mime_type="video/mp4", steps=tuple(steps))


def _times(seconds: float) -> int:
    if seconds >= _WORTH_SECONDS:
        return 1
    return min(_MOST_TIMES, int(_WORTH_SECONDS / seconds) + 1)


def _frames(job: ConversionJob, image: Image.Image, plan: VideoPlan, times: int) -> Frames:
    """Each frame on white, at its time."""
    clock = 0.0
    for _ in range(times):
        for number in range(getattr(image, "n_frames", 1)):
            job.deadline.check()
            image.seek(number)
            yield _frame(image, plan, clock)
            clock += seconds_of(image)


def _frame(image: Image.Image, plan: VideoPlan, clock: float) -> Any:
    rgba = image.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, "white")
    ground.alpha_composite(rgba)
    frame: Any = av.VideoFrame.from_image(ground.convert("RGB"))  # type: ignore[no-untyped-call] # PyAV leaves it bare
    frame.pts, frame.time_base = round(clock * plan.ticks), Fraction(1, plan.ticks)
    return frame


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
