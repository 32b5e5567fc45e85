"""Audio and video: what streams in a container are by the page's table, whoever has read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tests.eye.opinion import Opinion, closed

#: FFmpeg's names of containers that the page has, but for the MP4 family.
_CONTAINERS = {
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "amr": "audio/amr",
    "amrnb": "audio/amr",
    "amrwb": "audio/amr",
    "ogg": "audio/ogg",
}
#: Codecs that the page takes in each.
_CODECS = {
    "audio/mpeg": {"mp3"},
    "audio/aac": {"aac"},
    "audio/amr": {"amr_nb"},
    "audio/ogg": {"opus"},
    "audio/mp4": {"aac"},
    "video/mp4": {"h264", "aac"},
    "video/3gpp": {"h264", "aac"},
}
#: How major brands begin that are other types than MP4.
_OTHER_BRANDS = {
    "": "video/quicktime",
    "qt": "video/quicktime",
    "3g2": "video/3gpp2",
    "mj": "video/mj2",
    "f4": "video/x-f4v",
    "crx": "image/x-canon-cr3",
    **dict.fromkeys(("heic", "heix", "heim", "heis", "hevc", "mif1", "msf1"), "image/heif"),
    **dict.fromkeys(("avif", "avis"), "image/avif"),
}


_STILLS = {"mjpeg", "png", "JPEG", "PNG"}


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One track.

    Attributes:
        kind: ``audio`` or ``video``; what else there is does not count.
        codec: by FFmpeg's name.
        cover: whether it is an image that goes with the audio.
    """

    kind: str
    codec: str
    cover: bool = False

    @classmethod
    def counted(cls, *, kind: str, codec: str, parts: int, cover: bool = False) -> Self:
        """A track of so many packets or frames: a single image goes with the audio."""
        return cls(kind=kind, codec=codec, cover=cover or (codec in _STILLS and parts == 1))


def opinion_of(container: str, brand: str, streams: Sequence[Stream], *, flaws: str = "") -> Opinion:
    """What a reader says that found these streams.

    Args:
        container: FFmpeg's name, or names.
        brand: the major brand of the MP4 family, empty where there is none.
        streams: all of them.
        flaws: what it complained of.
    """
    played = [stream for stream in streams if stream.kind in ("audio", "video") and not stream.cover]
    if not played:
        return closed(f"{container} with nothing to play. {flaws}".strip())
    kind = _type_of(container, brand.strip().lower(), played)
    codecs = [stream.codec for stream in played]
    return Opinion(
        types=frozenset({kind}),
        words=f"{container.partition(',')[0]} {brand.strip()}: {' + '.join(codecs)}",
        outside=_outside(kind, played),
        flaws=flaws,
    )


def _type_of(container: str, brand: str, played: Sequence[Stream]) -> str:
    names = container.split(",")
    has_video = any(stream.kind == "video" for stream in played)
    if "mov" in names:
        for start, kind in _OTHER_BRANDS.items():
            if brand == start or (start and brand.startswith(start)):
                return kind
        if not has_video:
            return "audio/mp4"
        return "video/3gpp" if brand.startswith("3g") else "video/mp4"
    if has_video:
        return f"video in {names[0]}"
    return next((_CONTAINERS[name] for name in names if name in _CONTAINERS), f"audio in {names[0]}")


def _outside(kind: str, played: Sequence[Stream]) -> str:
    """Which rule of the page's is broken."""
    wrong = [stream.codec for stream in played if stream.codec not in _CODECS.get(kind, {stream.codec})]
    if wrong:
        return f"{', '.join(wrong)} in {kind}"
    audio = sum(stream.kind == "audio" for stream in played)
    return f"{audio} audio tracks" if kind.startswith("video/") and audio > 1 else ""
