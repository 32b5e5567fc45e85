"""What a file really is: its family by its first bytes, and then what that family's examiner finds.

:mod:`.sniff` names the family. An examiner (:mod:`.jpeg`, :mod:`.iso_media`, :mod:`.ooxml`, ...) reads the
file's structure, says the exact type, and what is wrong with it; whether WhatsApp takes that is for
:mod:`.judge`.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Final

from greenroom.inspection import (
    amr,
    iso_media,
    jpeg,
    legacy_office,
    mpeg_audio,
    ogg,
    ooxml,
    pdf,
    plain_text,
    png,
    webp,
)
from greenroom.inspection.containers import audio_if_alone
from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.foreign_types import UNKNOWN
from greenroom.inspection.places import far_mark, only_zeros
from greenroom.inspection.signatures import named, signature_of
from greenroom.inspection.sniff import Family, Libmagic, family_of, has_id3, is_transport_stream
from greenroom.inspection.unsupported import foreign
from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE

#: What the standard library and our own readers raise for bytes that make no sense.
_PARSER_ERRORS: Final = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
#: What a family's file is called, and its row of the table where it has but one, when it is damaged.
_DAMAGED: Final[dict[Family, tuple[str, str | None]]] = {
    Family.JPEG: ("JPEG image", "image/jpeg"),
    Family.PNG: ("PNG image", "image/png"),
    Family.WEBP: ("WebP sticker", "image/webp"),
    Family.ISO_MEDIA: ("MP4 file", "video/mp4"),
    Family.OGG: ("Ogg audio", "audio/ogg"),
    Family.AMR: ("AMR audio", "audio/amr"),
    Family.MPEG_AUDIO: ("MP3 or AAC audio", "audio/mpeg"),
    Family.ZIP: ("Office document or ZIP archive", None),
    Family.OLE2: ("Office 97-2003 document", None),
    Family.BARE_OFFICE: ("old Office document", None),
    Family.PDF: ("PDF document", "application/pdf"),
    Family.TEXT: ("text", "text/plain"),
    Family.OTHER: ("file of an unknown type", None),
}
#: What libmagic says of stray bytes before a PDF: nothing, or that they are words.
_NO_OTHER_TYPE: Final = ("application/octet-stream", "application/pdf", "text/", "message/")
_ZEROS: Final = "This file holds nothing but zeros: it was never written, or its download broke off."
#: Frames in a row that make a file audio although it does not start as such: other types hold audio too.
_PROOF_IN_ODD_BYTES: Final = 20


def examine(content: Content) -> Finding:
    """What the file is and what is wrong with it, by the examiner of its family.

    A reader that fails makes the file broken, and nothing else.

    Raises:
        OSError: the file cannot be read.
    """
    if content.size == 0:
        return Finding(label="empty file", reason=Reason.EMPTY, detail="This file is empty (0 bytes).")
    magic = Libmagic(content.head)
    family = family_of(content.head, magic)
    try:
        return _EXAMINERS[family](content, magic)
    except Damaged as damaged:
        return _broken(family, damaged.detail, damaged.mime_type)
    except OSError:
        raise
    except _PARSER_ERRORS:
        return _broken(family, "This file is damaged: what it says about itself makes no sense.")


def _broken(family: Family, detail: str, likely: str | None = None) -> Finding:
    """A damaged file: of the type that its examiner could still tell, else of its family's."""
    label, mime_type = _DAMAGED[family]
    if likely is not None:
        label, mime_type = BY_MIME_TYPE[likely].label, likely
    return Finding(label=f"{label}, damaged", mime_type=mime_type, reason=Reason.BROKEN, detail=detail)


def _mpeg_audio(content: Content, magic: Libmagic) -> Finding:
    """Audio, unless eleven set bits at the start were chance and libmagic knows better."""
    try:
        return mpeg_audio.examine(content)
    except Damaged:
        if has_id3(content.head) or magic.mime.startswith("audio/"):
            raise
        return _other(content, magic)


def _text(content: Content, magic: Libmagic) -> Finding:
    """A text, unless its first bytes are another format's and the rest is no text."""
    row = signature_of(content.head)
    if row is not None and not (row.lettered and plain_text.is_text(content, "utf-8")):
        return foreign(row.mime_type)
    if plain_text.is_marked_in_vain(content):
        return _other(content, magic)
    return plain_text.examine(content, magic.mime)


def _pdf(content: Content, magic: Libmagic) -> Finding:
    """A PDF, unless it only lies within a file of another type: a signed message, a drawing."""
    if content.head.startswith(b"%PDF-"):
        return pdf.examine(content)
    known = not named(content.head, content.size, magic.mime).startswith(_NO_OTHER_TYPE)
    return _other(content, magic) if known or pdf.is_inside(content) else pdf.examine(content)


def _other(content: Content, magic: Libmagic) -> Finding:
    """A file that no examiner of ours fits: a text that opens like something else, or a foreign type."""
    if is_transport_stream(content.head):
        return foreign("video/mp2t")
    row = signature_of(content.head)
    if (
        plain_text.is_all_text(content)
        if row is None
        else row.lettered and plain_text.is_text(content, "utf-8")
    ):
        return plain_text.examine(content, magic.mime)
    kind = far_mark(content) or named(content.head, content.size, magic.mime)
    return _unknown(content) if kind == UNKNOWN else foreign(audio_if_alone(content, kind))


def _unknown(content: Content) -> Finding:
    """A file that libmagic does not know: MP3 behind odd bytes, odd or spoiled text, or binary data."""
    zeros = mpeg_audio.after_zeros(content)
    start = content.read(zeros, mpeg_audio.SEARCH_WINDOW)
    whole = content.size <= zeros + len(start)
    if mpeg_audio.find_frames(start, at_end=whole, wanted=_PROOF_IN_ODD_BYTES) is not None:
        return mpeg_audio.examine(content)
    if only_zeros(content):
        return Finding(label="nothing but zeros", reason=Reason.BROKEN, detail=_ZEROS)
    return plain_text.odd(content) or foreign(UNKNOWN)


#: Each family's examiner; text and unknown files need libmagic's word as well.
_EXAMINERS: Final[dict[Family, Callable[[Content, Libmagic], Finding]]] = {
    Family.JPEG: lambda content, _: jpeg.examine(content),
    Family.PNG: lambda content, _: png.examine(content),
    Family.WEBP: lambda content, _: webp.examine(content),
    Family.ISO_MEDIA: lambda content, _: iso_media.examine(content),
    Family.OGG: lambda content, _: ogg.examine(content),
    Family.AMR: lambda content, _: amr.examine(content),
    Family.MPEG_AUDIO: _mpeg_audio,
    Family.ZIP: lambda content, _: ooxml.examine(content),
    Family.OLE2: lambda content, _: legacy_office.examine(content),
    Family.BARE_OFFICE: lambda content, _: legacy_office.examine_bare(content),
    Family.PDF: _pdf,
    Family.TEXT: _text,
    Family.OTHER: _other,
}
