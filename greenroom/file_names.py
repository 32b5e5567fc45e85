"""File names: whether they agree with the content, and a safe one for the multipart form."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from greenroom.rules import BY_MIME_TYPE

#: Characters, and bytes in UTF-8, that a clean name may have.
LONGEST_NAME: Final = 120
_LONGEST_BYTES: Final = 240
#: Characters at a name's start, and at its end, of a name that is longer than any file system has them.
_LOOKED_AT: Final = 512


def _endings(*lines: str) -> frozenset[str]:
    return frozenset(f".{word}" for line in lines for word in line.split())


#: Endings besides the table's own that honestly go with a MIME type.
OTHER_EXTENSIONS: Final[dict[str, frozenset[str]]] = {
    "image/jpeg": _endings("jpeg jpe jfif jif"),
    "audio/aac": _endings("adts"),
    "audio/amr": _endings("3ga"),
    "audio/mpeg": _endings("mpga mpeg3"),
    "audio/mp4": _endings("m4b m4r mp4 mp4a"),
    "audio/ogg": _endings("opus oga"),
    "video/mp4": _endings("m4v mp4v"),
    "video/3gpp": _endings("3gpp"),
    "text/plain": _endings(
        "csv tsv json jsonl ndjson md markdown log text ini cfg conf yaml yml toml vcf ics srt vtt eml",
        "rst tex sql py js ts css sh bat c h cpp java go rs rb php pl asc",
    ),
    "application/msword": _endings("dot"),
    "application/vnd.ms-excel": _endings("xlt xla"),
    "application/vnd.ms-powerpoint": _endings("pps pot"),
}

#: Of these, the endings that nobody takes for another type; a file is sent with one of these or with the
#: table's own.
_SENT_EXTENSIONS: Final[dict[str, frozenset[str]]] = {
    "image/jpeg": _endings("jpeg"),
    "application/msword": _endings("dot"),
    "application/vnd.ms-excel": _endings("xlt xla"),
    "application/vnd.ms-powerpoint": _endings("pps pot"),
}

#: Endings of types that the provider does not take; they make a name disagree, and are replaced.
_FOREIGN_EXTENSIONS: Final = _endings(
    "gif heic heif avif bmp tif tiff svg ico psd jxl jp2 eps ai",
    "wav flac wma aif aiff caf mid ra mkv webm avi mov wmv flv mpg mpeg ts m2ts vob ogv 3g2 f4v",
    "zip rar 7z gz tar bz2 xz exe dll msi apk dmg iso jar",
    "html htm xml rtf odt ods odp epub pages numbers key docm xlsm pptm dotx xltx potx ppsx xlsb",
    "pub msg vsd vsdx mobi ps bin dat part crdownload tmp",
)


def extensions_of(mime_type: str) -> frozenset[str]:
    """Every ending that honestly goes with a MIME type of the provider's table; empty for another's."""
    row = BY_MIME_TYPE.get(mime_type)
    return OTHER_EXTENSIONS.get(mime_type, frozenset()) | {row.extension} if row else frozenset()


def sent_extensions_of(mime_type: str) -> frozenset[str]:
    """Every ending that a file of this MIME type is sent with; empty for a type outside the table."""
    row = BY_MIME_TYPE.get(mime_type)
    return _SENT_EXTENSIONS.get(mime_type, frozenset()) | {row.extension} if row else frozenset()


_KNOWN: Final = _FOREIGN_EXTENSIONS.union(*(extensions_of(mime_type) for mime_type in BY_MIME_TYPE))


def extension_in(name: str) -> str:
    """The ending of a name, in lower case with its dot, if it is one that claims a type; else empty."""
    stem, dot, ending = name.rpartition(".")
    extension = f".{ending.lower()}" if dot and stem else ""
    return extension if extension in _KNOWN else ""


_UNWANTED: Final = re.compile(r"""["'`<>|*?:;%\s]+""")


def safe_file_name(name: str, mime_type: str) -> str:
    """A name that is safe in a multipart header and on any disk, with the ending that its type is sent with.

    An ending that others take for another type is replaced (a voice note's ``.opus`` by ``.ogg``, ``.mp4`` of
    audio alone by ``.m4a``). One of text (``.csv``) stays before ``.txt``, for it says what the text is.

    Args:
        name: what the sender calls the file; may be a path, and may be hostile.
        mime_type: WhatsApp's name for what it really is. Of a type outside the provider's table the ending
            is left as it is.

    Returns:
        At most :data:`LONGEST_NAME` characters: no path, control characters, quotes or line breaks, and never
        hidden or empty. Letters of any script stay.
    """
    base = unicodedata.normalize("NFC", _within_bounds(name[max(name.rfind("/"), name.rfind("\\")) + 1 :]))
    if not base.isprintable():
        # Line breaks and tabs count as white space before they go as control characters: words stay apart.
        base = "".join(c for c in base if c.isspace() or not unicodedata.category(c).startswith("C"))
    base = _UNWANTED.sub(" ", base).strip(" .")
    extension = extension_in(base)
    wanted = sent_extensions_of(mime_type)
    is_text = mime_type == "text/plain" and extension in OTHER_EXTENSIONS[mime_type]
    keeps = not extension or (is_text and extension not in wanted)
    stem = base if keeps else base[: len(base) - len(extension)].rstrip(" .")
    if wanted and extension not in wanted:
        extension = BY_MIME_TYPE[mime_type].extension
    stem = _cut(stem, LONGEST_NAME - len(extension), _LONGEST_BYTES - len(extension))
    return (stem or "file") + extension


def _within_bounds(base: str) -> str:
    """The start and the ending: to put accents in order takes the square of their number."""
    if len(base) <= 2 * _LOOKED_AT:
        return base
    return base[:_LOOKED_AT] + base[-_LOOKED_AT:]


def _cut(stem: str, characters: int, size: int) -> str:
    return stem[:characters].encode()[:size].decode(errors="ignore").rstrip(" .")
