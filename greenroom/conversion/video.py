"""Videos: to H.264 with AAC in MP4 under 16 MB, without touching video or audio that are right already."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import av

from greenroom.conversion import audio, limits, video_steps
from greenroom.conversion.job import ConversionJob, Draft
from greenroom.conversion.probe import ProbedAudio, ProbedFile, ProbedVideo, probe
from greenroom.conversion.tracks import (
    AudioStream,
    CannotCopy,
    CopiedStream,
    OutputStream,
    Uneven,
    VideoStream,
)
from greenroom.conversion.transcode import TooLarge, measured, transcode
from greenroom.conversion.video_encoder import SHARES, mp4
from greenroom.conversion.video_plan import MAX_VIDEO, VideoPlan, plan_video
from greenroom.errors import CannotFix
from greenroom.figures import human_size
from greenroom.inspection import inspect_file
from greenroom.rules import Category

#: Containers that say of each packet when it is shown, as MP4 wants to know.
_TIMED: Final = ("mov", "matroska", "flv", "mpegts")
_PROFILES: Final = frozenset({"Baseline", "Constrained Baseline", "Main", "High"})
_EIGHT_BIT: Final = frozenset({"yuv420p", "yuvj420p"})
_AAC_PROFILES: Final = frozenset({"LC", "HE-AAC", "HE-AACv2"})
#: Rates a little over the most are taken as they are; 30.3 a second is no reason to leave out every second.
_TOLERANCE: Final = 1.04


def fix_video(job: ConversionJob) -> Draft:
    """Fix a file that FFmpeg reads: a video, or audio alone."""
    probed = probe(job)
    video = probed.video
    if video is None or job.kind is Category.AUDIO:
        return audio.fix_audio(job, probed)
    if job.kind not in (None, Category.VIDEO):
        raise CannotFix(f"This is a video; no {job.kind.value} file can be made of it.")
    return _kept(job, probed, video) or _encoded(job, probed, video)


def _kept(job: ConversionJob, probed: ProbedFile, video: ProbedVideo) -> Draft | None:
    """The file with its video as it is, or None where that is not right or does not fit."""
    if not (probed.form.startswith(_TIMED) and _right(video)):
        return None
    try:
        return _copied(job, probed, video, audio_kept=_audio_right(probed.audio))
    except Uneven:
        return _copied(job, probed, video, audio_kept=False)


def _copied(job: ConversionJob, probed: ProbedFile, video: ProbedVideo, *, audio_kept: bool) -> Draft | None:
    """The video with its video as they are, and with its audio as it is or encoded.

    Raises:
        Uneven: the audio was to be kept, and has gaps.
    """

    def build(out: Any, source: Any) -> dict[int, OutputStream]:
        tracks: dict[int, OutputStream] = {video.index: CopiedStream(out, source.streams[video.index])}
        if probed.audio is not None:
            channels = min(2, probed.audio.channels)
            tracks[probed.audio.index] = _audio_stream(
                out, source, probed, 0 if audio_kept else limits.MUSIC_RATE // 2 * channels, channels
            )
        return tracks

    try:
        with mp4(job.out) as out:
            passed = transcode(job, probed, out, build, limit=MAX_VIDEO)
    except Uneven:
        raise
    except (TooLarge, CannotCopy, av.FFmpegError):
        return None  # what cannot be copied is encoded
    if not inspect_file(job.out).accepted:
        return None
    steps = video_steps.kept(job, probed, passed, audio_kept=audio_kept)
    return Draft(mime_type="video/mp4", steps=tuple(steps))


def _encoded(job: ConversionJob, probed: ProbedFile, video: ProbedVideo) -> Draft:
    """The file with its video encoded anew, smaller if it does not fit otherwise."""
    indexes = [video.index, *([probed.audio.index] if probed.audio is not None else [])]
    seconds, _ = measured(job, probed, indexes)
    rate = video.rate / math.ceil(video.rate / (limits.MOST_RATE * _TOLERANCE))
    for share in SHARES:
        plan = _planned(probed, video, rate, seconds, share)

        def build(out: Any, source: Any, plan: VideoPlan = plan) -> dict[int, OutputStream]:
            tracks: dict[int, OutputStream] = {
                video.index: VideoStream(out, source.streams[video.index], probed, video, plan)
            }
            if probed.audio is not None:
                tracks[probed.audio.index] = _audio_stream(
                    out, source, probed, plan.audio_bits, plan.channels
                )
            return tracks

        try:
            with mp4(job.out) as out:
                passed = transcode(job, probed, out, build, limit=MAX_VIDEO)
        except TooLarge:
            continue
        if job.out.stat().st_size <= MAX_VIDEO:
            steps = video_steps.encoded(job, probed, passed, video, plan)
            return Draft(mime_type="video/mp4", steps=tuple(steps))
    raise CannotFix(f"This video is over {human_size(MAX_VIDEO)} whatever is tried. Shorten it.")


def _planned(probed: ProbedFile, video: ProbedVideo, rate: float, seconds: float, share: float) -> VideoPlan:
    """Audio that is right already is kept where a new one would be no smaller."""
    plan = plan_video(
        size=video.size, rate=rate, seconds=seconds, audio=probed.audio is not None, share=share
    )
    if probed.audio is not None and probed.audio.channels == 1 < plan.channels:
        plan = replace(plan, audio_bits=plan.audio_bits // 2, channels=1)
    right = probed.form.startswith(_TIMED) and _audio_right(probed.audio)
    if right and probed.audio is not None and 0 < probed.audio.bits <= plan.audio_bits:
        return replace(plan, audio_bits=0)
    return plan


def _audio_stream(out: Any, source: Any, probed: ProbedFile, bits: int, channels: int) -> OutputStream:
    """The video's audio: encoded, or with no bits given copied."""
    stream = source.streams[probed.audio.index if probed.audio else 0]
    if not bits:
        return CopiedStream(out, stream)
    return AudioStream(out, stream, codec="aac", bits=bits, channels=channels)


def _right(video: ProbedVideo) -> bool:
    """Whether phones play them: H.264 of 8 bits, and no B-frames in High profile."""
    return (
        video.codec == "h264"
        and video.profile in _PROFILES
        and video.pixels in _EIGHT_BIT
        and not (video.profile == "High" and video.reordered)
    )


def _audio_right(audio: ProbedAudio | None) -> bool:
    return audio is None or (audio.codec == "aac" and audio.profile in _AAC_PROFILES)
