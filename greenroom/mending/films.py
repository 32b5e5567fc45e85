"""Films: to H.264 with AAC in MP4 under 16 MB, without touching pictures or sound that are right already."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import av

from greenroom.errors import CannotMend
from greenroom.inspection import inspect_file
from greenroom.inspection.words import human_size
from greenroom.mending import film_steps, limits, sounds
from greenroom.mending.film_pass import TooLarge, measured, run
from greenroom.mending.film_plan import LIMIT, Plan, planned
from greenroom.mending.film_source import Film, Pictures, Sound, examine
from greenroom.mending.film_writer import SHARES, mp4
from greenroom.mending.job import Draft, Job
from greenroom.mending.tracks import CannotCopy, Copied, PictureTrack, SoundTrack, Track, Uneven
from greenroom.rules import Category

#: Containers that say of each packet when it is shown, as MP4 wants to know.
_TIMED: Final = ("mov", "matroska", "flv", "mpegts")
_PROFILES: Final = frozenset({"Baseline", "Constrained Baseline", "Main", "High"})
_EIGHT_BIT: Final = frozenset({"yuv420p", "yuvj420p"})
_AAC_PROFILES: Final = frozenset({"LC", "HE-AAC", "HE-AACv2"})
#: Rates a little over the most are taken as they are; 30.3 a second is no reason to leave out every second.
_TOLERANCE: Final = 1.04


def mend(job: Job) -> Draft:
    """Mend a file that FFmpeg reads: a film, or sound alone."""
    film = examine(job)
    pictures = film.pictures
    if pictures is None or job.kind is Category.AUDIO:
        return sounds.mend(job, film)
    if job.kind not in (None, Category.VIDEO):
        raise CannotMend(f"This is a video; no {job.kind.value} file can be made of it.")
    return _kept(job, film, pictures) or _encoded(job, film, pictures)


def _kept(job: Job, film: Film, pictures: Pictures) -> Draft | None:
    """The film with its pictures as they are, or None where they are not right or do not fit."""
    if not (film.form.startswith(_TIMED) and _right(pictures)):
        return None
    try:
        return _copied(job, film, pictures, sound_kept=_sound_right(film.sound))
    except Uneven:
        return _copied(job, film, pictures, sound_kept=False)


def _copied(job: Job, film: Film, pictures: Pictures, *, sound_kept: bool) -> Draft | None:
    """The film with its pictures as they are, and with its sound as it is or encoded.

    Raises:
        Uneven: the sound was to be kept, and has gaps.
    """

    def build(out: Any, source: Any) -> dict[int, Track]:
        tracks: dict[int, Track] = {pictures.index: Copied(out, source.streams[pictures.index])}
        if film.sound is not None:
            channels = min(2, film.sound.channels)
            tracks[film.sound.index] = _sound_track(
                out, source, film, 0 if sound_kept else limits.MUSIC_RATE // 2 * channels, channels
            )
        return tracks

    try:
        with mp4(job.out) as out:
            passed = run(job, film, out, build, limit=LIMIT)
    except Uneven:
        raise
    except (TooLarge, CannotCopy, av.FFmpegError):
        return None  # what cannot be copied is encoded
    if not inspect_file(job.out).accepted:
        return None
    steps = film_steps.kept(job, film, passed, sound_kept=sound_kept)
    return Draft(mime_type="video/mp4", steps=tuple(steps))


def _encoded(job: Job, film: Film, pictures: Pictures) -> Draft:
    """The film with its pictures encoded anew, smaller if it does not fit otherwise."""
    indexes = [pictures.index, *([film.sound.index] if film.sound is not None else [])]
    seconds, _ = measured(job, film, indexes)
    rate = pictures.rate / math.ceil(pictures.rate / (limits.MOST_RATE * _TOLERANCE))
    for share in SHARES:
        plan = _planned(film, pictures, rate, seconds, share)

        def build(out: Any, source: Any, plan: Plan = plan) -> dict[int, Track]:
            tracks: dict[int, Track] = {
                pictures.index: PictureTrack(out, source.streams[pictures.index], film, pictures, plan)
            }
            if film.sound is not None:
                tracks[film.sound.index] = _sound_track(out, source, film, plan.sound_bits, plan.channels)
            return tracks

        try:
            with mp4(job.out) as out:
                passed = run(job, film, out, build, limit=LIMIT)
        except TooLarge:
            continue
        if job.out.stat().st_size <= LIMIT:
            steps = film_steps.encoded(job, film, passed, pictures, plan)
            return Draft(mime_type="video/mp4", steps=tuple(steps))
    raise CannotMend(f"This video is over {human_size(LIMIT)} whatever is tried. Shorten it.")


def _planned(film: Film, pictures: Pictures, rate: float, seconds: float, share: float) -> Plan:
    """Sound that is right already is kept where a new one would be no smaller."""
    plan = planned(size=pictures.size, rate=rate, seconds=seconds, sound=film.sound is not None, share=share)
    if film.sound is not None and film.sound.channels == 1 < plan.channels:
        plan = replace(plan, sound_bits=plan.sound_bits // 2, channels=1)
    right = film.form.startswith(_TIMED) and _sound_right(film.sound)
    if right and film.sound is not None and 0 < film.sound.bits <= plan.sound_bits:
        return replace(plan, sound_bits=0)
    return plan


def _sound_track(out: Any, source: Any, film: Film, bits: int, channels: int) -> Track:
    """The film's sound: encoded, or with no bits given copied."""
    stream = source.streams[film.sound.index if film.sound else 0]
    if not bits:
        return Copied(out, stream)
    return SoundTrack(out, stream, codec="aac", bits=bits, channels=channels)


def _right(pictures: Pictures) -> bool:
    """Whether phones play them: H.264 of 8 bits, and no B-frames in High profile."""
    return (
        pictures.codec == "h264"
        and pictures.profile in _PROFILES
        and pictures.pixels in _EIGHT_BIT
        and not (pictures.profile == "High" and pictures.reordered)
    )


def _sound_right(sound: Sound | None) -> bool:
    return sound is None or (sound.codec == "aac" and sound.profile in _AAC_PROFILES)
