"""Markup that is no plain text: HTML, XML, SVG, RTF, PostScript, MHTML, and pieces of them.

What a browser, a mail program or Excel takes for more than text would reach a customer as a page of tags.
A browser's rule is the WHATWG's MIME Sniffing standard (section 7.1): HTML is what opens with one of a few
tags. A text that merely opens with a tag, as Markdown with a logo does, is a text here: the whole file has to
be markup, which its last characters show.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from greenroom.inspection.content import HEAD, Content

#: Bytes in which a mail's headers have to end.
_LONGEST_HEADERS: Final = 64 * 1024
_COMMENT: Final = re.compile(r"\s*<!--")
_INSTRUCTION: Final = re.compile(r"\s*<\?(?:xml|xpacket|mso-|adobe|import)")
_DOCTYPE: Final = re.compile(r"\s*<!doctype\s")
_SVG: Final = re.compile(r"\s*(?:<!doctype\s+svg|<(?:svg:)?svg[\s/>])")
#: Tags of which a document that opens with one is HTML, whatever comes behind.
_HTML: Final = re.compile(
    r"\s*<(?:!doctype\s+(?:html|netscape)"
    r"|(?:html|head|body|frameset|title|meta|link|base|style|script|iframe|table|form)[\s/>])"
)
_TAG: Final = re.compile(r"\s*<([a-z_][\w.:-]{0,99})(?=[\s/>])")
#: Tags that open pieces of pages: those of section 7.1, and what editors and mail programs write besides.
_PIECES: Final = frozenset({
    "a", "abbr", "article", "aside", "b", "big", "blockquote", "br", "button", "canvas", "center",
    "code", "dd", "details", "div", "dl", "dt", "em", "fieldset", "figure", "font", "footer", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "input", "label", "li", "main", "nav",
    "ol", "p", "image", "pre", "s", "section", "small", "span", "strong", "sub", "sup", "tbody", "td",
    "th", "thead", "tr", "tt", "u", "ul", "video", "audio",
})  # fmt: skip
#: A heading of Markdown, whose other parts may be tags.
_TITLE: Final = re.compile(r"\n#{1,6} ")
#: Tags in the midst of a text; a few of them are more than a text about tags has.
_INLINE: Final = re.compile(
    r"</?(?:a|b|br|center|div|em|font|h[1-6]|hr|i|img|li|ol|p|span|strong|table|td|th|tr|u|ul)"
    r"(?:\s[^<>\n]{0,200})?/?>",
    re.IGNORECASE,
)
_MANY_TAGS: Final = 3
_STARTS: Final[tuple[tuple[str, str], ...]] = (
    ("{\\rtf", "text/rtf"),
    ("%!ps", "application/postscript"),
    ("\x1b%-12345x", "application/postscript"),
)
_HEADER: Final = re.compile(r"(?:from |[a-z][a-z0-9-]{1,60}:[ \t])")
_CONTENT_TYPE: Final = "content-type:"
_ENCODED: Final = "\ncontent-transfer-encoding: base64"


def decoded_text(data: bytes, encoding: str) -> str:
    """The letters of a piece of a text, whose ends may lie within a letter."""
    return codecs.getincrementaldecoder(encoding)("ignore").decode(data).lstrip("\ufeff")


def markup_of(content: Content, encoding: str) -> str | None:
    """The MIME type of the markup that a file is, as the table of foreign types has it; None of a text."""
    opening = decoded_text(content.head, encoding).lstrip().lower()
    if opening.startswith("<"):
        at = _behind_preamble(opening)
        if _SVG.match(opening, at):
            return "image/svg+xml"
        return "text/html" if _HTML.match(opening, at) else _whole(content, encoding, opening, at)
    known = next((kind for starts, kind in _STARTS if opening.startswith(starts)), None)
    return known or (_mail(content) if _HEADER.match(opening) else None)


def _behind_preamble(opening: str) -> int:
    """Where a document begins behind its XML declaration, other instructions and comments.

    A scan, and no pattern: one that may end a comment at any ``-->`` tries every way to share out the text
    among its comments, and each further comment doubles that.
    """
    at = 0
    while True:
        start, mark = _COMMENT.match(opening, at), "-->"
        if start is None:
            start, mark = _INSTRUCTION.match(opening, at), ">"
        if start is None or (end := opening.find(mark, start.end())) < 0:
            return at
        at = end + len(mark)


def _whole(content: Content, encoding: str, opening: str, at: int) -> str | None:
    """The markup that a file is from its first tag to its last one."""
    if _INSTRUCTION.match(opening) or _DOCTYPE.match(opening, at):
        return "text/xml"
    tag = _TAG.match(opening, at)
    if tag is None:
        return None
    name = tag[1]
    ending = _ending(content, encoding)
    if name in _PIECES:
        return "text/x-html-piece" if ending.endswith(">") and not _TITLE.search(opening) else None
    alone = ending.endswith("/>") and content.size <= HEAD and opening.count("<", at) == 1
    return "text/xml" if alone or ending.endswith(f"</{name}>") else None


def _ending(content: Content, encoding: str) -> str:
    """The last characters, without comments behind the last tag."""
    # From a place at which a letter of UTF-16 or UTF-32 begins.
    at = max(0, content.size - HEAD) & ~3
    ending = decoded_text(content.read(at, HEAD + 4), encoding).rstrip().lower()
    while ending.endswith("-->") and (start := ending.rfind("<!--")) >= 0:
        ending = ending[:start].rstrip()
    return ending


def _mail(content: Content) -> str | None:
    """A mail or a saved page that a program has to put together; None of a text and of a plain mail."""
    # Mail is ASCII in its headers (RFC 5322), whatever is behind them.
    headers = content.read(0, _LONGEST_HEADERS).decode("latin-1").lower().replace("\r\n", "\n")
    headers = headers.partition("\n\n")[0]
    named = next((line for line in headers.split("\n") if line.startswith(_CONTENT_TYPE)), "")
    kind = named.removeprefix(_CONTENT_TYPE).partition(";")[0].strip()
    if "mime-version:" not in headers:
        return None
    if kind == "multipart/related" or (kind == "text/html" and "\nsubject:" not in headers):
        return "multipart/related"
    parts = kind.startswith("multipart/") or kind == "text/html" or _ENCODED in headers
    return "multipart/mixed" if parts else None


def has_tags(start: str) -> bool:
    """Whether a text has tags of HTML in it that people would see."""
    tags = _INLINE.finditer(start[:HEAD])
    return sum(1 for _ in zip(range(_MANY_TAGS), tags, strict=False)) == _MANY_TAGS
