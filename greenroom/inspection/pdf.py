"""PDF: that it runs to its end, that its index is there, and whether it asks for a password.

Sources: ISO 32000-1, section 7.5, and its annex H.3: readers take a header within the first 1,024 bytes and
an end mark within the last ones. All readers go by ``startxref`` and do without the end mark; phones do not
do without the header. A password is no reason to refuse: the provider's table takes ``application/pdf`` and
says nothing of passwords, and statements are sent that way on purpose: a notice.
"""

from __future__ import annotations

import re
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.sniff import PDF_OBJECT
from greenroom.rules import MIB
from greenroom.verdict import Notice

_MIME_TYPE: Final = "application/pdf"
_HEADER_WITHIN: Final = 1024
#: Mail gateways and scanners add bytes behind the end mark; readers look back this far for it.
_END_WITHIN: Final = 16 * 1024
_LARGEST_INDEX: Final = 4 * MIB
_STREAM_INDEX: Final = 64 * 1024
_SCANNED: Final = 2 * MIB

_VERSION: Final = re.compile(rb"%PDF-(\d\.\d)")
_START: Final = re.compile(rb"startxref\s+(\d{1,15})(?!\d)")
_DIGITS: Final = b"0123456789"
_ENCRYPT: Final = re.compile(rb"/Encrypt[\s<\d]")
_END_MARK: Final = b"%%EOF"
#: Control characters that neither mail headers nor printer languages nor filled-up blocks have.
_CONTAINER: Final = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")


def is_inside(content: Content) -> bool:
    """Whether the PDF that begins within a file's first bytes is but a part of that file.

    So it is where other than stray bytes come before it, and other than its end is at the file's end.
    """
    before = content.head.partition(b"%PDF-")[0]
    return _CONTAINER.search(before) is not None and not _tail(content).rstrip().endswith(_END_MARK)


def examine(content: Content) -> Finding:
    """Judge a file with a PDF header, or with an object at its start where that should be.

    Raises:
        Damaged: it has no header, stops before its end, or has no index and no objects.
    """
    shift = content.head.find(b"%PDF-", 0, _HEADER_WITHIN)
    if shift < 0:
        raise Damaged("This PDF is damaged: its first line (%PDF-) is missing, and phones do not open it so.")
    tail = _tail(content)
    index = _index(content, tail, shift)
    notices = []
    if not _has_end_mark(tail):
        if index is None or b"/Root" not in index or not _ends_with_start(tail):
            raise Damaged(_cut_short(tail))
        detail = "The end mark (%%EOF) of this PDF is missing; readers show it all the same."
        notices.append(Notice(code="no_end_mark", detail=detail))
    if index is None:
        if not _has_pages(content):
            raise Damaged("This PDF is damaged: it has no index and no pages that could be found.")
        detail = "The index of this PDF is damaged; most readers repair it, but open it once to be sure."
        notices.append(Notice(code="damaged_index", detail=detail))
    if _ENCRYPT.search(index if index is not None else tail):
        detail = "This PDF is protected; whoever receives it may need a password to open it."
        notices.append(Notice(code="password", detail=detail))
    if shift > 0:
        detail = f"This PDF has {shift} stray bytes before its start; save it again if a reader complains."
        notices.append(Notice(code="stray_bytes", detail=detail))
    version = _VERSION.search(content.head)
    label = "PDF document" + (f", version {version[1].decode()}" if version else "")
    return Finding(label=label, mime_type=_MIME_TYPE, notices=tuple(notices))


def _has_end_mark(tail: bytes) -> bool:
    """Whether the last part of the file has its own end mark.

    Files made for the web and files changed later have end marks inside. An object behind the last one is no
    stray bytes of a mail gateway, but the start of a part whose own end is missing.
    """
    at = tail.rfind(_END_MARK)
    return at >= 0 and PDF_OBJECT.search(tail, at) is None


def _ends_with_start(tail: bytes) -> bool:
    """Whether the place of the index is the last that a file says, or a piece of the end mark follows."""
    start = _START.match(tail, max(0, tail.rfind(b"startxref")))
    return start is not None and _END_MARK.startswith(tail[start.end() :].strip())


def _cut_short(tail: bytes) -> str:
    if _END_MARK in tail:
        return "This PDF is cut short: its last part has no end mark."
    return "This PDF is cut short: its data stops before its end mark."


def _tail(content: Content) -> bytes:
    """The last bytes that say something: copies from memory cards and disks end in blocks of zeros."""
    end = content.size
    while end > 0:
        block = content.read(max(0, end - _END_WITHIN), min(end, _END_WITHIN))
        said = block.rstrip(b"\0")
        if said or not block:
            end -= len(block) - len(said)
            break
        end -= len(block)
    start = max(0, end - _END_WITHIN)
    return content.read(start, end - start)


def _index(content: Content, tail: bytes, shift: int) -> bytes | None:
    """The newest trailer dictionary, which says where the pages are and whether they are encrypted."""
    starts = _START.findall(tail)
    if not starts:
        return None
    for offset in dict.fromkeys((int(starts[-1]), int(starts[-1]) + shift)):
        start = content.read(offset, 64).lstrip()
        if start.startswith(b"xref"):
            table = content.read(offset, _LARGEST_INDEX)
            at = table.find(b"trailer")
            end = table.find(b"startxref", at)
            return table[at : end if end > at else None] if at >= 0 else None
        if PDF_OBJECT.match(start, len(start) - len(start.lstrip(_DIGITS)) - 1):
            return content.read(offset, _STREAM_INDEX).partition(b"stream")[0]
    return None


def _has_pages(content: Content) -> bool:
    """Whether a reader could rebuild the index: there are objects, and one of them is the root or a page."""
    found = content.read(0, _SCANNED) + _tail(content)
    return bool(PDF_OBJECT.search(found)) and (b"/Page" in found or b"/ObjStm" in found or b"/Root" in found)
