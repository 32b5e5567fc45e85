"""ZIP files: Word, Excel and PowerPoint told apart by their parts, everything else named and refused.

Source: ECMA-376 part 2 (Open Packaging Conventions). ``[Content_Types].xml`` gives each part's type; the
type of the main part tells documents from templates, slide shows and files with macros, none of which are in
the provider's table. A type counts only where it has its part: writers list types of parts that they did not
write. Names of parts ignore case, and some writers have them with backslashes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.opc import BAD_ARCHIVE, Package, comparable_name
from greenroom.inspection.unsupported import foreign
from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE, KIB, MIB
from greenroom.verdict import Notice

#: Names of parts are compared as ``opc.comparable_name`` has them, in small letters.
_CONTENT_TYPES: Final = "[content_types].xml"
_RELATIONS: Final = "_rels/.rels"
#: Most that is unpacked of the list of types.
_LARGEST_LIST: Final = MIB
#: Main parts in a list of types that are looked at; a document has one, and some writers list a few more.
_MOST_MAINS: Final = 100

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_MS: Final = "application/vnd.ms-"
#: Content type of the main part, without its ``.main+xml`` (or ``.main``): the MIME type of the file.
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
    f"{_MS}powerpoint.addin.macroenabled": f"{_MS}powerpoint.addin.macroenabled.12",
    f"{_MS}visio.drawing": "application/vnd.visio",
    f"{_MS}visio.drawing.macroenabled": "application/vnd.visio",
    f"{_MS}visio.template": "application/vnd.visio",
    f"{_MS}visio.template.macroenabled": "application/vnd.visio",
    f"{_MS}visio.stencil": "application/vnd.visio",
    f"{_MS}visio.stencil.macroenabled": "application/vnd.visio",
}
_BY_FOLDER: Final = {
    b"word": f"{_OFFICE}wordprocessingml.document",
    b"xl": f"{_OFFICE}spreadsheetml.sheet",
    b"ppt": f"{_OFFICE}presentationml.presentation",
}
#: Names in an archive that tell what it is; the first row with a name that is there wins.
_OTHER_PARTS: Final[tuple[tuple[str, str], ...]] = (
    ("androidmanifest.xml", "application/vnd.android.package-archive"),
    ("index/document.iwa", "application/vnd.apple.iwork"),
    ("index.zip", "application/vnd.apple.iwork"),
    ("fixeddocseq.fdseq", "application/vnd.ms-xpsdocument"),
    ("fixeddocumentsequence.fdseq", "application/vnd.ms-xpsdocument"),
    ("meta-inf/container.xml", "application/epub+zip"),
    ("meta-inf/manifest.mf", "application/java-archive"),
)
_MANIFEST: Final = "meta-inf/manifest.xml"
_OPEN_DOCUMENT: Final = re.compile(r"application/vnd\.oasis\.opendocument\.[a-z]{1,20}")
_ELEMENT: Final = re.compile(r"<(?:\w{1,40}:)?(?:Override|Default|Relationship)\s[^<>]*>")
_ATTRIBUTE: Final = re.compile(
    r"""\b(PartName|Extension|ContentType|Type|Target)\s*=\s*(?:"([^"]*)"|'([^']*)')"""
)
_MIME_TYPE: Final = re.compile(r"[a-z]{1,20}/[a-zA-Z0-9.+-]{1,80}")
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_MAIN: Final = ".main"
#: Words of the elements that matter, of the thousands that a list may have.
_MAIN_WORD: Final = re.compile(r"\.main", re.IGNORECASE)
_PART: Final = re.compile(r"""\bPartName\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_DOCUMENT_WORD: Final = re.compile("/officeDocument")
#: First name in a ZIP of each kind of Office file, for one that is cut short and has lost its directory.
_FIRST_NAME: Final = re.compile(
    rb"[/\\]?(?:\[Content_Types\]\.xml|_rels[/\\]\.rels|(?:word|xl|ppt|docProps|customXml)[/\\])",
    re.IGNORECASE,
)
_NAME_AT: Final = 30
_PART_NAME: Final = re.compile(rb"PK\x03\x04.{26}[/\\]?(word|xl|ppt)[/\\]", re.DOTALL | re.IGNORECASE)
_SCANNED: Final = 64 * KIB


def examine(content: Content) -> Finding:
    """Judge a file that starts with a ZIP signature.

    Raises:
        Damaged: an Office file that is cut short or whose parts are damaged.
    """
    try:
        package = Package(content)
    except BAD_ARCHIVE as error:
        if _FIRST_NAME.match(content.head, _NAME_AT):
            raise Damaged(
                "This Office document is cut short or damaged: its table of contents is missing.",
                _likely_type(content),
            ) from error
        return foreign("application/zip")
    with package:
        types = package.names.get(_CONTENT_TYPES)
        if types is None:
            return foreign(_kind_of(package))
        if package.is_locked(types):
            return Finding(
                label="Office document with a password",
                mime_type=_likely_type(content),
                reason=Reason.ENCRYPTED,
                detail="This Office document is packed with a password; who receives it could not open it.",
                extensions=(".docx", ".xlsx", ".pptx", ".zip"),
            )
        return _judge(package, package.unpack(types, _LARGEST_LIST))


def _likely_type(content: Content) -> str | None:
    """Which Office document a ZIP that cannot be unpacked is, by the first part that tells."""
    found = _PART_NAME.search(content.read(0, _SCANNED))
    return _BY_FOLDER[found[1].lower()] if found else None


def _kind_of(package: Package) -> str:
    """The MIME type of an archive that is no Office file."""
    declared = _text_of(package, "mimetype").strip()
    if _MIME_TYPE.fullmatch(declared) and declared not in BY_MIME_TYPE:
        return declared.removesuffix("-template")
    if found := _OPEN_DOCUMENT.search(_text_of(package, _MANIFEST)):
        return found[0]
    return next((mime for name, mime in _OTHER_PARTS if name in package.names), "application/zip")


def _text_of(package: Package, name: str) -> str:
    """The text of a part by its compared name; empty where there is no such part, or it is locked."""
    part = package.names.get(name)
    if part is None or package.is_locked(part):
        return ""
    return _decoded(package.unpack(part))


def _decoded(text: bytes) -> str:
    return text.decode("utf-16" if text.startswith(_UTF16_MARKS) else "utf-8", "replace")


def _judge(package: Package, types: bytes) -> Finding:
    main = _main_part(package, _decoded(types))
    if main is None:
        return foreign(_kind_of(package))
    name, mime_type = main
    row = BY_MIME_TYPE.get(mime_type)
    if row is None:
        return foreign(mime_type)
    part = package.names.get(name)
    if part is None:
        raise Damaged(f"This {row.label} is damaged: its main part is missing.", mime_type)
    if package.is_locked(part):
        return Finding(
            label=f"{row.label}, with a password",
            mime_type=mime_type,
            reason=Reason.ENCRYPTED,
            detail=f"This {row.label} is locked with a password; nobody who receives it could open it.",
        )
    start = package.unpack(part, mime_type=mime_type).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \r\n\t")
    if not start.startswith(b"<"):
        raise Damaged(f"This {row.label} is damaged: its main part makes no sense.", mime_type)
    notices: tuple[Notice, ...] = ()
    if any(name.endswith("vbaproject.bin") for name in package.names):
        detail = f"This {row.label} carries macros; phones ignore them, and virus scanners may not like them."
        notices = (Notice(code="macros", detail=detail),)
    return Finding(label=row.label, mime_type=mime_type, notices=notices)


def _main_part(package: Package, types: str) -> tuple[str, str] | None:
    """Compared name of the main part, and the file's MIME type; a missing part where there is no other."""
    listed = [
        (element, mime_type)
        for element in islice(_elements(types, _MAIN_WORD), _MOST_MAINS)
        if (mime_type := _main_type(element["ContentType"])) is not None
    ]
    overrides = [
        (comparable_name(element["PartName"]), mime_type)
        for element, mime_type in listed
        if "PartName" in element
    ]
    found = [one for one in overrides if one[0] in package.names]
    if not found:
        defaults = {
            element["Extension"].lower(): mime_type for element, mime_type in listed if "Extension" in element
        }
        found = list(_by_default(package, types, defaults)) if defaults else []
    if len(found) > 1:
        start = comparable_name(_start_of(package))
        return next((one for one in found if one[0] == start), found[0])
    return next(iter(found or overrides), None)


def _by_default(package: Package, types: str, defaults: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Parts that have a main part's type by their extension, and no type of their own."""
    own = {comparable_name(html.unescape(double or single)) for double, single in _PART.findall(types)}
    for name in package.names:
        mime_type = defaults.get(name.rpartition(".")[2])
        if mime_type is not None and name not in own and name != _CONTENT_TYPES:
            yield name, mime_type


def _start_of(package: Package) -> str:
    """The part that the package's own relations name as its document."""
    for element in _elements(_text_of(package, _RELATIONS), _DOCUMENT_WORD):
        if element["Type"].endswith("/officeDocument"):
            return element["Target"]
    return ""


def _main_type(kind: str) -> str | None:
    """The MIME type of a file whose main part is of this content type; None of another part's."""
    kind = kind.lower()
    return _MAIN_PARTS.get(kind.removesuffix("+xml").removesuffix(_MAIN)) if _MAIN in kind else None


def _elements(text: str, word: re.Pattern[str]) -> Iterator[dict[str, str]]:
    """The attributes of each element of a list of types or relations that has a word in it."""
    done = 0
    while found := word.search(text, done):
        start = text.rfind("<", done, found.start())
        element = _ELEMENT.match(text, start) if start >= 0 else None
        done = max(found.end(), element.end() if element else 0)
        if element:
            attributes = dict.fromkeys(("ContentType", "Target", "Type"), "")
            for name, double, single in _ATTRIBUTE.findall(element[0]):
                attributes[name] = html.unescape(double or single)
            yield attributes
