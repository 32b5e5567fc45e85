"""MIME types as other programs write them, and what they may be on the provider's page."""

from __future__ import annotations

from greenroom.rules import BY_MIME_TYPE

_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = f"{_OFFICE}wordprocessingml.document"
PPTX = f"{_OFFICE}presentationml.presentation"
XLSX = f"{_OFFICE}spreadsheetml.sheet"
DOC, XLS, PPT = "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"

AUDIO = frozenset(name for name in BY_MIME_TYPE if name.startswith("audio/"))
VIDEO = frozenset(name for name in BY_MIME_TYPE if name.startswith("video/"))
IMAGES = frozenset(name for name in BY_MIME_TYPE if name.startswith("image/"))
OLE = frozenset({DOC, XLS, PPT})
OOXML = frozenset({DOCX, XLSX, PPTX})

#: Who goes by brands alone does not see whether there is an image.
_MP4 = frozenset({"audio/mp4", "video/mp4"})
_3GP = _MP4 | {"video/3gpp"}
_TEXT = frozenset({"text/plain"})
#: Text that has a MIME type of its own, which the page lacks, and is sent as none (see the reference).
MARKUP = frozenset({"text/html", "text/xml", "text/rtf", "image/svg+xml", "application/postscript"})
_SPELLINGS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("audio/mp4", "audio/x-m4a", "video/mp4", "video/x-m4v"), _MP4),
    **dict.fromkeys(("video/3gpp", "audio/3gpp"), _3GP),
    **dict.fromkeys(("audio/x-aac", "audio/x-hx-aac-adts", "audio/aacp"), frozenset({"audio/aac"})),
    **dict.fromkeys(("audio/mp3", "audio/x-mp3"), frozenset({"audio/mpeg"})),
    **dict.fromkeys(("audio/opus", "application/ogg", "audio/x-opus+ogg"), frozenset({"audio/ogg"})),
    **dict.fromkeys(("image/apng", "image/vnd.mozilla.apng"), frozenset({"image/png"})),
    **dict.fromkeys(("application/cdfv2", "application/x-ole-storage", "application/vnd.ms-office"), OLE),
    "image/vnd.fpx": OLE,  # exiftool's name for OLE files of which it knows no more
    "application/zip": OOXML,
    **dict.fromkeys(
        (
            *("application/json", "application/x-ndjson", "application/csv", "application/javascript"),
            *("application/x-sh", "application/x-subrip", "application/x-wine-extension-ini"),
            *("application/pgp-keys", "application/pgp-signature", "application/sql", "message/rfc822"),
        ),
        _TEXT,
    ),
}


def page_types(name: str) -> frozenset[str]:
    """What a file may be on the page that a program calls so; its own name where it is on no page."""
    name = name.lower()
    if name.startswith("text/") and name not in MARKUP:
        return _TEXT
    return _SPELLINGS.get(name, frozenset({name}))
