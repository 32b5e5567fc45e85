"""Readers that are libraries of Python's: each opens a file to its end, in a process that may be ended.

They are loaded when they are asked for the first time: not all of them need to be there.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.eye.media import Stream, opinion_of
from tests.eye.names import DOC, DOCX, PPT, PPTX, XLS, XLSX
from tests.eye.opinion import Opinion, closed
from tests.eye.programs import shortened

#: Frames of each stream that are decoded: a video that plays so long plays.
_MOST_FRAMES = 200


def with_pillow(path: Path) -> Opinion:
    """An image, with all its pixels."""
    pillow: Any = import_module("PIL.Image")
    with pillow.open(path) as image:
        raw = str(image.tile)  # gone once it is loaded; says of 16-bit colours what the mode does not
        image.load()
        form, moves = image.format, getattr(image, "n_frames", 1) > 1
    kind = "image/jpeg" if form == "MPO" else pillow.MIME.get(form, form)
    narrow = image.mode in ("RGB", "RGBA") and ";16" not in raw
    words = f"{form} {image.mode}, {image.width} x {image.height}{', moves' if moves else ''}"
    return Opinion(
        types=frozenset({kind}),
        words=words,
        outside="" if narrow or kind == "image/webp" else f"{image.mode} {'16 bits' if ';16' in raw else ''}",
    )


def with_pyav(path: Path) -> Opinion:
    """Audio and video: every packet is read, and the first frames of each stream are decoded."""
    av: Any = import_module("av")
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture() as said, av.open(str(path)) as container:
        decoded, flaws = _decoded(av, container)
        streams = [
            Stream.counted(
                kind=stream.type,
                codec=stream.codec_context.codec.canonical_name,
                parts=decoded[stream.index],
                cover=bool(stream.disposition & av.stream.Disposition.attached_pic),
            )
            for stream in container.streams
            if decoded.get(stream.index)
        ]
        brand = container.metadata.get("major_brand", "")
        complaints = "; ".join(dict.fromkeys([*(message.strip() for _, _, message in said), *flaws]))
        return opinion_of(container.format.name, brand, streams, flaws=complaints)


def _decoded(av: Any, container: Any) -> tuple[dict[int, int], list[str]]:
    """How many frames of each stream could be decoded, and what stopped it."""
    decoded: dict[int, int] = {}
    playable = [stream for stream in container.streams if stream.type in ("audio", "video")]
    try:
        for packet in container.demux(playable):
            if decoded.get(packet.stream.index, 0) < _MOST_FRAMES:
                frames = len(packet.decode())
                decoded[packet.stream.index] = decoded.get(packet.stream.index, 0) + frames
    except av.FFmpegError as error:
        return decoded, [str(error)]
    return decoded, []


#: Streams of the root storage that tell what an OLE file is.
_ROOT_STREAMS = {"worddocument": DOC, "workbook": XLS, "book": XLS, "powerpoint document": PPT}


def with_olefile(path: Path) -> Opinion:
    """An OLE file, with the stream that tells its kind."""
    olefile: Any = import_module("olefile")
    with olefile.OleFileIO(str(path)) as ole:
        names = [entry[0] for entry in ole.listdir() if len(entry) == 1]
        known = [name for name in names if name.lower() in _ROOT_STREAMS]
        for name in known:
            ole.openstream(name).read()
        flaws = "; ".join(str(message) for _, message in ole.parsing_issues)
    kinds = frozenset(_ROOT_STREAMS[name.lower()] for name in known) or {"application/x-ole-storage"}
    return Opinion(types=frozenset(kinds), words=f"OLE with {', '.join(names[:5])}", flaws=flaws)


def with_docx(path: Path) -> Opinion:
    """A Word document, with its paragraphs."""
    document = import_module("docx").Document(str(path))
    return Opinion(types=frozenset({DOCX}), words=f"Word, {len(document.paragraphs)} paragraphs")


def with_pptx(path: Path) -> Opinion:
    """A presentation, with its slides."""
    presentation = import_module("pptx").Presentation(str(path))
    # It opens those with macros, and slide shows, alike.
    sort = presentation.part.content_type
    kind = PPTX if sort.endswith("presentation.main+xml") else sort
    return Opinion(types=frozenset({kind}), words=f"PowerPoint, {len(presentation.slides)} slides")


def with_calamine(path: Path) -> Opinion:
    """A workbook, with all its sheets."""
    calamine: Any = import_module("python_calamine")
    book = calamine.CalamineWorkbook.from_path(str(path))
    rows = sum(len(book.get_sheet_by_name(name).to_python()) for name in book.sheet_names)
    return Opinion(types=frozenset({_kind_of_book(path)}), words=f"Excel, {rows} rows")


def _kind_of_book(path: Path) -> str:
    """Which of the types it is that calamine opens alike."""
    if not zipfile.is_zipfile(path):
        return XLS
    with zipfile.ZipFile(path) as archive:
        if "[Content_Types].xml" not in archive.namelist():
            return "application/vnd.oasis.opendocument.spreadsheet"
        if b"sheet.main+xml" in archive.read("[Content_Types].xml"):
            return XLSX
    return "another sort of Excel workbook"


LIBRARIES: dict[str, Callable[[Path], Opinion]] = {
    "PIL": with_pillow,
    "av": with_pyav,
    "olefile": with_olefile,
    "docx": with_docx,
    "pptx": with_pptx,
    "python_calamine": with_calamine,
}


def opinion(module: str, path: Path) -> Opinion:
    """What a library says; whatever it raises, it could not open the file."""
    try:
        return LIBRARIES[module](path)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic of Rust's is no Exception
        said = f"{type(error).__name__}: {error}".replace(str(path), path.name)
        return closed(shortened(said))
