"""The family of a file by its first bytes: by plain signatures, or else by libmagic's answer.

A family says which examiner looks further (:mod:`.examine`); the exact type is the examiner's to say.
The signatures here are those of formats that WhatsApp takes; :mod:`.signatures` has those of foreign ones.

Measured with the libmagic 5.45 of ``pylibmagic``, an MP3 with
an image in its tag and many Office files are ``application/octet-stream`` to it, so the formats of the
provider's table are known here by their own signatures, and libmagic names everything else.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from collections.abc import Callable
from enum import StrEnum
from functools import cached_property
from importlib import import_module
from typing import Any, Final, cast

from greenroom.inspection import biff, winword


def _load_magic() -> tuple[Any, str]:
    """Import python-magic over pylibmagic's own libmagic, and undo what pylibmagic patches to get there.

    Importing pylibmagic replaces ``ctypes.CDLL.__init__`` and sets three environment variables for the
    whole process. Only the import of ``magic`` needs the first and nothing needs the others, since the
    database is passed by path: all are put back, so that child processes and other libraries see none of it.
    """
    kept = {
        key: os.environ.get(key) for key in ("LIBRARY_PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "MAGIC")
    }
    initialise = ctypes.CDLL.__init__
    try:
        # By name, and in this order: a sorter of imports would load the machine's own libmagic instead.
        pylibmagic = import_module("pylibmagic")
        magic = import_module("magic")
    finally:
        ctypes.CDLL.__init__ = initialise  # type: ignore[method-assign] # back to what it was
        for key, value in kept.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
    return magic, str(pylibmagic.data / "magic.mgc")


_magic, _database = _load_magic()
_local = threading.local()


def _new_handle() -> Any:
    try:
        return _magic.Magic(mime=True, magic_file=_database)
    except _magic.MagicException:
        # Somebody imported python-magic before us, over another libmagic that cannot read this database.
        return _magic.Magic(mime=True)


def mime_of(head: bytes) -> str:
    """MIME type of a file's first bytes, by libmagic; ``application/octet-stream`` where it knows none.

    One handle a thread: libmagic's are not thread-safe, and opening one takes longer than a call (``python -m
    benchmarks.check_folder``).
    """
    handle = getattr(_local, "handle", None)
    if handle is None:
        handle = _local.handle = _new_handle()
    try:
        return cast("str", handle.from_buffer(head))
    except _magic.MagicException:
        return "application/octet-stream"


class Libmagic:
    """libmagic's word on a file's first bytes; it is asked once, and only where somebody wants to know.

    Over some files it takes longer than all the rest does: 0.1 ms over an MP4, 0.9 over an MP3, several over
    a text (``python -m benchmarks.check_folder``).
    """

    def __init__(self, head: bytes) -> None:
        self._head = head

    @cached_property
    def mime(self) -> str:
        """As :func:`mime_of` says it."""
        return mime_of(self._head)


class Family(StrEnum):
    """Which examiner a file goes to."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    ISO_MEDIA = "iso-media"
    OGG = "ogg"
    AMR = "amr"
    MPEG_AUDIO = "mpeg-audio"
    ZIP = "zip"
    OLE2 = "ole2"
    BARE_OFFICE = "bare-office"
    PDF = "pdf"
    TEXT = "text"
    OTHER = "other"


_PDF_HEADER_WITHIN: Final = 1024
#: Where an object of a PDF starts. One digit of its number is enough to know it by; how many digits and how
#: much white space there may be is bounded, since a search for any number of them takes the square of it.
PDF_OBJECT: Final = re.compile(rb"\d\s{1,16}\d{1,10}\s{1,16}obj\b")
#: How a PDF starts that has lost its header line: with a comment or two, and an object.
_PDF_WITHOUT_HEADER: Final = re.compile(
    rb"\s{0,16}(?:%[^\r\n]{0,80}[\r\n]{1,4}){0,3}\d{1,10}\s{1,16}\d{1,5}\s{1,16}obj\s{0,16}<<"
)
_SYNC: Final = 0xFF
_SYNC_REST: Final = 0xE0
_TS_SYNC: Final = 0x47
_TEXT_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
#: Boxes that may open an ISO media file: ``ftyp``, which came with MP4, what older QuickTime files have,
#: room that a writer left, and what pieces of a stream start with.
_ISO_FIRST: Final = frozenset(
    {b"ftyp", b"moov", b"mdat", b"wide", b"pnot", b"free", b"skip", b"uuid", b"styp", b"sidx", b"moof"}
)
#: What the first box of JPEG 2000 and JPEG XL holds, which have a brand as well.
_IMAGES_OWN: Final = b"\r\n\x87\n"
_AMR_MARKS: Final = (b"#!AMR\n", b"#!AMR-WB\n", b"#!AMR_MC1.0\n", b"#!AMR-WB_MC1.0\n")
#: No printable character is below: what stands in a binary header where a text that opens alike has letters.
_PRINTABLE: Final = 0x20


