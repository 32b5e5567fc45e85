"""The provider's table of supported media types and sizes, as data.

Source of every row: 360dialog, "Upload, retrieve or delete media", section "Supported Media Types",
unless the row's own ``source`` says otherwise. Sizes are bytes; the page writes MB and KB, read here as
binary units (5 MB = 5 * 1024 * 1024), as Meta's own upload checks do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

KIB = 1024
MIB = 1024 * 1024

_PAGE = "360dialog: Supported Media Types"


class Category(StrEnum):
    """What a media file is to WhatsApp."""

    AUDIO = "audio"
    DOCUMENT = "document"
    IMAGE = "image"
    VIDEO = "video"
    STICKER = "sticker"


@dataclass(frozen=True, kw_only=True)
class MediaType:
    """One line of the provider's table.

    Attributes:
        mime_type: WhatsApp's own name, as sent in the multipart file part.
        category: which size limit applies.
        extension: the file name ending that goes with it, with its dot.
        label: what a campaign manager calls such a file.
        source: where the row comes from.
        content_types: what the file part's ``Content-Type`` may be, word for word, the usual one first; empty
            where it is the MIME type and nothing else.
        content_source: where these come from.
    """

    mime_type: str
    category: Category
    extension: str
    label: str
    source: str = _PAGE
    content_types: tuple[str, ...] = ()
    content_source: str = ""

    @property
    def content_type(self) -> str:
        """The usual ``Content-Type`` of the file part."""
        return self.content_types[0] if self.content_types else self.mime_type


#: What the part of an Ogg file may be declared as.
OGG_CONTENT_TYPES = ("audio/ogg; codecs=opus", "audio/ogg")

MEDIA_TYPES: tuple[MediaType, ...] = (
    MediaType(mime_type="audio/aac", category=Category.AUDIO, extension=".aac", label="AAC audio"),
    MediaType(mime_type="audio/amr", category=Category.AUDIO, extension=".amr", label="AMR audio"),
    MediaType(mime_type="audio/mpeg", category=Category.AUDIO, extension=".mp3", label="MP3 audio"),
    MediaType(mime_type="audio/mp4", category=Category.AUDIO, extension=".m4a", label="M4A audio"),
    MediaType(
        mime_type="audio/ogg",
        category=Category.AUDIO,
        extension=".ogg",
        label="Ogg Opus audio",
        content_types=OGG_CONTENT_TYPES,
        content_source='the page: "only opus codecs, base audio/ogg is not supported"; RFC 7845, section 9, '
        "names the parameter; the API's own list of types (error 100) has the base type",
    ),
    MediaType(mime_type="text/plain", category=Category.DOCUMENT, extension=".txt", label="plain text"),
    MediaType(
        mime_type="application/pdf", category=Category.DOCUMENT, extension=".pdf", label="PDF document"
    ),
    MediaType(
        mime_type="application/vnd.ms-powerpoint",
        category=Category.DOCUMENT,
        extension=".ppt",
        label="PowerPoint 97-2003 presentation",
    ),
    MediaType(
        mime_type="application/msword",
        category=Category.DOCUMENT,
        extension=".doc",
        label="Word 97-2003 document",
    ),
    MediaType(
        mime_type="application/vnd.ms-excel",
        category=Category.DOCUMENT,
        extension=".xls",
        label="Excel 97-2003 workbook",
    ),
    MediaType(
        mime_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        category=Category.DOCUMENT,
        extension=".docx",
        label="Word document",
    ),
    MediaType(
        mime_type="application/vnd.openxmlformats-officedocument.presentationml.presentation",
        category=Category.DOCUMENT,
        extension=".pptx",
        label="PowerPoint presentation",
    ),
    MediaType(
        mime_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        category=Category.DOCUMENT,
        extension=".xlsx",
        label="Excel workbook",
    ),
    MediaType(mime_type="image/jpeg", category=Category.IMAGE, extension=".jpg", label="JPEG image"),
    MediaType(mime_type="image/png", category=Category.IMAGE, extension=".png", label="PNG image"),
    MediaType(mime_type="video/mp4", category=Category.VIDEO, extension=".mp4", label="MP4 video"),
    MediaType(
        mime_type="video/3gpp",
        category=Category.VIDEO,
        extension=".3gp",
        label="3GP video",
        source="the page writes video/3gp; the API's own list of types (error 100) has video/3gpp",
    ),
    MediaType(mime_type="image/webp", category=Category.STICKER, extension=".webp", label="WebP sticker"),
)

BY_MIME_TYPE: dict[str, MediaType] = {row.mime_type: row for row in MEDIA_TYPES}

#: Names that a sender may use for a row of the table and that the API takes too.
MIME_TYPE_ALIASES: dict[str, str] = {
    "video/3gp": "video/3gpp",  # the page's own spelling
    "audio/opus": "audio/ogg",  # in the API's own list of types (error 100)
}

#: Bytes a file of the category may have.
SIZE_LIMITS: dict[Category, int] = {
    Category.AUDIO: 16 * MIB,
    Category.DOCUMENT: 100 * MIB,
    Category.IMAGE: 5 * MIB,
    Category.VIDEO: 16 * MIB,
    Category.STICKER: 500 * KIB,  # animated; a static sticker has STATIC_STICKER_LIMIT
}
STATIC_STICKER_LIMIT = 100 * KIB
#: "The maximum supported file size for media messages on Cloud API is 100MB."
LARGEST_FILE = 100 * MIB


def size_limit(mime_type: str, *, animated: bool = False) -> int:
    """Bytes that a file of this MIME type may have.

    Args:
        mime_type: a key of :data:`BY_MIME_TYPE`.
        animated: for stickers, whether it moves.

    Raises:
        KeyError: the table has no such type.
    """
    category = BY_MIME_TYPE[mime_type].category
    if category is Category.STICKER and not animated:
        return STATIC_STICKER_LIMIT
    return SIZE_LIMITS[category]
