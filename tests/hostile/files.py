"""Files made to hurt whoever looks at them."""

# ruff: noqa: E501 - a table: one case a line is easier to read and to sort than four

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

from examples import makers
from greenroom.inspection import inspect_file
from greenroom.rules import MIB
from tests.hostile.case import Case, looked_at
from tests.support import ole2_writer, raw
from tests.support.corpus import CASES

Content = Callable[[], bytes]


def judged(path: Path, name: str | None = None) -> str:
    """The verdict in words; a label and a detail are always fit to be kept and shown."""
    verdict = inspect_file(path, name=name)
    assert verdict.label.isprintable()
    assert verdict.detail.isprintable()
    return f"{verdict.reason}: {verdict.detail}" if verdict.reason else f"accepted as {verdict.label}"


def good(name: str) -> bytes:
    """A file of the corpus."""
    return next(case for case in CASES if case.name == name).make()


def of(name: str, content: Content, says: str, *, file: str = "file", large: bool = False) -> Case:
    """A case of a file that is there, with this content."""

    def make(folder: Path) -> Path:
        path = folder / file
        path.write_bytes(content())
        return path

    return Case(kind="file", name=name, prepare=looked_at(make, judged), says=says, large=large)


def odd(name: str, make: Callable[[Path], Path], says: str) -> Case:
    """A case of a path that is no plain file."""
    return Case(kind="file", name=name, prepare=looked_at(make, judged), says=says)


def _many_entries(count: int) -> bytes:
    """A ZIP whose directory lists an empty file so many times."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "")
    content = packed.getvalue()
    start = content.index(b"PK\x01\x02")
    entry = content[start : content.index(b"PK\x05\x06")]
    directory = entry * count
    end = b"PK\x05\x06" + bytes(4) + (min(count, 0xFFFF).to_bytes(2, "little")) * 2
    return (
        content[:start]
        + directory
        + end
        + len(directory).to_bytes(4, "little")
        + start.to_bytes(4, "little")
        + bytes(2)
    )


def _webp_of_chunks(size: int) -> bytes:
    chunks = b"ABCD" + bytes(4)
    body = b"WEBP" + b"VP8X" + (10).to_bytes(4, "little") + bytes(10) + chunks * (size // len(chunks))
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _looped_difat() -> bytes:
    """A compound file whose list of sectors leads back to itself."""
    content = bytearray(good("letter.doc"))
    content[68:72] = (0).to_bytes(4, "little")
    content[72:76] = (0x00FFFFFF).to_bytes(4, "little")
    content[512 + 508 : 512 + 512] = (0).to_bytes(4, "little")
    return bytes(content)


def _looped_tree() -> bytes:
    """A compound file whose root's members are neighbours of each other in a circle."""
    content = bytearray(ole2_writer.compound({"a": bytes(4096), "b": bytes(4096)}))
    second = (int.from_bytes(content[48:52], "little") + 1) * 512 + 2 * 128
    content[second + 68 : second + 76] = (1).to_bytes(4, "little") * 2
    return bytes(content)


def _documents_in_a_document() -> bytes:
    """A workbook with a letter and a locked package inside, and a root that says neither."""
    inside = {"WordDocument": ole2_writer.word_header(), "EncryptedPackage": bytes(4096)}
    return ole2_writer.excel(inside={"MBD0001": inside})


