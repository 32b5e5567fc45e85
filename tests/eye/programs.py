"""Readers that are programs: how each is called, and what its answer means."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.eye.media import Stream, opinion_of
from tests.eye.names import MARKUP, OLE, OOXML, page_types
from tests.eye.opinion import Opinion, closed

#: Letters of what a program says that are shown.
_MOST_WORDS = 160
#: Where in memory FFmpeg has what complains.
_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")


class NoAnswer(Exception):
    """A reader took too long, and was ended."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a program left behind."""

    code: int
    output: str
    errors: str


def run(*command: str, seconds: float) -> Answer:
    """Run a program to its end.

    Raises:
        NoAnswer: it took longer than so many seconds.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise NoAnswer from error
    return Answer(
        code=done.returncode,
        output=done.stdout.decode("utf-8", "replace"),
        errors=shortened(done.stderr.decode("utf-8", "replace")),
    )


def shortened(text: str) -> str:
    """What a program complains of, in one line."""
    text = _ADDRESS.sub("", text)
    line = "; ".join(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    return line if len(line) <= _MOST_WORDS else line[:_MOST_WORDS] + "\N{HORIZONTAL ELLIPSIS}"


def ask_ffprobe(path: Path, seconds: float) -> Opinion | None:
    """FFmpeg's prober, which reads every packet and decodes none."""
    entries = (
        "format=format_name:format_tags=major_brand:stream=codec_type,codec_name,nb_read_packets"
        ":stream_disposition=attached_pic"
    )
    # The protocol is given, so that no name of a file can be one.
    command = ("ffprobe", "-v", "error", "-count_packets", "-show_entries", entries, "-of", "json")
    return of_ffprobe(run(*command, f"file:{path}", seconds=seconds))


def of_ffprobe(answer: Answer) -> Opinion | None:
    """What ffprobe's answer means."""
    found = _parsed(answer.output)
    if answer.code or "format" not in found:
        return closed(answer.errors)
    streams = [
        Stream.counted(
            kind=row.get("codec_type", ""),
            codec=row.get("codec_name", "unknown"),
            parts=int(row["nb_read_packets"]),
            cover=bool(row.get("disposition", {}).get("attached_pic")),
        )
        for row in found.get("streams", [])
        if int(row.get("nb_read_packets", 0))
    ]
    brand = found["format"].get("tags", {}).get("major_brand", "")
    return opinion_of(found["format"]["format_name"], brand, streams, flaws=answer.errors)


def ask_pdfinfo(path: Path, seconds: float) -> Opinion | None:
    """Poppler, which repairs much, and says so."""
    return of_pdfinfo(run("pdfinfo", str(path), seconds=seconds))


def of_pdfinfo(answer: Answer) -> Opinion | None:
    """What pdfinfo's answer means."""
    locked = "Incorrect password" in answer.errors
    if answer.code and not locked:
        return closed(answer.errors)
    lines = dict(line.split(":", 1) for line in answer.output.splitlines() if ":" in line)
    locked = locked or lines.get("Encrypted", "").strip().startswith("yes")
    return Opinion(
        types=frozenset({"application/pdf"}),
        words=f"PDF, {lines.get('Pages', '?').strip()} pages",
        outside="encrypted" if locked else "",
        flaws=answer.errors,
    )


def ask_file(path: Path, seconds: float) -> Opinion | None:
    """Libmagic, in the version of the system."""
    return of_file(run("file", "--brief", "--mime", "--", str(path), seconds=seconds))


#: Alphabets in which the page's plain text may be written.
_ALPHABETS = {"us-ascii", "utf-8", "utf-16le", "utf-16be", "iso-8859-1"}


def of_file(answer: Answer) -> Opinion | None:
    """What libmagic's answer means; None where it knows no more than that there are bytes."""
    name, _, alphabet = answer.output.strip().partition("; charset=")
    if answer.code or name in ("application/octet-stream", "inode/x-empty") or "/" not in name:
        return None
    words, types, text = answer.output.strip(), page_types(name), page_types("text/plain")
    if name == "application/encrypted":
        return Opinion(types=OLE | OOXML, words=words, outside="encrypted")
    if types == text:
        return Opinion(types=types, words=words, flaws="" if alphabet in _ALPHABETS else alphabet)
    if alphabet in _ALPHABETS and name not in MARKUP:
        # It opens like something else, and is text to its end: perhaps it is that, perhaps it is not.
        return Opinion(types=types | text, words=words, flaws=f"opens like {name}")
    return Opinion(types=types, words=words)


def ask_exiftool(path: Path, seconds: float) -> Opinion | None:
    """ExifTool, which knows most types by their heads."""
    # Behind a folder, so that a name that begins with a dash is no option.
    return of_exiftool(run("exiftool", "-json", "-MIMEType", str(path.absolute()), seconds=seconds))


def of_exiftool(answer: Answer) -> Opinion | None:
    """What ExifTool's answer means; None where it does not know the type."""
    found = _parsed(answer.output)
    name = found.get("MIMEType")
    if not isinstance(name, str) or name in ("application/octet-stream", "text/plain"):
        return None
    return Opinion(types=page_types(name), words=name)


#: MediaInfo's names in FFmpeg's words.
_MEDIAINFO_CONTAINERS = {"MPEG-4": "mov", "MPEG Audio": "mp3", "ADTS": "aac", "AMR": "amr", "Ogg": "ogg"}
_MEDIAINFO_CODECS = {"AVC": "h264", "AAC": "aac", "Opus": "opus", "AMR": "amr_nb"}


def ask_mediainfo(path: Path, seconds: float) -> Opinion | None:
    """MediaInfo, which reads heads and indices."""
    return of_mediainfo(run("mediainfo", "--Output=JSON", str(path.absolute()), seconds=seconds))


def of_mediainfo(answer: Answer) -> Opinion | None:
    """What MediaInfo's answer means; None where it found no audio and no video."""
    tracks = (_parsed(answer.output).get("media") or {}).get("track", [])
    whole: dict[str, str] = next((track for track in tracks if track.get("@type") == "General"), {})
    streams = [
        Stream.counted(
            kind=track["@type"].lower(), codec=_mediainfo_codec(track), parts=int(track.get("FrameCount", 0))
        )
        for track in tracks
        if track.get("@type") in ("Audio", "Video")
    ]
    name = whole.get("Format", "")
    if not streams or not name:
        return None
    return opinion_of(_MEDIAINFO_CONTAINERS.get(name, name), whole.get("CodecID", ""), streams)


def _mediainfo_codec(track: Mapping[str, str]) -> str:
    name = track.get("Format", "unknown")
    if name == "MPEG Audio":
        return "mp3" if track.get("Format_Profile", "Layer 3") == "Layer 3" else "mp2"
    return _MEDIAINFO_CODECS.get(name, name)


def _parsed(output: str) -> dict[str, Any]:
    """The object that a program wrote, or the only one of a list; an empty one where it wrote none."""
    try:
        found = json.loads(output)
    except ValueError:
        return {}
    if isinstance(found, list):
        found = found[0] if found else {}
    return found if isinstance(found, dict) else {}
