"""Opening audio and video with FFmpeg, and what has to be known before the first frame is converted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from greenroom.conversion import limits
from greenroom.conversion.completeness import is_whole
from greenroom.conversion.job import ConversionJob
from greenroom.conversion.video_filter import HDR
from greenroom.errors import CannotFix

#: FFmpeg's readers that are let near a stranger's file: none that opens another file or an address, such as
#: playlists, and no guesses at text.
_READERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,mpeg,mpegts,mpegvideo,m4v,h264,hevc,ivf,dv,mxf,rm,ogg,"
    "wav,w64,flac,aiff,caf,au,amr,amrnb,amrwb,mp3,aac,loas,ac3,eac3,dts,ape,wv,tta,voc"
)
_OPTIONS: Final = {"format_whitelist": _READERS, "protocol_whitelist": "none"}
#: For the decoder of frames: a stream may grow on the way, but not beyond this.
DECODER: Final = {"max_pixels": str(limits.MOST_FRAME_PIXELS)}
#: Readers that take the play time from the file's own index, so that less than that means a cut file.
_WITH_INDEX: Final = ("mov", "matroska", "avi", "asf", "flac", "aiff")
#: Readers whose play time counts from 0, and not from when the first stream starts.
_FROM_ZERO: Final = ("matroska", "asf")
_MOST_PACKETS_TO_A_FRAME: Final = 3000
_USUAL_RATE: Final = 30.0
_MOST_RATE: Final = 300.0
_SLOWEST: Final = 1.0
_PLACES: Final = ("location", "com.apple.quicktime.location.iso6709", "location-eng")
FFMPEG_ERRORS: Final = (
    "This audio or video cannot be read: it is damaged, protected or of a rare kind. Export it as MP4."
)
CUT_SHORT: Final = "This audio or video is cut short: {} of {} are there. Export it again."


@dataclass(frozen=True, kw_only=True)
class ProbedVideo:
    """The file's video track.

    Attributes:
        index: of the stream.
        codec: FFmpeg's name.
        profile: the codec's profile, or empty.
        pixels: FFmpeg's name of the pixel format.
        reordered: whether it has B-frames.
        size: width and height as they are to be seen: upright, in square pixels.
        turn: degrees to the left that stored frames have to be turned by.
        interlaced: whether frames are made of two halves.
        rate: frames a second.
        hdr: whether its colours are of high dynamic range.
        colours: primaries, transfer and matrix in the numbers of ITU-T H.273.
    """

    index: int
    codec: str
    profile: str
    pixels: str
    reordered: bool
    size: tuple[int, int]
    turn: int
    interlaced: bool
    rate: float
    hdr: bool
    colours: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class ProbedAudio:
    """The audio track.

    Attributes:
        index: of the stream.
        codec: FFmpeg's name.
        profile: the codec's profile, or empty.
        channels: in it.
        rate: samples a second.
        bits: a second, or 0 where it is not said.
        start: seconds at which its clock starts, by the file's own.
    """

    index: int
    codec: str
    profile: str
    channels: int
    rate: int
    bits: int
    start: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ProbedFile:
    """What an audio or video file holds.

    Attributes:
        form: FFmpeg's names of the container.
        seconds: play time, or 0 where it is not said.
        indexed: whether less than that means that the file was cut.
        start: seconds at which its clock starts.
        video: the track to show, or None.
        audio: the track to play, or None.
        left_out: what else there is, in words.
        covers: images that go with the audio, such as an album's.
        located: whether it says where it was taken.
    """

    form: str
    seconds: float
    indexed: bool
    start: float
    video: ProbedVideo | None
    audio: ProbedAudio | None
    left_out: tuple[str, ...]
    covers: int
    located: bool


@contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """The file as FFmpeg's container, read through our own handle: it opens nothing else.

    Raises:
        CannotFix: it cannot be read, here or while the caller works on it.
    """
    with path.open("rb") as file:
        try:
            with av.open(file, "r", options=dict(_OPTIONS), metadata_errors="replace") as container:
                yield container
        except (av.FFmpegError, ValueError, NotImplementedError, MemoryError) as error:
            raise CannotFix(FFMPEG_ERRORS) from error


def probe(job: ConversionJob) -> ProbedFile:
    """What is in the file, by its headers and its first frame.

    Raises:
        CannotFix: there is neither video nor audio, or a frame is larger than any video's.
    """
    whole = is_whole(job.path)
    with open_container(job.path) as container:
        streams = container.streams
        video = [stream for stream in streams.video if not _is_cover(stream)]
        audio = [stream for stream in streams.audio if stream.codec_context is not None]
        best = streams.best("audio")
        probed_audio = best if best in audio else next(iter(audio), None)
        probed_video = _probe_video(job, container, video[0]) if video else None
        if probed_video is None and probed_audio is None:
            raise CannotFix("This file has neither video nor audio that Greenroom can read.")
        return ProbedFile(
            form=container.format.name,
            seconds=_seconds(container, video),
            indexed=container.format.name.startswith(_WITH_INDEX) and not whole,
            start=(container.start_time or 0) / av.time_base,
            video=probed_video,
            audio=_probe_audio(probed_audio) if probed_audio is not None else None,
            left_out=tuple(_left_out(len(video) - 1, len(audio) - 1, len(streams.subtitles))),
            covers=len(streams.video) - len(video),
            located=any(place in container.metadata for place in _PLACES),
        )


def _seconds(container: Any, video: list[Any]) -> float:
    """Play time by the container; of AVI by its count of frames, since FFmpeg goes by what is there."""
    seconds = float((container.duration or 0) / av.time_base)
    if container.format.name == "avi" and video:
        seconds = max(seconds, video[0].frames / _rate(video[0]))
    start = (container.start_time or 0) / av.time_base
    if container.format.name.startswith(_FROM_ZERO) and 0 < start < seconds:
        seconds -= start
    return seconds


def _is_cover(stream: Any) -> bool:
    kinds = av.stream.Disposition
    return bool(stream.disposition & (kinds.attached_pic | kinds.timed_thumbnails))


def _left_out(video: int, audio: int, texts: int) -> Iterator[str]:
    """What is not carried over, with its count."""
    for count, name in (
        (video, "further video track"),
        (audio, "further audio track"),
        (texts, "subtitle track"),
    ):
        if count > 0:
            yield f"{count} {name}{'s' if count > 1 else ''}"


def _probe_audio(stream: Any) -> ProbedAudio:
    context = stream.codec_context
    return ProbedAudio(
        index=stream.index,
        codec=context.codec.canonical_name,
        profile=stream.profile or "",
        channels=context.channels,
        rate=context.sample_rate,
        bits=context.bit_rate or 0,
        start=float((stream.start_time or 0) * stream.time_base),
    )


def _probe_video(job: ConversionJob, container: Any, stream: Any) -> ProbedVideo:
    context = stream.codec_context
    if context is None:
        raise CannotFix(FFMPEG_ERRORS)
    if context.width * context.height > limits.MOST_FRAME_PIXELS:
        raise CannotFix(
            f"This video's frames are {context.width:,} x {context.height:,} pixels; "
            "fixing takes on videos up to 8K. Export it smaller."
        )
    context.options = dict(DECODER)
    frame = _first(job, container, stream)
    turn = frame.rotation % 360
    shape = stream.sample_aspect_ratio or Fraction(1)
    width, height = round(frame.width * shape) if shape > 0 else frame.width, frame.height
    return ProbedVideo(
        index=stream.index,
        codec=context.codec.canonical_name,
        profile=stream.profile or "",
        pixels=context.pix_fmt or "",
        reordered=bool(context.has_b_frames),
        size=(height, width) if turn in (90, 270) else (width, height),
        turn=turn,
        interlaced=bool(frame.interlaced_frame),
        rate=_rate(stream),
        hdr=frame.color_trc in HDR,
        colours=(int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)),
    )


def _first(job: ConversionJob, container: Any, stream: Any) -> Any:
    """The first whole frame."""
    for number, packet in enumerate(container.demux(stream)):
        job.deadline.check()
        if number > _MOST_PACKETS_TO_A_FRAME:
            break
        try:
            frame = next((frame for frame in packet.decode() if not frame.is_corrupt), None)
        except av.InvalidDataError:
            continue  # streams cut out of broadcasts start in the middle
        if frame is not None:
            return frame
    raise CannotFix(FFMPEG_ERRORS)


def _rate(stream: Any) -> float:
    """Frames a second: on the whole, or by their times, where one that lasts for ever spoils the whole."""
    said = (stream.average_rate, stream.guessed_rate)
    rates = [rate for rate in said if rate and 0 < rate <= _MOST_RATE]
    likely = [rate for rate in rates if rate >= _SLOWEST]
    return float(next(iter(likely + rates), _USUAL_RATE))
