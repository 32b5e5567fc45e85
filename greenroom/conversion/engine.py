"""Which engine reads a file, told by its content; documents and unknown files have none."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Final

from greenroom.inspection.content import HEAD
from greenroom.inspection.foreign_types import Kind
from greenroom.inspection.mp4_boxes import read_brands
from greenroom.inspection.signatures import named, signature_of
from greenroom.inspection.sniff import Family, Libmagic, family_of, is_transport_stream
from greenroom.inspection.unsupported import type_of


class Engine(StrEnum):
    """Who reads a file."""

    PILLOW = "image"  # Pillow
    HEIF = "heif"  # our own boxes, FFmpeg's HEVC decoder
    FFMPEG = "video"  # PyAV: audio and video


_FAMILIES: Final[dict[Family, Engine]] = {
    Family.JPEG: Engine.PILLOW,
    Family.PNG: Engine.PILLOW,
    Family.WEBP: Engine.PILLOW,
    Family.OGG: Engine.FFMPEG,
    Family.AMR: Engine.FFMPEG,
    Family.MPEG_AUDIO: Engine.FFMPEG,
}
_DOCUMENTS: Final = frozenset({Family.ZIP, Family.OLE2, Family.BARE_OFFICE, Family.PDF, Family.TEXT})
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2"})
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
#: What reads each kind of file that WhatsApp does not take. An unknown one may be a video of a rare sort.
_KINDS: Final[dict[Kind, Engine]] = {
    Kind.IMAGE: Engine.PILLOW,
    Kind.ANIMATION: Engine.PILLOW,
    Kind.AUDIO: Engine.FFMPEG,
    Kind.VIDEO: Engine.FFMPEG,
    Kind.UNKNOWN: Engine.FFMPEG,
}


def engine_for(path: Path) -> Engine | None:
    """The engine that can read a file, or None."""
    with path.open("rb") as file:
        head, size = file.read(HEAD), os.fstat(file.fileno()).st_size
    magic = Libmagic(head)
    family = family_of(head, magic)
    if family is Family.ISO_MEDIA:
        return _iso_media(head)
    if family in _FAMILIES:
        return _FAMILIES[family]
    if family in _DOCUMENTS and signature_of(head) is None:
        return None
    if is_transport_stream(head):
        return Engine.FFMPEG
    return _KINDS.get(type_of(named(head, size, magic.mime)).kind)


def _iso_media(head: bytes) -> Engine:
    """Images and videos share one layout; the brands tell them apart."""
    brand, brands = read_brands(head)
    if brand in _AVIF_BRANDS or (brand in _HEIF_BRANDS and brands & _AVIF_BRANDS):
        return Engine.PILLOW
    return Engine.HEIF if brand in _HEIF_BRANDS else Engine.FFMPEG
