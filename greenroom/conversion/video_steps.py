"""What was done to a video, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.conversion.codec_names import codec_name
from greenroom.conversion.job import ConversionJob
from greenroom.conversion.probe import ProbedAudio, ProbedFile, ProbedVideo
from greenroom.conversion.transcode import Passed
from greenroom.conversion.video_plan import VideoPlan
from greenroom.figures import human_size, listed
from greenroom.reasons import Reason


def kept(job: ConversionJob, probed: ProbedFile, passed: Passed, *, audio_kept: bool) -> Iterator[str]:
    """Of a video whose frames were not touched."""
    if not job.verdict.label.startswith("MP4"):
        yield "Put the video into an MP4 file."
    if probed.audio is not None and not audio_kept:
        yield f"Kept the video as it is; {_audio(probed.audio, min(2, probed.audio.channels))}."
    else:
        yield "Kept video and audio as they are, without any loss."
    if job.verdict.reason is Reason.TOO_LARGE:
        yield "Left out what is neither video nor audio, which made it small enough."
    if job.noticed("index_at_end"):
        yield "Moved the index to the front, so that the video plays sooner."
    yield from clock(passed)
    yield from _common(probed)


def encoded(
    job: ConversionJob, probed: ProbedFile, passed: Passed, video: ProbedVideo, plan: VideoPlan
) -> Iterator[str]:
    """Of a video whose frames are encoded anew."""
    if video.codec == "h264":
        yield "Encoded the video anew, as H.264 Main profile without B-frames, which every phone plays."
    else:
        yield f"Converted the video from {codec_name(video.codec)} to H.264."
    if probed.audio is not None and plan.audio_bits:
        said = _audio(probed.audio, plan.channels)
        yield f"{said[0].upper()}{said[1:]}."
    if video.turn:
        yield "Turned the video upright."
    if video.interlaced:
        yield "Joined the two halves of each frame (it was interlaced)."
    if video.hdr:
        yield "Brought its HDR colours to those of common screens."
    if plan.size != video.size:
        yield f"Scaled from {_size(video.size)} to {_size(plan.size)} pixels."
    if plan.rate < video.rate:
        yield f"Brought from {video.rate:.0f} to {plan.rate:.0f} frames a second."
    if job.verdict.reason is Reason.TOO_LARGE:
        size = job.out.stat().st_size
        yield f"Packed tighter: {human_size(job.verdict.size)} became {human_size(size)}."
    yield from clock(passed)
    yield from _common(probed)


def _audio(audio: ProbedAudio, channels: int) -> str:
    """What was done to audio that was encoded to so many channels."""
    was = codec_name(audio.codec)
    done = "encoded the audio anew, as AAC" if was == "AAC" else f"converted the audio from {was} to AAC"
    mixed = f", mixed down to {'one channel' if channels == 1 else 'two channels'}"
    return done + (mixed if channels < audio.channels else "")


def clock(passed: Passed) -> Iterator[str]:
    """What was done to the clock of a video, or of audio."""
    if passed.silence:
        yield f"Put silence where there was no audio, {passed.silence:.1f} seconds in all."
    if passed.jumps:
        yield f"Closed {'a jump' if passed.jumps == 1 else f'{passed.jumps} jumps'} of its clock."


def _common(probed: ProbedFile) -> Iterator[str]:
    if probed.left_out:
        yield f"Left out {listed(probed.left_out)}."
    if probed.located:
        yield "Removed the place where it was filmed."


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
