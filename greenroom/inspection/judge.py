"""One file in, one verdict out: the examiner's finding against the provider's sizes and the wanted kind."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from greenroom.figures import compared, human_size
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
from greenroom.inspection.content import Content, NotAFile
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.foreign_types import UNKNOWN
from greenroom.inspection.names import extension_in, extensions_of
from greenroom.inspection.places import far_mark, only_zeros
from greenroom.inspection.signatures import named, signature_of
from greenroom.inspection.sniff import Family, Libmagic, family_of, has_id3, is_transport_stream
from greenroom.inspection.unsupported import foreign
from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE, LARGEST_FILE, Category, size_limit
from greenroom.verdict import Notice, Verdict

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
_CLOSED_FOLDER: Final = "Greenroom is not allowed to open this folder; nothing in it was looked at."
#: What libmagic says of stray bytes before a PDF: nothing, or that they are words.
_NO_OTHER_TYPE: Final = ("application/octet-stream", "application/pdf", "text/", "message/")
_ZEROS: Final = "This file holds nothing but zeros: it was never written, or its download broke off."
#: Frames in a row that make a file audio although it does not start as such: other types hold audio too.
_PROOF_IN_ODD_BYTES: Final = 20
_PLURALS: Final[dict[Category, str]] = {
    Category.AUDIO: "audio files",
    Category.DOCUMENT: "documents",
    Category.IMAGE: "images",
    Category.VIDEO: "videos",
    Category.STICKER: "stickers",
}
_SINGULARS: Final[dict[Category, str]] = {
    Category.AUDIO: "audio file",
    Category.DOCUMENT: "document",
    Category.IMAGE: "image",
    Category.VIDEO: "video",
    Category.STICKER: "sticker",
}


def inspect_file(path: Path, *, name: str | None = None, kind: Category | None = None) -> Verdict:
    """Judge one file by its content: whether WhatsApp takes it, as what, and if not, why.

    The content is read once to hash and to size it; examiners then look at the parts they need. Never raises
    for what a file holds or for a file that is not there: that is what verdicts are for.

    Args:
        path: the file.
        name: what the sender calls it, by default the path's own name. Only compared with the content.
        kind: the category that the manifest asks for; a file of another one is refused.
    """
    try:
        with Content(path) as content:
            return _judge(content, name=path.name if name is None else name, kind=kind)
    except (OSError, ValueError) as error:
        return _unopened(path, error)


def _unopened(path: Path, error: OSError | ValueError) -> Verdict:
    reason = Reason.UNREADABLE
    match error:
        case FileNotFoundError():
            reason, detail = Reason.MISSING, "There is no such file."
        case NotADirectoryError():
            reason, detail = Reason.MISSING, "There is no such file: part of its path is not a folder."
        case IsADirectoryError():
            closed = not os.access(path, os.R_OK | os.X_OK)
            detail = _CLOSED_FOLDER if closed else "This is a folder, not a file."
        case NotAFile():
            detail = "This is a pipe or a device, not a file."
        case PermissionError():
            detail = "Greenroom is not allowed to read this file."
        case OSError(strerror=str(why)):
            detail = f"This file cannot be read: {why}."
        case _:
            detail = "This file cannot be read: its path is not valid."
    return Verdict(
        label="no file", size=0, sha256=None, category=None, mime_type=None, reason=reason, detail=detail
    )


def _judge(content: Content, *, name: str, kind: Category | None) -> Verdict:
    finding = _find(content)
    row = BY_MIME_TYPE.get(finding.mime_type or "")
    category = row.category if row else None
    reason, detail = _decide(content, finding, kind)
    return Verdict(
        label=finding.label,
        size=content.size,
        sha256=content.sha256,
        category=category,
        mime_type=finding.mime_type,
        reason=reason,
        detail=detail,
        notices=finding.notices + _name_notices(name, finding) + _data_notices(name, finding, reason),
    )


def _find(content: Content) -> Finding:
    """What the examiner says; a parser that fails makes the file broken and nothing else."""
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


def _decide(content: Content, finding: Finding, kind: Category | None) -> tuple[Reason | None, str]:
    """The reason that counts most: over every limit, another type, another kind, its inside, its size."""
    row = BY_MIME_TYPE.get(finding.mime_type or "")
    if content.size > LARGEST_FILE:
        return Reason.TOO_LARGE, (
            f"This file is {compared(content.size, LARGEST_FILE)}; "
            f"WhatsApp takes nothing above {human_size(LARGEST_FILE)}"
            + (
                f", and {_PLURALS[row.category]} up to {human_size(size_limit(row.mime_type))}."
                if row
                else "."
            )
        )
    if row is None:
        return finding.reason, finding.detail
    if kind is not None and row.category is not kind:
        return Reason.WRONG_KIND, (
            f"This is {_with_article(row.label)}, so {_with_article(_SINGULARS[row.category])} to WhatsApp; "
            f"the manifest asks for {_with_article(_SINGULARS[kind])}."
        )
    too_large = _size_sentence(content.size, finding)
    return _both(finding, too_large) if too_large else (finding.reason, finding.detail)


def _both(finding: Finding, too_large: str) -> tuple[Reason, str]:
    """The reason of a file that is too large, and perhaps has another fault, which is told as well."""
    if finding.reason is None:
        return Reason.TOO_LARGE, f"This {too_large}."
    if finding.reason is Reason.BROKEN:
        # A whole copy of it would be too large all the more.
        return Reason.TOO_LARGE, f"This {too_large}. Also, t{finding.detail[1:]}"
    return finding.reason, f"{finding.detail} Also, this {too_large}."


def _size_sentence(size: int, finding: Finding) -> str:
    """Empty when the file is within its limit."""
    row = BY_MIME_TYPE[finding.mime_type or ""]
    limit = size_limit(row.mime_type, animated=finding.animated)
    if size <= limit:
        return ""
    which = ""
    if row.category is Category.STICKER:
        which = "animated " if finding.animated else "static "
    return (
        f"{which}{_SINGULARS[row.category]} is {compared(size, limit)}; "
        f"WhatsApp takes {which}{_PLURALS[row.category]} up to {human_size(limit)}"
    )


def _with_article(noun: str) -> str:
    if noun == "plain text":
        return noun
    return ("an " if noun[0] in "aeiouAEIO" or noun.startswith(("MP", "M4A")) else "a ") + noun


def _data_notices(name: str, finding: Finding, reason: Reason | None) -> tuple[Notice, ...]:
    """A notice on a text that by its name is data or markup, where its content alone did not tell."""
    ending = extension_in(name)
    if (
        reason is not None
        or finding.mime_type != "text/plain"
        or ending in (".txt", ".text", ".log")
        or ending not in extensions_of("text/plain")
        or any(notice.code == "sent_as_plain_text" for notice in finding.notices)
    ):
        return ()
    detail = f"This is a {ending} file; it is sent as a plain text document."
    return (Notice(code="sent_as_plain_text", detail=detail),)


def _name_notices(name: str, finding: Finding) -> tuple[Notice, ...]:
    """A notice when the name's ending claims another type than the content is."""
    ending = extension_in(name)
    honest = extensions_of(finding.mime_type) if finding.mime_type else frozenset(finding.extensions)
    if not ending or not honest or ending in honest or ending in finding.extensions:
        return ()
    detail = f"It is named {ending}, but its content is: {finding.label}."
    return (Notice(code="name_disagrees", detail=detail),)
