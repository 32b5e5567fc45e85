"""How a Word document begins: the header that gives its version, and whether it asks for a password.

Since version 6 it lies in the stream ``WordDocument`` of a compound file, before that it is the file.
Sources: [MS-DOC] 2.5.1 (FibBase); of older versions Microsoft's "Word for Windows 2.0 Binary File Format".
All have the version at byte 2 and the flags at byte 10; those before 6 have the end of the text at byte 28.
"""

from __future__ import annotations

import struct
from typing import Final

#: Bytes of the header that are looked at.
HEADER: Final = 32
CURRENT_DOCUMENT: Final = "Word 97-2003 document"
_OLDER: Final = "Word 6 or 95 document"
#: Identifiers that a header starts with. Those of the third row are of East Asian editions.
_LABELS: Final[dict[int, str]] = {
    0xA5EC: CURRENT_DOCUMENT,
    0xA5DC: _OLDER,
    **dict.fromkeys((0xA697, 0xA698, 0xA699), _OLDER),
    0xA5DB: "Word 2 document",
    **dict.fromkeys((0xA59B, 0xA59C), "Word 1 document"),
}
#: Versions (nFib) that go with the identifiers that begin a file: 33 of Word 1, 45 of Word 2, 101 to 104.
_BARE: Final[dict[int, range]] = {
    0xA59B: range(32, 45),
    0xA59C: range(32, 45),
    0xA5DB: range(32, 64),
    0xA5DC: range(101, 105),
}
_BEFORE_6: Final = 100
_ENCRYPTED: Final = 0x0100


def document_label(start: bytes) -> str | None:
    """The version of a document that starts so; None where no version starts so."""
    return _LABELS.get(struct.unpack_from("<H", start)[0]) if len(start) >= HEADER else None


def is_locked_document(start: bytes) -> bool:
    """Whether a document that starts so asks for a password."""
    return bool(struct.unpack_from("<H", start, 10)[0] & _ENCRYPTED)


def is_bare_document(head: bytes) -> bool:
    """Whether a file starts as a document that is in no container."""
    if len(head) < HEADER:
        return False
    identifier, version = struct.unpack_from("<HH", head)
    return version in _BARE.get(identifier, ())


def ends_within(head: bytes, size: int) -> bool:
    """Whether the text of a document in no container ends within a file of so many bytes."""
    if struct.unpack_from("<H", head, 2)[0] > _BEFORE_6:
        return True
    return bool(struct.unpack_from("<I", head, 28)[0] <= size)
