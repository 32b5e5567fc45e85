"""Peak memory of a process that judges one file: large documents, a large video, and bombs.

Run with ``python -m benchmarks.check_memory``; takes about half a minute and 500 MB of disk in the temporary
folder, and writes ``benchmarks/results/raw/check_memory.md``. Each file is judged by a process of its own;
its peak is the largest resident set that the kernel saw, imports and libmagic's database included.
"""

from __future__ import annotations

import json
import platform
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.endpoint import RAW
from benchmarks.large_upload import write_pdf
from examples import makers
from greenroom.rules import LARGEST_FILE, MIB, SIZE_LIMITS, Category

RESULTS = RAW / "check_memory.md"
_JUDGE = """
import json, resource, sys, time
from pathlib import Path
from greenroom.inspection import inspect_file

start = time.perf_counter()
verdict = inspect_file(Path(sys.argv[1]))
seconds = time.perf_counter() - start
try:
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
except OSError:  # no Linux: the figure may then count the program that started this one
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([verdict.label, verdict.reason, seconds, peak]))
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What judging one file cost."""

    what: str
    size: int
    verdict: str
    seconds: float
    peak: int


def _png(path: Path, side: int) -> None:
    """An RGBA image of one colour: whoever decodes it needs four bytes a pixel."""
    packer = zlib.compressobj(1)
    row = bytes(1 + side * 4)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        _chunk(file.write, b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0))
        _chunk(file.write, b"IDAT", b"".join(packer.compress(row) for _ in range(side)) + packer.flush())
        _chunk(file.write, b"IEND", b"")


def _chunk(write: Callable[[bytes], int], kind: bytes, body: bytes) -> None:
    write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))


def _video(path: Path) -> None:
    """A video just within its limit, all of it frames and audio."""
    clip = {"preset": "ultrafast", "profile": "baseline", "qp": "1"}
    made = makers.media(
        "mp4",
        video="libx264",
        audio=["aac"],
        seconds=60,
        fps=25,
        size=(640, 480),
        video_options=clip,
        options=makers.FAST_START,
    )
    limit = SIZE_LIMITS[Category.VIDEO]
    if len(made) > limit:
        raise SystemExit(f"The video came out too large: {len(made):,} bytes")
    path.write_bytes(makers.with_comment(made, bytes(limit - 8 - len(made))))


def _zip_bomb(path: Path) -> None:
    """A Word document with a part that unpacks to 1 GB."""
    types = '<Override PartName="/word/document.xml" ContentType="{}"/>'.format(
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    )
    parts: dict[str, bytes | str] = {
        "[Content_Types].xml": f"<Types>{types}</Types>",
        "word/document.xml": b"<" + b" " * 2**30,
    }
    path.write_bytes(makers.zipped(parts))


def _list_bomb(path: Path) -> None:
    """A Word document whose list of parts, which has to be read, unpacks to 1 GB."""
    path.write_bytes(makers.zipped({"[Content_Types].xml": b" " * 2**30}))


def _presentation(path: Path) -> None:
    media = {"ppt/media/video.bin": bytes(LARGEST_FILE - MIB)}
    path.write_bytes(makers.pptx(["Video"], extra=media, method=0))


def _small(path: Path) -> None:
    path.write_bytes(makers.pdf(["Hello"]))


def _text(path: Path) -> None:
    path.write_bytes(b"0123456 89abcde\n" * (LARGEST_FILE // 16))


_FILES: tuple[tuple[str, str, Callable[[Path], None]], ...] = (
    ("a small PDF: what the process needs anyway", "small.pdf", _small),
    ("a PDF of 100 MB", "large.pdf", lambda path: write_pdf(path, LARGEST_FILE)),
    ("a presentation of 99 MB", "large.pptx", _presentation),
    ("a text of 100 MB", "large.txt", _text),
    ("a video of 16 MB", "video.mp4", _video),
    ("a PNG bomb: 30,000 x 30,000, 3.4 GB unpacked", "bomb.png", lambda path: _png(path, 30_000)),
    ("a PNG of 13,000 x 13,000, 645 MB unpacked", "wide.png", lambda path: _png(path, 13_000)),
    ("a ZIP bomb: a document part of 1 GB", "bomb.docx", _zip_bomb),
    ("a ZIP bomb: a list of parts of 1 GB", "list.docx", _list_bomb),
)


def measure(path: Path, what: str) -> Measured:
    """Judge one file in a process of its own."""
    run = subprocess.run([sys.executable, "-c", _JUDGE, str(path)], capture_output=True, check=True)
    label, reason, seconds, peak = json.loads(run.stdout)
    return Measured(
        what=what,
        size=path.stat().st_size,
        verdict=f"{label}: {reason or 'accepted'}",
        seconds=seconds,
        peak=peak,
    )


def main() -> None:
    """Write the files one after another, measure, and print the table."""
    rows = []
    for what, name, write in _FILES:
        with tempfile.TemporaryDirectory(prefix="greenroom-memory-") as folder:
            path = Path(folder, name)
            write(path)
            rows.append(measure(path, what))
        print(what, flush=True)
    base = rows[0].peak
    lines = [
        "# Memory of a process that judges one file",
        "",
        f"Largest resident set; Python {platform.python_version()}, {platform.system()}.",
        "",
        "| file | size | verdict | seconds | peak | above the smallest |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.what} | {row.size:,} | {row.verdict} | {row.seconds:.3f} | {row.peak / MIB:.1f} MB "
        f"| {(row.peak - base) / MIB:.1f} MB |"
        for row in rows
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    RAW.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
