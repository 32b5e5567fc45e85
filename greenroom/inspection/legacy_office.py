"""Word, Excel and PowerPoint 97-2003 files, told apart by the streams in their OLE2 container.

A legacy file with a password keeps its type, and the provider's table takes the type: it is accepted with a
notice. A password on a modern Office file turns it into an OLE2 container of another type (an encrypted
package), which is in no row of the table: it is refused. Sources: [MS-DOC] 2.5.2 (fEncrypted), [MS-XLS]
2.4.117 (FilePass), [MS-PPT] 2.1.3 (EncryptedSummary), [MS-OFFCRYPTO] 2.3.1 (EncryptedPackage).
"""

from __future__ import annotations

import struct
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.ole2 import CompoundFile
from greenroom.inspection.unsupported import foreign
from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE
from greenroom.verdict import Notice

_WORD: Final = "application/msword"
_EXCEL: Final = "application/vnd.ms-excel"
_POWERPOINT: Final = "application/vnd.ms-powerpoint"

#: Streams that make a file one of the table's; the first that is there wins.
_STREAMS: Final[tuple[tuple[str, str], ...]] = (
    ("WordDocument", _WORD),
    ("Workbook", _EXCEL),
    ("Book", _EXCEL),
    ("PowerPoint Document", _POWERPOINT),
    ("PP40", _POWERPOINT),
)
_OTHERS: Final[tuple[tuple[str, str], ...]] = (
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("VisioDocument", "application/vnd.visio"),
    ("Quill", "application/vnd.ms-publisher"),
    ("Props9", "application/vnd.ms-project"),
    ("Props12", "application/vnd.ms-project"),
    ("Props14", "application/vnd.ms-project"),
)
_INSTALLER: Final = bytes.fromhex("84100c0000000000c000000000000046")
_MACROS: Final = frozenset({"Macros", "_VBA_PROJECT_CUR", "VBA"})
_START: Final = 4096

#: How the first sector behind the header mostly opens, for a file whose directory is lost: Word's text,
#: Excel's first record (BIFF8 and BIFF5), PowerPoint's document or its current user.
_FIRST_SECTOR: Final = 512
_FIRST_BYTES: Final = (
    (b"\xec\xa5", _WORD),
    (b"\x09\x08\x10\x00", _EXCEL),
    (b"\x09\x08\x08\x00", _EXCEL),
    (b"\x0f\x00\xe8\x03", _POWERPOINT),
    (b"\xa0\x46\x1d\xf0", _POWERPOINT),
)

_FIB_MAGIC: Final = 0xA5EC
_FIB_ENCRYPTED: Final = 0x0100
_BOF: Final = frozenset({0x0809, 0x0409, 0x0209, 0x0009})
_FILEPASS: Final = 0x002F


def examine(content: Content) -> Finding:
    """Judge a file that starts with an OLE2 signature.

    Raises:
        Damaged: its directory or its main stream is damaged or cut short.
    """
    try:
        compound = CompoundFile(content)
    except Damaged as damaged:
        first = content.read(_FIRST_SECTOR, 4)
        likely = next((mime for start, mime in _FIRST_BYTES if first.startswith(start)), None)
        raise Damaged(damaged.detail, likely) from damaged
    for name, mime_type in _STREAMS:
        if name in compound.entries:
            return _judge(compound, name, mime_type)
    if "EncryptedPackage" in compound.entries:
        return Finding(
            label="Office document with a password",
            reason=Reason.ENCRYPTED,
            detail="This Office document is locked with a password; WhatsApp does not take locked ones.",
            extensions=(".docx", ".xlsx", ".pptx", ".docm", ".xlsm", ".pptm"),
        )
    if compound.root is not None and compound.root.clsid == _INSTALLER:
        return foreign("application/x-msi")
    other = next((mime for name, mime in _OTHERS if name in compound.entries), None)
    return foreign(other or "application/x-ole-storage")


def _judge(compound: CompoundFile, name: str, mime_type: str) -> Finding:
    label = BY_MIME_TYPE[mime_type].label
    try:
        locked = _IS_LOCKED[mime_type](compound, compound.start_of(compound.entries[name], _START))
    except Damaged as damaged:
        raise Damaged(damaged.detail, mime_type) from damaged
    notices = []
    if locked:
        detail = f"This {label} asks for a password; whoever receives it needs it to open the file."
        notices.append(Notice(code="password", detail=detail))
    if _MACROS & compound.entries.keys():
        detail = f"This {label} carries macros; phones ignore them, and virus scanners may not like them."
        notices.append(Notice(code="macros", detail=detail))
    return Finding(label=label, mime_type=mime_type, notices=tuple(notices))


def _word_is_locked(_compound: CompoundFile, start: bytes) -> bool:
    if len(start) < 12 or struct.unpack_from("<H", start)[0] != _FIB_MAGIC:  # noqa: PLR2004 - up to the flags
        raise Damaged("This Word 97-2003 document is damaged: its text has no valid start.")
    return bool(struct.unpack_from("<H", start, 10)[0] & _FIB_ENCRYPTED)


def _excel_is_locked(_compound: CompoundFile, start: bytes) -> bool:
    if len(start) < 4 or struct.unpack_from("<H", start)[0] not in _BOF:  # noqa: PLR2004 - a record's header
        raise Damaged("This Excel 97-2003 workbook is damaged: its sheets have no valid start.")
    position = 0
    while position + 4 <= len(start):
        record, length = struct.unpack_from("<HH", start, position)
        if record == _FILEPASS:
            return True
        position += 4 + length
    return False


def _powerpoint_is_locked(compound: CompoundFile, _start: bytes) -> bool:
    return "EncryptedSummary" in compound.entries


_IS_LOCKED: Final = {_WORD: _word_is_locked, _EXCEL: _excel_is_locked, _POWERPOINT: _powerpoint_is_locked}