def _nested_boxes(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = raw.box(b"moov", content)
    return raw.box(b"ftyp", b"isom", bytes(4), b"isomavc1") + content


def _looped_exif() -> bytes:
    """A JPEG whose first directory of tags names itself as the next."""
    tiff = (
        b"II*\0"
        + (8).to_bytes(4, "little")
        + (1).to_bytes(2, "little")
        + bytes(12)
        + (8).to_bytes(4, "little")
    )
    image = good("photo.jpg") if any(case.name == "photo.jpg" for case in CASES) else _jpeg()
    segment = b"Exif\0\0" + tiff
    return image[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + image[2:]


def _jpeg() -> bytes:
    return makers.saved(makers.drawn_image(64, 64), "JPEG")


def _laughs() -> bytes:
    """A document of entities that double thirty times."""
    entities = "".join(f'<!ENTITY e{n + 1} "&e{n};&e{n};">' for n in range(30))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><x>&e30;</x>'
    return makers.zipped({"[Content_Types].xml": text.encode(), "word/document.xml": text.encode()})


def _named(name: str) -> Case:
    return of(f"a name: {name[:24]!a}", lambda: b"Hello.\n", "accepted as", file=name)


def _longest_path(folder: Path) -> Path:
    """A path of 4 KB, as long as the system has them."""
    path = folder
    while len(str(path)) < 3_600:
        path /= "d" * 200
    # From within: the whole path is too long for some calls, and inspection shall say so in a sentence.
    path.mkdir(parents=True)
    (path / "hello.txt").write_text("Hello.\n", encoding="utf-8")
    return path / "hello.txt"


def _growing(folder: Path) -> Path:
    """A text that somebody writes on and on."""
    path = folder / "log.txt"
    path.write_text("begins\n" * 1_000, encoding="ascii")

    def write() -> None:
        with contextlib.suppress(OSError), path.open("ab") as file:
            for _ in range(200):
                file.write(b"and goes on\n" * 10_000)
                file.flush()

    threading.Thread(target=write, daemon=True).start()
    return path


def _sparse(folder: Path) -> Path:
    path = folder / "video.mp4"
    path.write_bytes(raw.box(b"ftyp", b"isom", bytes(4), b"isomavc1"))
    os.truncate(path, 4 << 30)
    return path


def _sparse_within(folder: Path) -> Path:
    """As large as the largest that is read, and nothing but zeros."""
    path = folder / "zeros.bin"
    path.touch()
    os.truncate(path, 100 * MIB)
    return path


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.jpg")
    return folder / "pipe.jpg"


def _socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(folder):
        listener.bind("s.jpg")
    return folder / "s.jpg"


def _to_itself(folder: Path) -> Path:
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    return folder / "loop.jpg"


def _to_nowhere(folder: Path) -> Path:
    (folder / "gone.jpg").symlink_to(folder / "nothing")
    return folder / "gone.jpg"


CASES_OF_FILES = (
    # Bombs
    of("a DOCX with a part of 60 MB", lambda: makers.docx(["x"], extra={"word/b.xml": bytes(60 * MIB)}), "accepted"),
    of("a DOCX whose list of types unpacks to 60 MB", lambda: makers.zipped({"[Content_Types].xml": b" " * (60 * MIB)}), "."),
    of("a DOCX of entities that double", _laughs, "type_not_supported|broken"),
    of("a ZIP with 20,000 directory entries", lambda: _many_entries(20_000), "type_not_supported|broken"),
    of("a ZIP with 1,600,000 directory entries", lambda: _many_entries(1_600_000), ".", large=True),
    of("a PNG of 900 megapixels in 26 KB", raw.png_bomb, "too_large"),
    of("a WebP of 2 MB of empty chunks", lambda: _webp_of_chunks(2 * MIB), "broken|too_large"),
    of("a WebP of 99 MB of empty chunks", lambda: _webp_of_chunks(99 * MIB), "broken|too_large", large=True),
    of("an MP4 of boxes, 10,000 deep", lambda: _nested_boxes(10_000), "broken"),
    of("a compound file whose sector list goes round", _looped_difat, "."),
    of("a compound file whose directory's tree goes round", _looped_tree, "type_not_supported: .*compound file"),
    of("a JPEG whose tags go round", _looped_exif, "accepted|broken"),
    of("a text that a pattern tries in all ways", lambda: b"<" + b"<!---->" * 40 + b"x", "."),
    of("a PDF of a million digits", lambda: b"%PDF-1.7\n" + b"9" * 1_000_000 + b"\n%%EOF\n", "broken"),
    of("an ID3 tag that claims 256 MB", lambda: b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(5_000), "broken"),
    of("a JPEG of 100,000 empty segments", lambda: b"\xff\xd8" + b"\xff\xe2\0\2" * 100_000, "broken"),
    of("an Ogg of 30,000 empty pages", lambda: raw.ogg_page(b"") * 30_000, "."),
    # Polyglots
    of("a PDF that is a ZIP as well", lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n" + makers.zipped({"a": b"b"}), "broken"),
    of("a PDF in a signed message", lambda: raw.signed(good("terms.pdf")), "type_not_supported: .*signed"),
    of("a PDF in a drawing", lambda: raw.metafile(good("terms.pdf")), "type_not_supported: .*metafile"),
    of("a letter and a locked file in a workbook", _documents_in_a_document, "accepted as Excel 97-2003"),
    of("half an archive that holds a document", lambda: makers.zipped({"a.docx": good("letter.docx")}, method=0)[:-30], "type_not_supported: .*ZIP"),
    of("a JPEG that is a web page as well", lambda: _jpeg() + b"<html><script>alert(1)</script></html>", "accepted as JPEG"),
    of("a web page that begins as a GIF", lambda: b"GIF89a=1;<html><script>alert(1)</script>", "accepted as plain text"),
    of("a program named .jpg", lambda: b"\x7fELF\2\1\1" + bytes(200), "type_not_supported", file="holiday.jpg"),
    of("a ZIP behind a JPEG", lambda: _jpeg() + makers.zipped({"a": b"b"}), "accepted as JPEG"),
    # Cut off, and nothing at all
    of("half a JPEG", lambda: _jpeg()[:400], "broken"),
    of("half a video", lambda: good("main.mp4")[:2_000], "broken"),
    of("one byte", lambda: b"\xff", "."),
    of("nothing", lambda: b"", "empty"),
    # Endless, changing, not there
    odd("a sparse video of 4 GiB", _sparse, "too_large: This file is 4 GB"),
    odd("100 MB of zeros", _sparse_within, "broken"),
    odd("a text that grows while it is read", _growing, "accepted|too_large"),
    odd("/dev/zero", lambda _: Path("/dev/zero"), "unreadable: This is a pipe or a device"),
    odd("a pipe that nobody writes to", _pipe, "unreadable: This is a pipe or a device"),
    odd("a socket", _socket, "unreadable: This is a pipe or a device"),
    odd("a folder", lambda folder: folder, "unreadable: This is a folder"),
    odd("a link to itself", _to_itself, "unreadable: This file cannot be read: Too many levels"),
    odd("a link to nowhere", _to_nowhere, "missing"),
    # Names
    _named("two\nlines.txt"),
    _named("\x1b[2J\x1b]0;owned\x07.txt"),
    _named("\u202etxt.exe"),
    _named("n" * 251 + ".txt"),
    odd("a path of 4 KB", _longest_path, "accepted"),
    odd("a path that no system takes", lambda folder: folder / ("x" * 5_000), "unreadable: .*File name too long"),
    odd("a path with NUL", lambda folder: folder / "a\0b", "unreadable: .*not valid"),
)  # fmt: skip
