"""Plain text: UTF-8, UTF-16 with a mark, or a single-byte alphabet; and markup that is no plain text.

The provider's table has ``text/plain`` and no other text. Data and prose that people read as they are (CSV,
JSON, Markdown, logs, source code, contact cards) are sent as ``text/plain`` on purpose, with a notice. HTML,
XML, SVG, RTF and PostScript are written for a program to show, have MIME types of their own which the table
lacks, and would reach the customer as a page of tags: they are refused.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Final

from greenroom.inspection.content import HEAD, Content
from greenroom.inspection.finding import Finding
from greenroom.inspection.unsupported import foreign
from greenroom.reasons import Reason
from greenroom.verdict import Notice

_MIME_TYPE: Final = "text/plain"
_CHUNK: Final = 256 * 1024
#: Longest first: the UTF-32 mark begins like the UTF-16 one.
_MARKS: Final[tuple[tuple[bytes, str], ...]] = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Control characters that occur in text: bell to carriage return, DOS' end of file, escape (colours in logs).
_ALLOWED_CONTROLS: Final = frozenset({7, 8, 9, 10, 11, 12, 13, 26, 27})
_CONTROLS: Final = bytes(code for code in (*range(32), 127) if code not in _ALLOWED_CONTROLS)
_CONTROL_CHARACTER: Final = re.compile(f"[{re.escape(_CONTROLS.decode())}]")
#: Shares of control bytes, and of bytes that are no UTF-8, up to which a file counts as text that went wrong.
_MOSTLY_TEXT: Final = 0.05
_MOSTLY_UTF8: Final = 0.2
#: Share of ASCII letters above which bytes read as UTF-16 are no chance.
_MOSTLY_LATIN: Final = 0.7
#: Images that are written in letters (netpbm's formats, XPM), by how they open: "P5 is my seat" is a text.
#: Everything else that is text through and through is a text.
_DRAWN_IN_LETTERS: Final = re.compile(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*\d+\s+\d+\s|P7\s+(?:#|WIDTH)|/\* XPM")

#: How a document opens that is markup, and what it is: in lower case, after white space; the first two
#: after an XML declaration and comments as well.
_COMMENT: Final = re.compile(r"\s*<!--")
_SVG: Final = re.compile(r"\s*(?:<!doctype\s+svg|<(?:svg:)?svg[\s/>])")
_HTML: Final = re.compile(r"\s*<(?:!doctype\s+html|html|head|body|title|meta|link|style|script)[\s>]")
_MARKUP: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("<?xml ", "<?xml\t", "<?xml\r", "<?xml\n"), "text/xml"),
    (("{\\rtf",), "text/rtf"),
    (("%!ps",), "application/postscript"),
)
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
    start = content.head.decode(encoding, "ignore").lstrip("\ufeff")
    markup = _markup(start[:HEAD].lstrip().lower())
    if markup is not None:
        return foreign(markup)
    if not is_text(content, encoding):
        if mark or not is_text(content, "latin-1"):
            return _not_text()
        encoding = "latin-1"
    name = "plain text" if encoding != "latin-1" else "plain text in an old alphabet"
    notices = []
    kind = _kind_of(start, mime)
    if kind is not None:
        detail = f"This is {kind}; it is sent as a plain text document."
        notices.append(Notice(code="sent_as_plain_text", detail=detail))
    if encoding == "latin-1":
        detail = "This text is not UTF-8; letters with accents may look wrong on a phone. Save it as UTF-8."
        notices.append(Notice(code="not_utf8", detail=detail))
    label = f"{name} ({kind.split(' ', 1)[1] if kind.startswith(('a ', 'an ')) else kind})" if kind else name
    return Finding(label=label, mime_type=_MIME_TYPE, notices=tuple(notices))


def _markup(opening: str) -> str | None:
    """What sort of markup a document is that opens so; None of a text."""
    behind = _after_comments(opening)
    if _SVG.match(opening, behind):
        return "image/svg+xml"
    if _HTML.match(opening, behind):
        return "text/html"
    return next((kind for starts, kind in _MARKUP if opening.startswith(starts)), None)


def _after_comments(opening: str) -> int:
    """Where a document begins behind its XML declaration and its comments.

    A scan, and no pattern: one that may end a comment at any ``-->`` tries every way to share out the text
    among its comments, and each further comment doubles that.
    """
    at = opening.find(">") + 1 if opening.startswith("<?xml") else 0
    while (comment := _COMMENT.match(opening, at)) and (end := opening.find("-->", comment.end())) >= 0:
        at = end + len("-->")
    return at


def _not_text() -> Finding:
    return Finding(
        label="text with binary data in it",
        reason=Reason.NOT_TEXT,
        detail="This file looks like text but has binary data in it; WhatsApp takes plain text, best UTF-8.",
        extensions=(".txt",),
    )


def without_mark() -> Finding:
    """The finding on text in UTF-16 that does not say so: readers take it for binary data."""
    return Finding(
        label="text in UTF-16 without its mark",
        reason=Reason.NOT_TEXT,
        detail="This text is in UTF-16 but does not say so, and phones cannot read it; save it as UTF-8.",
        extensions=(".txt", ".csv"),
    )


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
    """Whether a file that libmagic takes for something else is UTF-8 text to its last byte.

    No binary format is: "GIF8 is how a GIF starts" is a sentence, and SYLK, DIF and TeX are text by design.
    """
    return not _DRAWN_IN_LETTERS.match(content.head) and is_text(content, "utf-8")


def is_utf16_without_mark(head: bytes) -> bool:
    """Whether a file is text in UTF-16, mostly of Latin letters, without the mark that would say so."""
    whole = head[: len(head) & ~1]
    for encoding in ("utf-16-le", "utf-16-be"):
        text = whole.decode(encoding, "ignore")
        latin = sum(character.isascii() for character in text)
        if latin > len(whole) / 2 * _MOSTLY_LATIN and not _CONTROL_CHARACTER.search(text):
            return True
    return False


def _kind_of(start: str, mime: str) -> str | None:
    """What sort of plain text it is, where that is worth saying."""
    known = _KINDS.get(mime)
    if known is not None:
        return known
    if start.lstrip()[:1] in ("{", "["):
        try:
            json.loads(start)
        except (ValueError, RecursionError):
            return None
        return "JSON data"
    return "Markdown" if _TITLE.search(start) and len(_HEADING.findall(start)) > 1 else None
