"""Moving pictures (GIF, animated WebP and AVIF) to a silent film."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av
from PIL import Image

from greenroom.errors import CannotMend
from greenroom.inspection.words import human_time
from greenroom.mending import limits
from greenroom.mending.film_plan import Plan, planned
from greenroom.mending.film_writer import Frames, Look, silent_film
from greenroom.mending.job import Draft, Job

#: Browsers show pictures that ask for a hundredth of a second or less for a tenth.
_LEAST_SECONDS: Final = 0.011
_USUAL_SECONDS: Final = 0.1
#: A GIF plays in a loop, a film once: a short one is repeated until it is worth looking at.
_WORTH_SECONDS: Final = 3.0
_MOST_TIMES: Final = 30


def seconds_of(image: Image.Image) -> float:
    """How long the picture that the animation stands at is shown."""
    seconds = float(image.info.get("duration") or 0) / 1000
    return seconds if seconds >= _LEAST_SECONDS else _USUAL_SECONDS


def to_film(job: Job, image: Image.Image) -> Draft:
    """An MP4 without sound."""
    count: int = getattr(image, "n_frames", 1)
    if count > limits.MOST_PICTURES:
        raise CannotMend(
            f"This animation has {count:,} pictures; mending takes on {limits.MOST_PICTURES:,}. "
            "Make it shorter."
        )
    seconds = 0.0
    for number in range(count):
        job.deadline.check()
        image.seek(number)
        image.load()
        seconds += seconds_of(image)
    times = _times(seconds)
    rate = min(limits.MOST_RATE, max(1.0, count / seconds))
    plan = planned(size=image.size, rate=rate, seconds=seconds * times, sound=False)
    silent_film(job, plan, Look(), lambda: _frames(job, image, plan, times), lasting=seconds_of(image))
    steps = [
        f"Made an MP4 video of the {image.format} animation: {human_time(seconds * times)}, without sound."
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


def _frames(job: Job, image: Image.Image, plan: Plan, times: int) -> Frames:
    """Each picture on white, at its time."""
    clock = 0.0
    for _ in range(times):
        for number in range(getattr(image, "n_frames", 1)):
            job.deadline.check()
            image.seek(number)
            yield _frame(image, plan, clock)
            clock += seconds_of(image)


def _frame(image: Image.Image, plan: Plan, clock: float) -> Any:
    picture = image.convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    frame: Any = av.VideoFrame.from_image(ground.convert("RGB"))  # type: ignore[no-untyped-call] # PyAV leaves it bare
    frame.pts, frame.time_base = round(clock * plan.ticks), Fraction(1, plan.ticks)
    return frame


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
