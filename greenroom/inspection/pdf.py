"""PDF: that it runs to its end, that its index is there, and whether it asks for a password.

Sources: ISO 32000-1, section 7.5, and its annex H.3: readers take a header within the first 1,024 bytes and
an end mark within the last ones. A password is no reason to refuse: the provider's table takes
``application/pdf`` and says nothing of passwords, and statements are sent that way on purpose: a notice.
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
_START: Final = re.compile(rb"startxref\s+(\d{1,15})\s")
_DIGITS: Final = b"0123456789"
_ENCRYPT: Final = re.compile(rb"/Encrypt[\s<\d]")


def examine(content: Content) -> Finding:
    """Judge a file with a PDF header.

    Raises:
        Damaged: it stops before its end, or has no index and no objects.
    """
    shift = content.head.find(b"%PDF-", 0, _HEADER_WITHIN)
    tail = _tail(content)
    if b"%%EOF" not in tail:
        raise Damaged("This PDF is cut short: its data stops before its end mark.")
    if PDF_OBJECT.search(tail, tail.rindex(b"%%EOF")):
        # Files made for the web and files changed later have end marks inside; what follows this one is no
        # stray bytes of a mail gateway, but the start of a part whose own end is missing.
        raise Damaged("This PDF is cut short: its last part has no end mark.")
    index = _index(content, tail, shift)
    notices = []
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
