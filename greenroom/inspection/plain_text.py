"""Plain text: UTF-8, UTF-16 with a mark, or an older encoding; and markup that is no plain text.

The provider's table has ``text/plain`` and no other text. Data and prose that people read as they are (CSV,
JSON, Markdown, logs, source code, contact cards) are sent as ``text/plain`` on purpose, with a notice. HTML,
XML, SVG, RTF and PostScript are written for a program to show, have MIME types of their own which the table
lacks, and would reach the customer as a page of tags: they are refused (``greenroom.inspection.markup``).
Text in another encoding than UTF-8 is ``text/plain`` as well, and goes with a notice.
"""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from greenroom.inspection.content import HEAD, Content
from greenroom.inspection.finding import Finding
from greenroom.inspection.foreign_types import UNKNOWN
from greenroom.inspection.markup import decoded_text, has_tags, markup_of
from greenroom.inspection.unsupported import foreign
from greenroom.reasons import Reason
from greenroom.verdict import Notice

_MIME_TYPE: Final = "text/plain"
_EBCDIC: Final = Finding(
    label="text in EBCDIC",
    reason=Reason.NOT_TEXT,
    detail="This text is in EBCDIC, as mainframes write it, and phones cannot read it; save it as UTF-8.",
    extensions=(".txt", ".csv"),
)
#: What to call a text in another encoding than UTF-8, and what to say of it.
_ENCODINGS: Final = {
    "latin-1": "not UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
}
_ENCODING_NOTICES: Final = {
    "latin-1": Notice(
        code="not_utf8",
        detail=(
            "This text is not UTF-8, and does not say what else it is; all letters but the plain Latin ones "
            "may look wrong on a phone. Save it as UTF-8."
        ),
    ),
    **{
        encoding: Notice(
            code="not_utf8",
            detail=f"This text is {name}, which not every phone reads. Save it as UTF-8.",
        )
        for encoding, name in _ENCODINGS.items()
        if encoding != "latin-1"
    },
}
#: Encodings that are tried on text that does not say which it is in.
_UNMARKED: Final = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
#: Share of ASCII letters above which bytes read as UTF-16 are no chance; letters below which they may be.
_MOSTLY_LATIN: Final = 0.7
_MOSTLY_PLAIN: Final = 0.85
_FEW_LETTERS: Final = 4
#: Spaces and stops of the scripts that have many letters, and the share of them that prose has.
_STOPS: Final = frozenset(" \n.,\u3000\u3001\u3002\uff0c")
_FEW_STOPS: Final = 0.005
#: Blocks of 256 that texts of every script have letters of: Latin, punctuation, CJK's own, wide forms.
_SHARED_BLOCKS: Final = frozenset({0x00, 0x20, 0x30, 0xFF})
#: Unicode's categories of what is no letter of anybody's: not given, private, halves of pairs.
_NO_LETTERS: Final = frozenset({"Cn", "Co", "Cs"})
_CHUNK: Final = 256 * 1024
#: Longest first: the UTF-32 mark begins like the UTF-16 one.
_MARKS: Final[tuple[tuple[bytes, str], ...]] = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Control characters that occur in text: bell to carriage return, DOS' end of file, escape (colours in logs).
_ALLOWED_CONTROLS: Final = frozenset({7, 8, 9, 10, 11, 12, 13, 26, 27})
_CONTROLS: Final = bytes(code for code in (*range(32), 127) if code not in _ALLOWED_CONTROLS)
_CONTROL_CHARACTER: Final = re.compile(f"[{re.escape(_CONTROLS.decode())}]")
#: Shares of control bytes, and of bytes that are no UTF-8, up to which a file counts as text that went wrong.
_MOSTLY_TEXT: Final = 0.05
_MOSTLY_UTF8: Final = 0.2
#: Bytes without a control character from which on a file is text: one in a million is so of noise.
_SURELY_TEXT: Final = 128
#: Images that are written in letters (netpbm's formats, XPM), by how they open: "P5 is my seat" is a text.
#: Everything else that is text through and through is a text.
_DRAWN_IN_LETTERS: Final = re.compile(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*\d+\s+\d+\s|P7\s+(?:#|WIDTH)|/\* XPM")

_CONTACT: Final = "a contact card (vCard)"
_KINDS: Final[dict[str, str]] = {
    "text/csv": "a CSV table",
    "application/csv": "a CSV table",
    "application/json": "JSON data",
    "application/x-ndjson": "JSON data",
    "text/vcard": _CONTACT,
    "text/x-vcard": _CONTACT,
    "text/calendar": "a calendar entry",
    "message/rfc822": "an e-mail",
    "text/x-shellscript": "a script",
    "text/x-python": "a script",
    "text/x-script.python": "a script",
    "text/x-msdos-batch": "a script",
    "text/x-php": "a script",
    "text/x-perl": "a script",
    "text/x-ruby": "a script",
    "application/javascript": "a script",
}
_TABLES: Final = ("text/csv", "application/csv")
#: The same by how it opens, where libmagic has no word for it.
_OPENINGS: Final[tuple[tuple[str, str], ...]] = (
    ("BEGIN:VCARD", _CONTACT),
    ("BEGIN:VCALENDAR", "a calendar entry"),
    ("<?php", "a script"),
    ("#!/", "a script"),
    ("ISO-10303-21;", "a 3D model (STEP)"),
    ("solid ", "a 3D model (STL)"),
    ("#VRML V", "a 3D model (VRML)"),
    ("ply\nformat ascii", "a 3D model (PLY)"),
    ("#EXTM3U", "a playlist"),
    ("[InternetShortcut]", "a link to a web page"),
    ("-----BEGIN ", "a key, a certificate or an encrypted message"),
    ("STARTFONT ", "a font (BDF)"),
    ("WEBVTT", "a list of subtitles"),
)
_HEADING: Final = re.compile(r"(?:\A|\n)(?:#{1,6} \S|```|\* \S|- \S|\[[^\]\n]{1,200}\]\([^)\n]{1,200}\))")
#: A lower heading: a single # opens a comment in most scripts.
_TITLE: Final = re.compile(r"(?:\A|\n)#{2,6} \S")


def examine(content: Content, mime: str) -> Finding:
    """Judge a file that is text to libmagic or opens with a text mark.

    Args:
        content: the file.
        mime: libmagic's name for it, which tells CSV, JSON and scripts from prose.
    """
    mark, encoding = next(((m, e) for m, e in _MARKS if content.head.startswith(m)), (b"", "utf-8"))
    markup = markup_of(content, encoding)
    if markup is not None:
        return foreign(markup)
    if not is_text(content, encoding):
        if _is_ebcdic(content.head):
            return _EBCDIC
        if mark or not is_text(content, "latin-1"):
            return _not_text()
        encoding = "latin-1"
    kind = _kind_of(decoded_text(content.head, encoding), mime)
    notices = (_kind_notice(kind, decoded_text(content.head, encoding)), _ENCODING_NOTICES.get(encoding))
    name = "plain text" + (f" ({_ENCODINGS[encoding]})" if encoding in _ENCODINGS else "")
    return Finding(
        label=f"{name} ({kind.removeprefix('a ').removeprefix('an ')})" if kind else name,
        mime_type=_MIME_TYPE,
        notices=tuple(notice for notice in notices if notice is not None),
    )


def _kind_notice(kind: str | None, start: str) -> Notice | None:
    """A notice on a text that is data, or that has tags in it."""
    if kind is not None:
        return Notice(
            code="sent_as_plain_text", detail=f"This is {kind}; it is sent as a plain text document."
        )
    if not has_tags(start):
        return None
    detail = "This text has HTML tags in it; it is sent as a plain text document, and people see the tags."
    return Notice(code="sent_as_plain_text", detail=detail)


def odd(content: Content) -> Finding | None:
    """The finding on a text that libmagic takes for binary data; None of a file that is no text."""
    encoding = unmarked_encoding(content.head)
    if encoding is not None:
        markup = markup_of(content, encoding)
        return foreign(markup) if markup is not None else _without_mark(encoding)
    spoiled = mostly_text(content.head)
    return examine(content, UNKNOWN) if spoiled or _is_surely_text(content) else None


def _is_ebcdic(head: bytes) -> bool:
    """Whether a text is in EBCDIC, which is text to libmagic too: its spaces are other bytes."""
    letters = _letters(head, "cp500")
    plain = sum(letter.isascii() and (letter.isalnum() or letter in " .,\n") for letter in letters)
    return " " in letters and b" " not in head and plain > len(letters) * _MOSTLY_PLAIN


def _not_text() -> Finding:
    return Finding(
        label="text with binary data in it",
        reason=Reason.NOT_TEXT,
        detail="This file looks like text but has binary data in it; WhatsApp takes plain text, best UTF-8.",
        extensions=(".txt",),
    )


def _without_mark(encoding: str) -> Finding:
    """The finding on text in UTF-16 or UTF-32 that does not say so: readers take it for binary data."""
    name = encoding[:6].upper()
    return Finding(
        label=f"text in {name} without its mark",
        reason=Reason.NOT_TEXT,
        detail=f"This text is in {name} but does not say so, and phones cannot read it; save it as UTF-8.",
        extensions=(".txt", ".csv"),
    )


def is_marked_in_vain(content: Content) -> bool:
    """Whether a file begins like UTF-16 or UTF-32 and is no text: FF FE opens other formats, too."""
    encoding = next((e for m, e in _MARKS if content.head.startswith(m)), "")
    if not encoding.startswith(("utf-16", "utf-32")):
        return False
    start = content.head[: len(content.head) & ~3].decode(encoding, "replace")
    strange = start.count("\ufffd") + sum(unicodedata.category(letter) in _NO_LETTERS for letter in start)
    return strange > len(start) * _MOSTLY_TEXT


def _pieces(content: Content) -> Iterator[bytes]:
    if content.data is not None:
        yield content.data
        return
    # An oversize file is refused for its size anyway; its first bytes say what it is.
    end = HEAD if content.oversize else content.size
    for offset in range(0, end, _CHUNK):
        yield content.read(offset, min(_CHUNK, end - offset))


def is_text(content: Content, encoding: str) -> bool:
    """Whether the whole content decodes and has no control characters that text never has."""
    decoder = codecs.getincrementaldecoder(encoding)()
    bytewise = encoding in ("utf-8", "utf-8-sig", "latin-1")
    try:
        for piece in _pieces(content):
            text = decoder.decode(piece)
            if bytewise and len(piece) != len(piece.translate(None, _CONTROLS)):
                return False
            if not bytewise and _CONTROL_CHARACTER.search(text):
                return False
        if not content.oversize:
            decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def mostly_text(head: bytes) -> bool:
    """Whether a file that libmagic does not know is text that something spoiled, rather than binary data."""
    controls = len(head) - len(head.translate(None, _CONTROLS))
    strange = len(head) - len(head.decode("utf-8", "ignore").encode())
    return 0 < controls <= len(head) * _MOSTLY_TEXT and strange <= len(head) * _MOSTLY_UTF8


def is_all_text(content: Content) -> bool:
    """Whether a file that libmagic takes for something else is text to its last byte.

    No binary format is: "GIF8 is how a GIF starts" is a sentence, and SYLK, DIF and TeX are text by design.
    """
    if _DRAWN_IN_LETTERS.match(content.head):
        return False
    return is_text(content, "utf-8") or _is_surely_text(content)


def _is_surely_text(content: Content) -> bool:
    """Whether it is text in an encoding that cannot be told, by what text never has."""
    return content.size >= _SURELY_TEXT and is_text(content, "latin-1")


def _letters(head: bytes, encoding: str) -> str:
    """What bytes are in an encoding; empty where they make no text in it."""
    try:
        letters = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeError:
        return ""
    return "" if _CONTROL_CHARACTER.search(letters) else letters


def _is_latin(letters: str) -> bool:
    return sum(letter.isascii() for letter in letters) > len(letters) * _MOSTLY_LATIN


def _is_in_one_script(letters: str) -> bool:
    """Whether letters stand together in one block of Unicode, or have spaces and stops between them.

    Noise decodes as UTF-16, too, but not into such letters.
    """
    if len(letters) < _FEW_LETTERS or any(unicodedata.category(letter) in _NO_LETTERS for letter in letters):
        return False
    blocks = {ord(letter) >> 8 for letter in letters} - _SHARED_BLOCKS
    return len(blocks) == 1 or sum(letter in _STOPS for letter in letters) > len(letters) * _FEW_STOPS


def unmarked_encoding(head: bytes) -> str | None:
    """The encoding of a text in UTF-16 or UTF-32 that does not say so; Latin letters prove the most."""
    read = {encoding: _letters(head, encoding) for encoding in _UNMARKED}
    proofs = (_is_latin, _is_in_one_script)
    return next((e for proves in proofs for e, letters in read.items() if proves(letters)), None)


def _kind_of(start: str, mime: str) -> str | None:
    """What sort of plain text it is, where that is worth saying."""
    opening = start.lstrip()
    if mime in _TABLES and start.count(", ") * 2 > start.count(","):
        mime = _MIME_TYPE  # sentences with as many commas each are a table to libmagic
    known = _KINDS.get(mime) or next((kind for begins, kind in _OPENINGS if opening.startswith(begins)), None)
    if known is not None:
        return known
    if opening[:1] in ("{", "["):
        try:
            json.loads(start)
        except (ValueError, RecursionError):
            return None
        return "JSON data"
    return "Markdown" if _TITLE.search(start) and len(_HEADING.findall(start)) > 1 else None
