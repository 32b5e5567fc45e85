"""Audio: kept where only its file is wrong, else to Opus for one channel and to AAC for more, under 16 MB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import av

from greenroom.conversion import video_steps
from greenroom.conversion.audio_plan import MAX_AUDIO, AudioPlan, plan_audio
from greenroom.conversion.codec_names import codec_name
from greenroom.conversion.job import ConversionJob, Draft
from greenroom.conversion.opus_copy import CopiedOpus
from greenroom.conversion.probe import ProbedAudio, ProbedFile
from greenroom.conversion.tracks import AudioStream, CannotCopy, CopiedStream, OutputStream
from greenroom.conversion.transcode import Passed, TooLarge, measured, transcode
from greenroom.errors import CannotFix
from greenroom.figures import human_size
from greenroom.inspection import inspect_file
from greenroom.rules import Category

_BIT_EXACT: Final = {"fflags": "+bitexact"}


@dataclass(frozen=True, kw_only=True)
class _AudioContainer:
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


_M4A: Final = _AudioContainer(
    form="ipod", mime_type="audio/mp4", name="M4A", profiles=frozenset({"LC", "HE-AAC", "HE-AACv2"})
)
_OGG: Final = _AudioContainer(form="ogg", mime_type="audio/ogg", name="Ogg", most_channels=1)
#: Codecs that WhatsApp takes, whatever file they come in.
_CONTAINERS: Final[dict[str, _AudioContainer]] = {
    "aac": _M4A,
    "opus": _OGG,
    "mp3": _AudioContainer(form="mp3", mime_type="audio/mpeg", name="MP3"),
    "amr_nb": _AudioContainer(form="amr", mime_type="audio/amr", name="AMR", most_channels=1),
}
#: Later tries aim lower, since encoders keep to a rate only on the whole.
_SHARES: Final = (1.0, 0.85)


def fix_audio(job: ConversionJob, probed: ProbedFile) -> Draft:
    """Fix a file for the audio in it."""
    audio = probed.audio
    if audio is None:
        raise CannotFix("There is no audio in this file.")
    if job.kind not in (None, Category.AUDIO):
        raise CannotFix(f"This is audio without video; no {job.kind.value} file can be made of it.")
    probed = replace(probed, start=audio.start)  # images that come before are not missed
    seconds, size = measured(job, probed, [audio.index])
    if seconds <= 0:
        raise CannotFix("There is no audio in this file that can be played. Export it again.")
    draft = _kept(job, probed, audio) if size <= MAX_AUDIO else None
    return draft or _encoded(job, probed, audio, seconds)


def _kept(job: ConversionJob, probed: ProbedFile, audio: ProbedAudio) -> Draft | None:
    """The audio as it is in a file that WhatsApp takes, or None where the audio itself is the trouble."""
    container = _CONTAINERS.get(audio.codec)
    if container is None or audio.channels > container.most_channels:
        return None
    if container.profiles and audio.profile not in container.profiles:
        return None
    try:
        with _file(job.out, container) as out:
            copied = CopiedOpus if container is _OGG else CopiedStream
            passed = transcode(
                job,
                probed,
                out,
                lambda out, source: {audio.index: copied(out, source.streams[audio.index])},
                limit=MAX_AUDIO,
            )
    except (TooLarge, CannotCopy, av.FFmpegError):
        return None  # what cannot be copied is encoded
    if not inspect_file(job.out).accepted:
        return None
    first = f"Put the audio into an {container.name} file as it is, without any loss."
    return Draft(mime_type=container.mime_type, steps=(first, *_common_steps(probed, passed)))


def _encoded(job: ConversionJob, probed: ProbedFile, audio: ProbedAudio, seconds: float) -> Draft:
    for share in _SHARES:
        plan = plan_audio(audio.channels, seconds, share=share, voice=audio.codec == "opus")
        container = _OGG if plan.codec == "libopus" else _M4A
        try:
            passed = _encode(job, probed, audio, plan, container)
        except TooLarge:
            continue
        if job.out.stat().st_size <= MAX_AUDIO:
            return Draft(
                mime_type=container.mime_type, steps=tuple(_steps(probed, passed, audio, plan, container))
            )
    raise CannotFix(f"This audio is over {human_size(MAX_AUDIO)} whatever is tried. Shorten it.")


def _encode(
    job: ConversionJob, probed: ProbedFile, audio: ProbedAudio, plan: AudioPlan, container: _AudioContainer
) -> Passed:
    def build(out: Any, source: Any) -> dict[int, OutputStream]:
        stream = source.streams[audio.index]
        track = AudioStream(out, stream, codec=plan.codec, bits=plan.bits, channels=plan.channels)
        return {audio.index: track}

    with _file(job.out, container) as out:
        return transcode(job, probed, out, build, limit=MAX_AUDIO)


@contextmanager
def _file(path: Path, container: _AudioContainer) -> Iterator[Any]:
    options = {**_BIT_EXACT, **({"movflags": "+faststart"} if container is _M4A else {})}
    with av.open(f"file:{path.absolute()}", "w", format=container.form, options=options) as out:
        yield out


def _steps(
    probed: ProbedFile, passed: Passed, audio: ProbedAudio, plan: AudioPlan, container: _AudioContainer
) -> Iterator[str]:
    codec = "Opus" if container is _OGG else "AAC"
    was = codec_name(audio.codec)
    if was == codec:
        yield f"Encoded the audio anew, at {plan.bits // 1000} kbit/s."
    else:
        yield f"Converted the audio from {was} to {codec} in an {container.name} file."
    if plan.channels < audio.channels:
        yield f"Mixed its {audio.channels} channels down to {'one' if plan.channels == 1 else 'two'}."
    yield from _common_steps(probed, passed)


def _common_steps(probed: ProbedFile, passed: Passed) -> Iterator[str]:
    yield from video_steps.clock(passed)
    if probed.video is not None:
        yield "Kept the audio alone, without the video."
    if probed.covers:
        yield "Left out the cover image."
    if probed.left_out:
        yield f"Left out {' and '.join(probed.left_out)}."
    if probed.located:
        yield "Removed the place where it was recorded."
