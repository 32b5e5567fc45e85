"""Which engine reads a file, told by its content; documents and unknown files have none."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final

from greenroom.inspection.boxes import read_brands
from greenroom.inspection.content import HEAD
from greenroom.inspection.sniff import Family, family_of, mime_of


class Engine(StrEnum):
    """Who reads a file."""

    PICTURE = "picture"  # Pillow
    HEIF = "heif"  # our own boxes, FFmpeg's HEVC decoder
    FILM = "film"  # PyAV: sound and video


_FAMILIES: Final[dict[Family, Engine]] = {
    Family.JPEG: Engine.PICTURE,
    Family.PNG: Engine.PICTURE,
    Family.WEBP: Engine.PICTURE,
    Family.OGG: Engine.FILM,
    Family.AMR: Engine.FILM,
    Family.MPEG_AUDIO: Engine.FILM,
}
_DOCUMENTS: Final = frozenset({Family.ZIP, Family.OLE2, Family.PDF, Family.TEXT})
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2"})
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
#: libmagic's names of sound and video that do not begin with ``audio/`` or ``video/``.
_FILMS: Final = frozenset(
    {
        "application/octet-stream",
        "application/x-matroska",
        "application/mxf",
        "application/vnd.rn-realmedia",
        "application/ogg",
    }
)


def engine_for(path: Path) -> Engine | None:
    """The engine that can read a file, or None."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    mime = mime_of(head)
    family = family_of(head, mime)
    if family is Family.ISO_MEDIA:
        return _iso_media(head)
    if family in _FAMILIES:
        return _FAMILIES[family]
    if family in _DOCUMENTS:
        return None
    if mime.startswith("image/"):
        return Engine.PICTURE
    return Engine.FILM if mime.startswith(("audio/", "video/")) or mime in _FILMS else None


def _iso_media(head: bytes) -> Engine:
    """Pictures and films share one layout; the brands tell them apart."""
    brand, brands = read_brands(head)
    if brand in _AVIF_BRANDS or (brand in _HEIF_BRANDS and brands & _AVIF_BRANDS):
        return Engine.PICTURE
    return Engine.HEIF if brand in _HEIF_BRANDS else Engine.FILM
