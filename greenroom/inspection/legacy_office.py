"""Office files from before 2007, told apart by the streams in the root of their OLE2 container.

Older ones than 97 are of the same types in the provider's table: they are accepted, and a notice says what
they are. A legacy file with a password keeps its type, too: it is accepted with a notice. A password on a
modern Office file turns it into an OLE2 container of another type (an encrypted package), which is in no row
of the table: it is refused, whatever else lies beside the package, and so is a file that rights management
keeps locked, whose own stream is a stub. Sources: [MS-PPT] 2.1.3 (EncryptedSummary), [MS-OFFCRYPTO] 2.3.1
(EncryptedPackage) and 2.2 (DRMContent).
"""

from __future__ import annotations

from typing import Final

from greenroom.inspection import biff, winword
from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.ole2 import CompoundFile
from greenroom.inspection.unsupported import foreign
from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE, KIB
from greenroom.verdict import Notice

_WORD: Final = "application/msword"
_EXCEL: Final = "application/vnd.ms-excel"
_POWERPOINT: Final = "application/vnd.ms-powerpoint"

#: The root's streams that make a file one of the table's, in capitals; the first that is there wins.
_STREAMS: Final[tuple[tuple[str, str], ...]] = (
    ("WORDDOCUMENT", _WORD),
    ("WORKBOOK", _EXCEL),
    ("BOOK", _EXCEL),
    ("POWERPOINT DOCUMENT", _POWERPOINT),
    ("PP40", _POWERPOINT),
)
_LOCKED: Final = frozenset({"ENCRYPTEDPACKAGE", "\tDRMCONTENT"})
_OTHERS: Final[tuple[tuple[str, str], ...]] = (
    ("__PROPERTIES_VERSION1.0", "application/vnd.ms-outlook"),
    ("VISIODOCUMENT", "application/vnd.visio"),
    ("QUILL", "application/vnd.ms-publisher"),
    ("PROPS9", "application/vnd.ms-project"),
    ("PROPS12", "application/vnd.ms-project"),
    ("PROPS14", "application/vnd.ms-project"),
)
#: Class identifiers of Windows installer files: packages, patches and transforms.
_INSTALLER: Final = tuple(
    bytes.fromhex(f"{kind}100c0000000000c000000000000046") for kind in ("84", "86", "82")
)
_MACROS: Final = frozenset({"MACROS", "_VBA_PROJECT_CUR", "VBA"})
_START: Final = 4096
#: Records at the start of a file in no container that are looked at for their end.
_BARE_START: Final = 64 * KIB

#: How the first sector behind the header mostly opens, for a file whose directory is lost: Word's text,
#: Excel's records, PowerPoint's document or its current user.
_FIRST_SECTOR: Final = 512
_POWERPOINT_STARTS: Final = (b"\x0f\x00\xe8\x03", b"\xa0\x46\x1d\xf0")


def examine(content: Content) -> Finding:
    """Judge a file that starts with an OLE2 signature.

    Raises:
        Damaged: its directory or its main stream is damaged or cut short.
    """
    try:
        compound = CompoundFile(content)
    except Damaged as damaged:
        raise Damaged(damaged.detail, _likely_type(content.read(_FIRST_SECTOR, winword.HEADER))) from damaged
    if not _LOCKED.isdisjoint(compound.streams):
        return Finding(
            label="encrypted Office document",
            reason=Reason.ENCRYPTED,
            detail="This Office document is encrypted, with a password or by rights management; "
            "WhatsApp does not take encrypted ones.",
            extensions=(".docx", ".xlsx", ".pptx", ".docm", ".xlsm", ".pptm", ".doc", ".xls", ".ppt"),
        )
    for name, mime_type in _STREAMS:
        if name in compound.streams:
            return _judge(compound, name, mime_type)
    if compound.clsid in _INSTALLER:
        return foreign("application/x-msi")
    members = compound.streams.keys() | compound.storages
    return foreign(next((mime for name, mime in _OTHERS if name in members), "application/x-ole-storage"))


def examine_bare(content: Content) -> Finding:
    """Judge a file that starts as Word's and Excel's own data do, in no container.

    Raises:
        Damaged: it is cut short.
    """
    if winword.is_bare_document(content.head):
        label, locked = winword.document_label(content.head), winword.is_locked_document(content.head)
        mime_type, whole = _WORD, winword.ends_within(content.head, content.size)
    else:
        start = content.read(0, _BARE_START)
        label, locked = biff.workbook_label(start), biff.is_locked_workbook(start)
        mime_type, whole = _EXCEL, not biff.is_cut_short(start, content.size)
    label = label or BY_MIME_TYPE[mime_type].label
    if not whole:
        raise Damaged(f"This {label} is cut short: its data stops before its end.", mime_type)
    return Finding(label=label, mime_type=mime_type, notices=(_old(label), *_password(label, locked=locked)))


def _likely_type(first: bytes) -> str | None:
    if winword.document_label(first):
        return _WORD
    if biff.is_bare_workbook(first):
        return _EXCEL
    return _POWERPOINT if first.startswith(_POWERPOINT_STARTS) else None


def _judge(compound: CompoundFile, name: str, mime_type: str) -> Finding:
    try:
        start = compound.start_of(compound.streams[name], _START)
    except Damaged as damaged:
        raise Damaged(damaged.detail, mime_type) from damaged
    label, locked = _VERSIONS[mime_type](compound, start)
    notices = [] if label == BY_MIME_TYPE[mime_type].label else [_old(label)]
    notices += _password(label, locked=locked)
    if not _MACROS.isdisjoint(compound.storages):
        detail = f"This {label} carries macros; phones ignore them, and virus scanners may not like them."
        notices.append(Notice(code="macros", detail=detail))
    return Finding(label=label, mime_type=mime_type, notices=tuple(notices))


def _old(label: str) -> Notice:
    article = "an" if label.startswith("Excel") else "a"
    bare = " without the container of its version" if label == biff.CURRENT_WORKBOOK else ""
    return Notice(
        code="old_version",
        detail=f"This is {article} {label}{bare}; many phones and newer programs do not open it.",
    )


def _password(label: str, *, locked: bool) -> tuple[Notice, ...]:
    detail = f"This {label} asks for a password; whoever receives it needs it to open the file."
    return (Notice(code="password", detail=detail),) if locked else ()


def _word(_compound: CompoundFile, start: bytes) -> tuple[str, bool]:
    label = winword.document_label(start)
    if label is None:
        raise Damaged("This Word 97-2003 document is damaged: its text has no valid start.", _WORD)
    return label, winword.is_locked_document(start)


def _excel(_compound: CompoundFile, start: bytes) -> tuple[str, bool]:
    label = biff.workbook_label(start)
    if label is None:
        raise Damaged("This Excel 97-2003 workbook is damaged: its sheets have no valid start.", _EXCEL)
    return label, biff.is_locked_workbook(start)


def _powerpoint(compound: CompoundFile, _start: bytes) -> tuple[str, bool]:
    old = "POWERPOINT DOCUMENT" not in compound.streams
    label = "PowerPoint 4 or 95 presentation" if old else BY_MIME_TYPE[_POWERPOINT].label
    return label, "ENCRYPTEDSUMMARY" in compound.streams


#: What the start of a type's main stream says: the version, and whether there is a password.
_VERSIONS: Final = {_WORD: _word, _EXCEL: _excel, _POWERPOINT: _powerpoint}
