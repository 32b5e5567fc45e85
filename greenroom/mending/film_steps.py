"""What was done to a film, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.inspection.words import human_size, listed
from greenroom.mending.film_pass import Passed
from greenroom.mending.film_plan import Plan
from greenroom.mending.film_source import Film, Pictures, Sound
from greenroom.mending.job import Job
from greenroom.mending.words import codec_name
from greenroom.reasons import Reason


def kept(job: Job, film: Film, passed: Passed, *, sound_kept: bool) -> Iterator[str]:
    """Of a film whose pictures were not touched."""
    if not job.verdict.label.startswith("MP4"):
        yield "Put the video into an MP4 file."
    if film.sound is not None and not sound_kept:
        yield f"Kept the pictures as they are; {_sound(film.sound, min(2, film.sound.channels))}."
    else:
        yield "Kept pictures and sound as they are, without any loss."
    if job.verdict.reason is Reason.TOO_LARGE:
        yield "Left out what is neither picture nor sound, which made it small enough."
    if job.noticed("index_at_end"):
        yield "Moved the index to the front, so that the video plays sooner."
    yield from clock(passed)
    yield from _common(film)


def encoded(job: Job, film: Film, passed: Passed, pictures: Pictures, plan: Plan) -> Iterator[str]:
    """Of a film whose pictures were encoded anew."""
    if pictures.codec == "h264":
        yield "Encoded the pictures anew, as H.264 Main profile without B-frames, which every phone plays."
    else:
        yield f"Converted the pictures from {codec_name(pictures.codec)} to H.264."
    if film.sound is not None and plan.sound_bits:
        said = _sound(film.sound, plan.channels)
        yield f"{said[0].upper()}{said[1:]}."
    if pictures.turn:
        yield "Turned the pictures upright."
    if pictures.interlaced:
        yield "Joined the two halves of each picture (it was interlaced)."
    if pictures.hdr:
        yield "Brought its HDR colours to those of common screens."
    if plan.size != pictures.size:
        yield f"Scaled from {_size(pictures.size)} to {_size(plan.size)} pixels."
    if plan.rate < pictures.rate:
        yield f"Brought from {pictures.rate:.0f} to {plan.rate:.0f} pictures a second."
    if job.verdict.reason is Reason.TOO_LARGE:
        size = job.out.stat().st_size
        yield f"Packed tighter: {human_size(job.verdict.size)} became {human_size(size)}."
    yield from clock(passed)
    yield from _common(film)


def _sound(sound: Sound, channels: int) -> str:
    """What was done to sound that was encoded to so many channels."""
    was = codec_name(sound.codec)
    done = "encoded the sound anew, as AAC" if was == "AAC" else f"converted the sound from {was} to AAC"
    mixed = f", mixed down to {'one channel' if channels == 1 else 'two channels'}"
    return done + (mixed if channels < sound.channels else "")


def clock(passed: Passed) -> Iterator[str]:
    """What was done to the clock of a film, or of sound."""
    if passed.silence:
        yield f"Put silence where there was no sound, {passed.silence:.1f} seconds in all."
    if passed.jumps:
        yield f"Closed {'a jump' if passed.jumps == 1 else f'{passed.jumps} jumps'} of its clock."


def _common(film: Film) -> Iterator[str]:
    if film.left_out:
        yield f"Left out {listed(film.left_out)}."
    if film.located:
        yield "Removed the place where it was filmed."


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
