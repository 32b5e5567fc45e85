"""Sound: kept where only its file is wrong, else to Opus for one channel and to AAC for more, under 16 MB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import av

from greenroom.errors import CannotMend
from greenroom.inspection import inspect_file
from greenroom.inspection.words import human_size
from greenroom.mending import film_steps
from greenroom.mending.film_pass import Passed, TooLarge, measured, run
from greenroom.mending.film_source import Film, Sound
from greenroom.mending.job import Draft, Job
from greenroom.mending.opus import CopiedOpus
from greenroom.mending.sound_plan import LIMIT, SoundPlan, planned
from greenroom.mending.tracks import CannotCopy, Copied, SoundTrack, Track
from greenroom.mending.words import codec_name
from greenroom.rules import Category

_BIT_EXACT: Final = {"fflags": "+bitexact"}


@dataclass(frozen=True, kw_only=True)
class _Home:
    """The file that a codec lives in.

    Attributes:
        form: FFmpeg's name of the container.
        mime_type: the row of the provider's table.
        name: for people.
        profiles: of the codec that phones play; empty where all are.
        most_channels: that it may have.
    """

    form: str
    mime_type: str
    name: str
    profiles: frozenset[str] = frozenset()
    most_channels: int = 2


_M4A: Final = _Home(
    form="ipod", mime_type="audio/mp4", name="M4A", profiles=frozenset({"LC", "HE-AAC", "HE-AACv2"})
)
_OGG: Final = _Home(form="ogg", mime_type="audio/ogg", name="Ogg", most_channels=1)
#: Codecs that WhatsApp takes, whatever file they come in.
_HOMES: Final[dict[str, _Home]] = {
    "aac": _M4A,
    "opus": _OGG,
    "mp3": _Home(form="mp3", mime_type="audio/mpeg", name="MP3"),
    "amr_nb": _Home(form="amr", mime_type="audio/amr", name="AMR", most_channels=1),
}
#: Later tries aim lower, since encoders keep to a rate only on the whole.
_SHARES: Final = (1.0, 0.85)


def mend(job: Job, film: Film) -> Draft:
    """Mend a file for the sound in it."""
    sound = film.sound
    if sound is None:
        raise CannotMend("There is no sound in this file.")
    if job.kind not in (None, Category.AUDIO):
        raise CannotMend(f"This is sound without a picture; no {job.kind.value} file can be made of it.")
    film = replace(film, start=sound.start)  # pictures that come before are not missed
    seconds, size = measured(job, film, [sound.index])
    if seconds <= 0:
        raise CannotMend("There is no sound in this file that can be played. Export it again.")
    draft = _kept(job, film, sound) if size <= LIMIT else None
    return draft or _encoded(job, film, sound, seconds)


def _kept(job: Job, film: Film, sound: Sound) -> Draft | None:
    """The sound as it is in a file that WhatsApp takes, or None where the sound itself is the trouble."""
    home = _HOMES.get(sound.codec)
    if home is None or sound.channels > home.most_channels:
        return None
    if home.profiles and sound.profile not in home.profiles:
        return None
    try:
        with _file(job.out, home) as out:
            copied = CopiedOpus if home is _OGG else Copied
            passed = run(
                job,
                film,
                out,
                lambda out, source: {sound.index: copied(out, source.streams[sound.index])},
                limit=LIMIT,
            )
    except (TooLarge, CannotCopy, av.FFmpegError):
        return None  # what cannot be copied is encoded
    if not inspect_file(job.out).accepted:
        return None
    first = f"Put the sound into an {home.name} file as it is, without any loss."
    return Draft(mime_type=home.mime_type, steps=(first, *_common_steps(film, passed)))


def _encoded(job: Job, film: Film, sound: Sound, seconds: float) -> Draft:
    for share in _SHARES:
        plan = planned(sound.channels, seconds, share=share, voice=sound.codec == "opus")
        home = _OGG if plan.codec == "libopus" else _M4A
        try:
            passed = _encode(job, film, sound, plan, home)
        except TooLarge:
            continue
        if job.out.stat().st_size <= LIMIT:
            return Draft(mime_type=home.mime_type, steps=tuple(_steps(film, passed, sound, plan, home)))
    raise CannotMend(f"This sound is over {human_size(LIMIT)} whatever is tried. Shorten it.")


def _encode(job: Job, film: Film, sound: Sound, plan: SoundPlan, home: _Home) -> Passed:
    def build(out: Any, source: Any) -> dict[int, Track]:
        stream = source.streams[sound.index]
        track = SoundTrack(out, stream, codec=plan.codec, bits=plan.bits, channels=plan.channels)
        return {sound.index: track}

    with _file(job.out, home) as out:
        return run(job, film, out, build, limit=LIMIT)


@contextmanager
def _file(path: Path, home: _Home) -> Iterator[Any]:
    options = {**_BIT_EXACT, **({"movflags": "+faststart"} if home is _M4A else {})}
    with av.open(f"file:{path.absolute()}", "w", format=home.form, options=options) as out:
        yield out


def _steps(film: Film, passed: Passed, sound: Sound, plan: SoundPlan, home: _Home) -> Iterator[str]:
    codec = "Opus" if home is _OGG else "AAC"
    was = codec_name(sound.codec)
    if was == codec:
        yield f"Encoded the sound anew, at {plan.bits // 1000} kbit/s."
    else:
        yield f"Converted the sound from {was} to {codec} in an {home.name} file."
    if plan.channels < sound.channels:
        yield f"Mixed its {sound.channels} channels down to {'one' if plan.channels == 1 else 'two'}."
    yield from _common_steps(film, passed)


def _common_steps(film: Film, passed: Passed) -> Iterator[str]:
    yield from film_steps.clock(passed)
    if film.pictures is not None:
        yield "Kept the sound alone, without the pictures."
    if film.covers:
        yield "Left out the cover picture."
    if film.left_out:
        yield f"Left out {' and '.join(film.left_out)}."
    if film.located:
        yield "Removed the place where it was recorded."
