"""ZIP files: Word, Excel and PowerPoint told apart by their parts, everything else named and refused.

Source: ECMA-376 part 2 (Open Packaging Conventions). ``[Content_Types].xml`` gives each part's type; the
type of the main part tells documents from templates, slide shows and files with macros, none of which are in
the provider's table.
"""

from __future__ import annotations

import re
import struct
import threading
import warnings
import zipfile
import zlib
from typing import IO, BinaryIO, Final, cast

from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.unsupported import foreign
from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE, KIB, MIB
from greenroom.verdict import Notice

_CONTENT_TYPES: Final = "[Content_Types].xml"
#: Most that is unpacked of the list of parts, and of the main part; a larger one is checked up to here only.
_LARGEST_LIST: Final = MIB
_LARGEST_PART: Final = 128 * KIB
_MOST_ENTRIES: Final = 20_000
#: Bytes of an archive's directory: a presentation of 5,000 parts has 450 KB.
_LARGEST_DIRECTORY: Final = MIB
#: What Office documents are packed with (ECMA-376 part 2, annex C). The others cannot be unpacked in part:
#: their readers give all that a piece of the file unpacks to, however much that is.
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED_FLAG: Final = 0x1
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
#: What is done with a warning is the same for all threads of a process: one at a time changes it.
_OVERLAPS_SEEN: Final = threading.Lock()

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_MS: Final = "application/vnd.ms-"
#: Content type of the main part, without its ``.main+xml``: the MIME type of the file.
_MAIN_PARTS: Final[dict[str, str]] = {
    f"{_OFFICE}wordprocessingml.document": f"{_OFFICE}wordprocessingml.document",
    f"{_OFFICE}spreadsheetml.sheet": f"{_OFFICE}spreadsheetml.sheet",
    f"{_OFFICE}presentationml.presentation": f"{_OFFICE}presentationml.presentation",
    f"{_OFFICE}wordprocessingml.template": f"{_OFFICE}wordprocessingml.template",
    f"{_OFFICE}spreadsheetml.template": f"{_OFFICE}spreadsheetml.template",
    f"{_OFFICE}presentationml.template": f"{_OFFICE}presentationml.template",
    f"{_OFFICE}presentationml.slideshow": f"{_OFFICE}presentationml.slideshow",
    f"{_MS}word.document.macroenabled": f"{_MS}word.document.macroenabled.12",
    f"{_MS}word.template.macroenabledtemplate": f"{_MS}word.template.macroenabled.12",
    f"{_MS}excel.sheet.macroenabled": f"{_MS}excel.sheet.macroenabled.12",
    f"{_MS}excel.template.macroenabled": f"{_MS}excel.template.macroenabled.12",
    f"{_MS}excel.addin.macroenabled": f"{_MS}excel.addin.macroenabled.12",
    f"{_MS}excel.sheet.binary.macroenabled": f"{_MS}excel.sheet.binary.macroenabled.12",
    f"{_MS}powerpoint.presentation.macroenabled": f"{_MS}powerpoint.presentation.macroenabled.12",
    f"{_MS}powerpoint.slideshow.macroenabled": f"{_MS}powerpoint.slideshow.macroenabled.12",
    f"{_MS}powerpoint.template.macroenabled": f"{_MS}powerpoint.template.macroenabled.12",
    f"{_MS}visio.drawing": "application/vnd.visio",
}
_BY_FOLDER: Final = {
    b"word": f"{_OFFICE}wordprocessingml.document",
    b"xl": f"{_OFFICE}spreadsheetml.sheet",
    b"ppt": f"{_OFFICE}presentationml.presentation",
}
#: Names in an archive that tell what it is; the first row with a name that is there wins.
_OTHER_PARTS: Final[tuple[tuple[str, str], ...]] = (
    ("AndroidManifest.xml", "application/vnd.android.package-archive"),
    ("Index/Document.iwa", "application/vnd.apple.iwork"),
    ("Index.zip", "application/vnd.apple.iwork"),
    ("META-INF/MANIFEST.MF", "application/java-archive"),
)
_ELEMENT: Final = re.compile(r"<(?:\w{1,40}:)?(?:Override|Default)\s[^<>]*>")
_ATTRIBUTE: Final = re.compile(r"""(PartName|ContentType)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_MIME_TYPE: Final = re.compile(r"[a-z]{1,20}/[a-zA-Z0-9.+-]{1,80}")
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_MAIN_SUFFIX: Final = ".main+xml"
#: First names in a ZIP of each kind of Office file, for one that is cut short and has lost its directory.
_FIRST_NAMES: Final = re.compile(rb"\[Content_Types\]\.xml|_rels/\.rels|(?:word|xl|ppt)/|docProps/")
_PART_NAME: Final = re.compile(rb"PK\x03\x04.{26}(word|xl|ppt)/", re.DOTALL)
_SCANNED: Final = 64 * KIB


def examine(content: Content) -> Finding:
    """Judge a file that starts with a ZIP signature.

    Raises:
        Damaged: an Office file that is cut short or whose parts are damaged.
    """
    try:
        archive = zipfile.ZipFile(cast("IO[bytes]", _Bounded(content.stream())))
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError) as error:
        if _FIRST_NAMES.search(content.head):
            raise Damaged(
                "This Office document is cut short or damaged: its table of contents is missing.",
                _likely_type(content.read(0, _SCANNED)),
            ) from error
        return foreign("application/zip")
    with archive:
        entries = archive.infolist()
        names = {entry.filename for entry in entries[:_MOST_ENTRIES]}
        if _CONTENT_TYPES not in names:
            return foreign(_kind_of(archive, names))
        if archive.getinfo(_CONTENT_TYPES).flag_bits & _ENCRYPTED_FLAG:
            return Finding(
                label="Office document with a password",
                mime_type=_likely_type(content.read(0, _SCANNED)),
                reason=Reason.ENCRYPTED,
                detail="This Office document is packed with a password; who receives it could not open it.",
                extensions=(".docx", ".xlsx", ".pptx", ".zip"),
            )
        return _judge(archive, names)


class _Bounded:
    """A file that hands out no more at a time than a directory may have: `zipfile` reads it all at once."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read = file.read

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or fewer at the end; all that is left, as is asked for at the end of a file alone.

        Raises:
            BadZipFile: it is more than any directory of a document has.
        """
        if size > _LARGEST_DIRECTORY:
            raise zipfile.BadZipFile("the directory is too large")
        return self._read(size)

    def close(self) -> None:
        """Leave that to who opened it."""


def _likely_type(start: bytes) -> str | None:
    """Which Office document a ZIP without its directory was, by the first part that tells."""
    found = _PART_NAME.search(start)
    return _BY_FOLDER[found[1]] if found else None


def _kind_of(archive: zipfile.ZipFile, names: set[str]) -> str:
    """The MIME type of an archive that is no Office file."""
    if "mimetype" in names:
        declared = _unpack(archive, "mimetype")[:100].decode("ascii", "replace").strip()
        return declared.removesuffix("-template") if _MIME_TYPE.fullmatch(declared) else "application/zip"
    return next((mime for name, mime in _OTHER_PARTS if name in names), "application/zip")


def _judge(archive: zipfile.ZipFile, names: set[str]) -> Finding:
    listed = _unpack(archive, _CONTENT_TYPES, _LARGEST_LIST)
    declared = listed.decode("utf-16" if listed.startswith(_UTF16_MARKS) else "utf-8", "replace")
    main = _main_part(declared)
    if main is None:
        return foreign(_kind_of(archive, names))
    part, mime_type = main
    row = BY_MIME_TYPE.get(mime_type)
    if row is None:
        return foreign(mime_type)
    if part and part not in names:
        found = {name.lower(): name for name in names}.get(part.lower())
        if found is None:
            raise Damaged(f"This {row.label} is damaged: its main part ({part}) is missing.", mime_type)
        part = found
    if part and archive.getinfo(part).flag_bits & _ENCRYPTED_FLAG:
        return Finding(
            label=f"{row.label}, with a password",
            mime_type=mime_type,
            reason=Reason.ENCRYPTED,
            detail=f"This {row.label} is locked with a password; nobody who receives it could open it.",
        )
    if part and not _unpack(archive, part, mime_type=mime_type).lstrip(
        b"\xef\xbb\xbf\xff\xfe \r\n\t"
    ).startswith(b"<"):
        raise Damaged(f"This {row.label} is damaged: its main part makes no sense.", mime_type)
    notices: tuple[Notice, ...] = ()
    if any(name.endswith("vbaProject.bin") for name in names):
        detail = f"This {row.label} carries macros; phones ignore them, and virus scanners may not like them."
        notices = (Notice(code="macros", detail=detail),)
    return Finding(label=row.label, mime_type=mime_type, notices=notices)


def _main_part(declared: str) -> tuple[str, str] | None:
    """Name of the main part (empty where only a default type says so), and the file's MIME type."""
    for element in _ELEMENT.finditer(declared):
        attributes = {name: double or single for name, double, single in _ATTRIBUTE.findall(element[0])}
        kind = attributes.get("ContentType", "").lower()
        mime_type = _MAIN_PARTS.get(kind.removesuffix(_MAIN_SUFFIX).removesuffix(".main"))
        if mime_type is not None and ".main" in kind:
            return attributes.get("PartName", "").lstrip("/"), mime_type
    return None


def _unpack(
    archive: zipfile.ZipFile, name: str, most: int = _LARGEST_PART, *, mime_type: str | None = None
) -> bytes:
    """Up to ``most`` bytes of a part, its check sum checked where it ends before that.

    Raises:
        Damaged: it cannot be unpacked.
    """
    try:
        if archive.getinfo(name).compress_type not in _METHODS:
            raise zipfile.BadZipFile("packed in a way that no document is")
        with _OVERLAPS_SEEN, warnings.catch_warnings():
            # Newer Pythons refuse entries that overlap, but of one kind they only warn.
            warnings.filterwarnings("error", message="Overlapped entries", category=UserWarning)
            with archive.open(name) as part:
                return part.read(most)
    except (*_BROKEN, UserWarning) as error:
        raise Damaged(
            "This Office document or archive is damaged: part of it cannot be unpacked.", mime_type
        ) from error