def _is_iso_media(head: bytes) -> bool:
    """A first box whose length is no four letters ("The wide world" is a text), or any before ``ftyp``."""
    if head[4:8] in _ISO_FIRST:
        return head[0] < _PRINTABLE
    size = int.from_bytes(head[:4], "big")
    return head[size + 4 : size + 8] == b"ftyp" and head[8:12] != _IMAGES_OWN


def has_id3(data: bytes) -> bool:
    """An ID3v2 tag: the three letters, and a version that no text has behind them."""
    return data.startswith(b"ID3") and len(data) > 4 and data[3] < _PRINTABLE  # noqa: PLR2004 - both version bytes


def _is_mpeg_audio(head: bytes) -> bool:
    """An ID3 tag, or the eleven set bits that open an MPEG audio or ADTS frame."""
    return has_id3(head) or (
        len(head) > 1 and head[0] == _SYNC and head[1] >= _SYNC_REST and not head.startswith(_TEXT_BOMS)
    )


def _is_pdf(head: bytes) -> bool:
    """A PDF header at the start; further on only where an object follows, so not in a text about PDF."""
    at = head.find(b"%PDF-", 0, _PDF_HEADER_WITHIN)
    if at < 0:
        return _PDF_WITHOUT_HEADER.match(head) is not None
    return at == 0 or PDF_OBJECT.search(head, at) is not None


def is_transport_stream(head: bytes) -> bool:
    """MPEG transport stream packets of 188 bytes, or of 192 as camcorders write them; libmagic wants more."""
    return any(
        len(head) > at + 2 * step and head[at] == head[at + step] == head[at + 2 * step] == _TS_SYNC
        for at, step in ((0, 188), (4, 192))
    )


#: First row that answers yes wins.
_SIGNATURES: Final[tuple[tuple[Family, Callable[[bytes], bool]], ...]] = (
    (Family.JPEG, lambda head: head.startswith(b"\xff\xd8\xff")),
    (Family.PNG, lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    (Family.WEBP, lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP"),
    (Family.ISO_MEDIA, _is_iso_media),
    (Family.OGG, lambda head: head.startswith(b"OggS\0")),
    (Family.AMR, lambda head: head.startswith(_AMR_MARKS)),
    (Family.ZIP, lambda head: head.startswith((b"PK\x03\x04", b"PK\x05\x06"))),
    (Family.OLE2, lambda head: head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")),
    (Family.BARE_OFFICE, lambda head: winword.is_bare_document(head) or biff.is_bare_workbook(head)),
    (Family.MPEG_AUDIO, _is_mpeg_audio),
    (Family.PDF, _is_pdf),
    (Family.TEXT, lambda head: head.startswith(_TEXT_BOMS)),
    (Family.OTHER, is_transport_stream),
)

#: What libmagic calls things that an examiner of ours knows better.
_BY_MIME: Final[dict[str, Family]] = {
    "audio/mpeg": Family.MPEG_AUDIO,
    "audio/aac": Family.MPEG_AUDIO,
    "audio/x-hx-aac-adts": Family.MPEG_AUDIO,
    "application/json": Family.TEXT,
    "application/x-ndjson": Family.TEXT,
    "application/javascript": Family.TEXT,
    "application/csv": Family.TEXT,
    "application/x-wine-extension-ini": Family.TEXT,
    "application/x-setupscript": Family.TEXT,
    "application/pgp-keys": Family.TEXT,
    "application/x-bytecode.python": Family.OTHER,
    "message/rfc822": Family.TEXT,
    "message/news": Family.TEXT,
    "image/svg+xml": Family.TEXT,
}


def family_of(head: bytes, magic: Libmagic) -> Family:
    """The examiner for a file that starts with ``head``; libmagic is asked where no signature fits."""
    for family, matches in _SIGNATURES:
        if matches(head):
            return family
    mime = magic.mime
    return _BY_MIME.get(mime) or (Family.TEXT if mime.startswith("text/") else Family.OTHER)
