"""Which readers there are, which types each knows, and how one comes by it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE
from tests.eye import names, programs
from tests.eye.companion import Companions
from tests.eye.opinion import Opinion

#: Refusals that whoever opens a file contradicts.
_CONTENT = frozenset({Reason.BROKEN, Reason.TYPE_NOT_SUPPORTED, Reason.NOT_TEXT})
_STREAMS = _CONTENT | {Reason.CODEC_NOT_SUPPORTED, Reason.TOO_MANY_AUDIO_STREAMS}
_COLOURS = _CONTENT | {Reason.COLOUR_NOT_SUPPORTED}
_LOCKS = _CONTENT | {Reason.ENCRYPTED}
_EVERYTHING = frozenset(BY_MIME_TYPE)

Ask = Callable[[Path, float], Opinion | None]


def _anything(_: bytes) -> bool:
    return True


def _pdf(head: bytes) -> bool:
    return b"%PDF-" in head


def _ole(head: bytes) -> bool:
    return head.startswith(b"\xd0\xcf\x11\xe0")


def _zip(head: bytes) -> bool:
    return head.startswith(b"PK")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One reader.

    Attributes:
        name: for people.
        names: types that it tells from others: an accepted file that it calls something else is a question.
        opens: types that it reads to the end, so that what it cannot open is no such file.
        contradicts: refusals that cannot be right where it opens the file and finds nothing wrong.
        ask: its opinion; None where it has none.
        is_there: whether it is installed.
        package: Debian's name, or empty of a library of Python's.
        may_open: whether it makes sense to ask about a refused file that begins so.
    """

    name: str
    names: frozenset[str]
    opens: frozenset[str]
    contradicts: frozenset[Reason]
    ask: Ask
    is_there: bool
    package: str = ""
    may_open: Callable[[bytes], bool] = _anything


def all_readers(companions: Companions) -> tuple[Reader, ...]:
    """Every reader, whether it is there or not."""
    program, library = _program, partial(_library, companions)
    media, books = names.AUDIO | names.VIDEO, frozenset({names.XLS, names.XLSX})
    pdf, text = frozenset({"application/pdf"}), frozenset({"text/plain"})
    return (
        library("Pillow", "PIL", names.IMAGES, _COLOURS),
        library("PyAV", "av", media, _STREAMS),
        program("ffprobe", "ffmpeg", media, media, _STREAMS - {Reason.BROKEN}, programs.ask_ffprobe),
        program("mediainfo", "mediainfo", media, frozenset(), frozenset(), programs.ask_mediainfo),
        program("pdfinfo", "poppler-utils", pdf, pdf, _LOCKS, programs.ask_pdfinfo, _pdf),
        library("olefile", "olefile", names.OLE, _CONTENT, _ole),
        library("calamine", "python_calamine", books, _LOCKS, lambda head: _ole(head) or _zip(head)),
        library("python-docx", "docx", frozenset({names.DOCX}), _LOCKS, _zip),
        library("python-pptx", "pptx", frozenset({names.PPTX}), _LOCKS, _zip),
        program("file", "file", _EVERYTHING, text, _CONTENT, programs.ask_file),
        program(
            "exiftool",
            "libimage-exiftool-perl",
            _EVERYTHING - text,
            frozenset(),
            frozenset(),
            programs.ask_exiftool,
        ),
    )


def _program(  # noqa: PLR0917 - a table of readers, whose columns stand in one order
    name: str,
    package: str,
    knows: frozenset[str],
    opens: frozenset[str],
    contradicts: frozenset[Reason],
    ask: Ask,
    may_open: Callable[[bytes], bool] = _anything,
) -> Reader:
    return Reader(
        name=name,
        names=knows,
        opens=opens,
        contradicts=contradicts,
        ask=ask,
        is_there=shutil.which(name) is not None,
        package=package,
        may_open=may_open,
    )


def _library(  # noqa: PLR0917 - as above
    companions: Companions,
    name: str,
    module: str,
    opens: frozenset[str],
    contradicts: frozenset[Reason],
    may_open: Callable[[bytes], bool] = _anything,
) -> Reader:
    return Reader(
        name=name,
        names=opens,
        opens=opens,
        contradicts=contradicts,
        ask=partial(companions.ask, module),
        is_there=find_spec(module) is not None,
        may_open=may_open,
    )


def how_to_install(missing: Iterable[Reader]) -> str:
    """The one command after which the readers are there."""
    readers = list(missing)
    commands = []
    if packages := sorted({reader.package for reader in readers if reader.package}):
        commands.append(f"sudo apt-get install --yes {' '.join(packages)}")
    if any(not reader.package for reader in readers):
        commands.append("make setup")
    return " && ".join(commands)
