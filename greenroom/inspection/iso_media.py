"""MP4, M4A and 3GP judged by the provider's table; their relatives (QuickTime, HEIC, ...) named and refused.

"Only H.264 video codec and AAC audio codec is supported. We support videos with a single audio stream or no
audio stream." An MP4 with audio alone is audio (``audio/mp4``), and so is a 3GP; the codec rule is applied to
it too, since Apple Lossless or AC-3 in an M4A plays on few phones.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from greenroom.figures import human_time, listed
from greenroom.inspection import codecs
from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.movie import IsoMedia, read_iso_media
from greenroom.inspection.mp4_boxes import brands_of, top_boxes
from greenroom.inspection.sample_table import Track
from greenroom.inspection.unsupported import foreign
from greenroom.reasons import Reason
from greenroom.verdict import Notice

#: Major brands that are other types than MP4, by libmagic's name for them (see ``unsupported``).
_FOREIGN_BRANDS: Final[dict[bytes, str]] = {
    b"qt  ": "video/quicktime",
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic"),
    **dict.fromkeys((b"mif1", b"msf1", b"mif2"), "image/heif"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"3g2a", b"3g2b", b"3g2c"), "video/3gpp2"),
    b"crx ": "image/x-canon-cr3",
    b"jp2 ": "image/jp2",
    b"jpx ": "image/jpx",
    **dict.fromkeys((b"mjp2", b"mj2s"), "video/mj2"),
    **dict.fromkeys((b"F4V ", b"f4v ", b"F4A ", b"F4P "), "video/x-f4v"),
    **dict.fromkeys((b"aax ", b"AAX "), "audio/vnd.audible.aax"),
}
_QUICKTIME: Final = frozenset({b"moov", b"mdat"})
_LOOKED_THROUGH: Final = 64
_AUDIO_BRANDS: Final = frozenset({b"M4A ", b"M4B ", b"M4P "})
#: What neither a frame of H.264 nor a packet of AAC starts with, but room does that was never written to.
_UNWRITTEN: Final = bytes(32)
_FIRST: Final = frozenset({b"ftyp", b"styp"})
_COVERS: Final = frozenset({codecs.JPEG, codecs.PNG})
_SCRAMBLED: Final = frozenset({b"encv", b"enca", b"drms", b"drmi", b"p608"})
_ANDROID: Final = (
    "This video is H.264 High profile with B-frames; Meta says that such videos do not play on Android. "
    "Main or Baseline profile plays everywhere."
)


def examine(content: Content) -> Finding:
    """Judge a file that starts with an ISO media box.

    Raises:
        Damaged: it is cut short, or has nothing to play.
    """
    brand, brands = brands_of(content)
    kind = _without_brand(content) if brand is None else _FOREIGN_BRANDS.get(brand)
    if kind == "image/heif" and brands & {b"avif", b"avis"}:
        kind = "image/avif"
    if kind is not None:
        return foreign(kind)
    try:
        media = read_iso_media(content, (brand, brands))
    except Damaged as damaged:
        raise Damaged(damaged.detail, _likely_type(brand)) from damaged
    video = [track for track in media.tracks if track.media == "video"]
    audio = [track for track in media.tracks if track.media == "audio"]
    video = [track for track in video if not _is_cover(track, media)]
    if not video and not audio:
        raise Damaged("This MP4 file has neither video nor audio in it.")
    return _Judge(content, media, video, audio).finding()


def _without_brand(content: Content) -> str | None:
    """A file without ``ftyp`` is a QuickTime movie, or a piece of a stream, which has fragments alone."""
    kinds = {box.kind for box in islice(top_boxes(content), _LOOKED_THROUGH)}
    return None if b"moof" in kinds or not kinds & _QUICKTIME else "video/quicktime"


def _is_cover(track: Track, media: IsoMedia) -> bool:
    """Whether a video track is a cover, or images of chapters, and no video itself."""
    if codecs.name_of(track) not in _COVERS:
        return False
    return media.brand in _AUDIO_BRANDS or (track.samples <= 1 and not media.fragmented)


def _likely_type(brand: bytes | None) -> str:
    """What a file without its index was, by its brand alone."""
    if brand in _AUDIO_BRANDS:
        return "audio/mp4"
    return "video/3gpp" if _is_3gp(brand) else "video/mp4"


def _is_3gp(brand: bytes | None) -> bool:
    return (brand or b"").startswith((b"3gp", b"3gr", b"3gs", b"3ge", b"3gg", b"3gh"))


class _Judge:
    """One file's tracks against the provider's rules."""

    def __init__(self, content: Content, media: IsoMedia, video: list[Track], audio: list[Track]) -> None:
        self.content, self.media, self.video, self.audio = content, media, video, audio
        self.is_3gp = _is_3gp(media.brand)
        self.name, self.mime_type = "MP4 video", "video/mp4"
        if not video:
            self.name, self.mime_type = ("3GP audio" if self.is_3gp else "M4A audio"), "audio/mp4"
        elif self.is_3gp:
            self.name, self.mime_type = "3GP video", "video/3gpp"

    def finding(self) -> Finding:
        """The judgement: codecs first, then streams, then whether the data is whole."""
        names = [codecs.name_of(track) for track in (*self.video, *self.audio)]
        reason, detail = self._refusal(names)
        if reason is None:
            self._check_data()
        return Finding(
            label=f"{self.name}, {self._figures()}, {' + '.join(names)}",
            mime_type=self.mime_type,
            reason=reason,
            detail=detail,
            notices=() if reason else tuple(self._notices()),
        )

    def _figures(self) -> str:
        size = next(map(codecs.frame_size, self.video), None)
        return human_time(self.media.seconds) + (f", {size[0]} x {size[1]}" if size else "")

    def _refusal(self, names: list[str]) -> tuple[Reason | None, str]:
        tracks = (*self.video, *self.audio)
        if any(track.entry in _SCRAMBLED for track in tracks):
            return Reason.ENCRYPTED, f"This {self.name} is copy-protected (DRM); WhatsApp cannot play it."
        wanted = codecs.VIDEO | codecs.AUDIO
        bad = [name for name in names if name not in wanted]
        if bad:
            takes = "H.264 video with AAC audio" if self.video else "AAC audio in this type of file"
            return (
                Reason.CODEC_NOT_SUPPORTED,
                f"This {self.name} holds {listed(bad)}; WhatsApp takes {takes} only.",
            )
        if self.video and len(self.audio) > 1:
            detail = f"This {self.name} has {len(self.audio)} audio tracks; WhatsApp takes one or none."
            return Reason.TOO_MANY_AUDIO_STREAMS, detail
        return None, ""

    def _check_data(self) -> None:
        """Raise Damaged where there is nothing to play, or the index points outside the data."""
        tracks = [track for track in (*self.video, *self.audio) if track.samples]
        if not tracks:
            raise self._damaged("is empty: its index lists no video and no audio.")
        if self.video and not any(track.samples for track in self.video):
            raise self._damaged("is empty: its index lists no frames, only audio.")
        if not self.media.data:
            raise self._damaged("is empty: it has an index, and no frames or audio (mdat).")
        for track in tracks:
            self._check_places(track)
        for track in self.video:
            if track.first_sample is not None and not codecs.starts_as_h264(self.content, track):
                raise self._damaged("is damaged: its first frame is not valid H.264.")

    def _check_places(self, track: Track) -> None:
        """Raise Damaged where samples cannot lie where the index says that they do."""
        if not track.placed:
            raise self._damaged("is damaged: its index does not say where everything is.")
        first_end = sum(track.first_sample or (0,))
        if any(max(place, first_end - 1) >= self.content.size for place in track.places):
            raise self._damaged("is cut short: its index points beyond its end.")
        if not all(map(self.media.may_hold_data, track.places)):
            raise self._damaged("is damaged: its index points to where no frame or audio is.")
        if any(self.content.read(place, len(_UNWRITTEN)) == _UNWRITTEN for place in track.places):
            raise self._damaged("is damaged: part of it is filled with zeros.")

    def _damaged(self, what: str) -> Damaged:
        return Damaged(f"This {self.name} {what}", self.mime_type)

    def _notices(self) -> list[Notice]:
        notices = []
        if self.video and self.media.index_at_end:
            detail = (
                "The index (moov) is at the end of this video; with it in front (fast start) it plays sooner."
            )
            notices.append(Notice(code="index_at_end", detail=detail))
        profiles = [codecs.h264_profile(track) for track in self.video]
        if any(profile in codecs.HIGH_PROFILES for profile in profiles) and any(
            t.reordered for t in self.video
        ):
            notices.append(Notice(code="high_profile_b_frames", detail=_ANDROID))
        exotic = [name for profile in profiles if (name := codecs.EXOTIC_PROFILES.get(profile))]
        if exotic:
            detail = (
                f"This video is H.264 {listed(exotic)}, which most phones cannot play; Main profile plays."
            )
            notices.append(Notice(code="exotic_h264", detail=detail))
        if self.media.first not in _FIRST:
            detail = (
                f"The type mark (ftyp) of this {self.name} is not at its start, where programs look for it."
            )
            notices.append(Notice(code="type_mark_late", detail=detail))
        if len(self.video) > 1:
            detail = f"This file has {len(self.video)} video tracks; phones show the first."
            notices.append(Notice(code="several_video_tracks", detail=detail))
        if self.is_3gp and not self.video:
            detail = "This is a 3GP file with audio alone; it is sent as M4A audio, whose layout is the same."
            notices.append(Notice(code="audio_only_3gp", detail=detail))
        return notices
