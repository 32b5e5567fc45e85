"""Manifests made to hurt whoever reads them."""

# ruff: noqa: E501 - a table: one case a line is easier to read and to sort than four

from __future__ import annotations

import csv
import io
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cli.report import write_csv
from greenroom.errors import ManifestError
from greenroom.manifest_file import read_manifest
from greenroom.rules import MIB
from models.item_reports import ItemReport
from models.progress import ItemStatus
from tests.hostile.case import Case, looked_at

ITEM = '{"ref": "a", "source": "/a"}'
MANY = 10_000_000


def read(path: Path) -> str:
    """What comes of a manifest: how many items, or one printable sentence."""
    try:
        manifest = read_manifest(path)
        items = sum(1 for _ in manifest)
    except ManifestError as error:
        refusal = str(error).replace(str(path.parent), "FOLDER")
    else:
        assert items == len(manifest)
        return f"read: {items:,} items"
    assert refusal.isprintable()
    return refusal


def of(
    name: str, file: str, content: Iterable[bytes] | bytes | str, says: str, *, large: bool = False
) -> Case:
    """A manifest of this content."""

    def make(folder: Path) -> Path:
        path = folder / file
        given = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        with path.open("wb") as out:
            for piece in [given] if isinstance(given, bytes) else given:
                out.write(piece)
        return path

    return Case(kind="manifest", name=name, prepare=looked_at(make, read), says=says, large=large)


def odd(name: str, make: Callable[[Path], Path], says: str) -> Case:
    """A manifest that is no plain file."""
    return Case(kind="manifest", name=name, prepare=looked_at(make, read), says=says)


class Lines(Iterable[bytes]):
    """A long manifest, a thousand lines at a time; its last ref may be that of its first line."""

    def __init__(self, count: int, *, repeated: bool = False) -> None:
        self.count = count
        self.repeated = repeated

    def __iter__(self) -> Iterator[bytes]:
        yield b"ref,source\n"
        for first in range(0, self.count, 1_000):
            lines = [f"customer-{n:09d},/srv/media/{n:09d}.jpg\n" for n in range(first, first + 1_000)]
            yield "".join(lines).encode()
        if self.repeated:
            yield b"customer-000000000,/srv/media/again.jpg\n"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.csv")
    return folder / "pipe.csv"


def _sparse(ending: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"sparse{ending}"
        path.touch()
        os.truncate(path, 4 << 30)
        return path

    return make


def _growing(folder: Path) -> Path:
    path = folder / "growing.csv"
    path.write_bytes(b"".join(Lines(20_000)))

    def write() -> None:
        with path.open("ab") as file:
            for number in range(200_000):
                file.write(f"more-{number},/x\n".encode())
                file.flush()

    threading.Thread(target=write, daemon=True).start()
    while path.stat().st_size < 700_000:
        continue
    return path


def _exported(folder: Path) -> Callable[[], str]:  # noqa: ARG001 - nothing is written
    """The mapping of a campaign whose refs are formulas."""
    refs = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "a;=1+1", "\uff1d1")
    items = [
        ItemReport(
            ref=ref, source="/a", status=ItemStatus.READY, label="", category=None, mime_type=None, size=None,
            sha256=None, original_sha256=None, fixed=(), reason=None, detail="", notices=(), media_id="1",
            uploaded_at=None, last_used_at=None, expires_at=None,
        )
        for ref in refs
    ]  # fmt: skip

    def judge() -> str:
        file = io.StringIO(newline="")
        write_csv(items, file)
        cells = [row["ref"] for row in csv.DictReader(io.StringIO(file.getvalue(), newline=""))]
        run = [cell for cell in cells if re.search("(^|[;\t])[=+@\uff1d-]", cell)]
        return f"exported: {len(items)} refs, {len(run)} of them formulas"

    return judge


CASES_OF_MANIFESTS = (
    of("20,000 lines", "m.csv", Lines(20_000), "read: 20,000 items"),
    of("ten million lines", "m.csv", Lines(MANY), "read: 10,000,000 items", large=True),
    of("a ref of the first line again, 120,000 lines later", "m.csv", Lines(120_000, repeated=True), "line 120002: the ref .* stands on line 2", large=True),
    of("broken UTF-8", "m.csv", b"ref,source\na,/\xff\n", "line 2: this is not UTF-8"),
    of("UTF-16", "m.csv", "ref,source\na,/a\n".encode("utf-16"), "line 1: .*UTF-8"),
    of("a workbook named .csv", "m.csv", b"PK\x03\x04\x14\0\6\0" + bytes(100), "line 1: .*NUL"),
    of("NUL", "m.jsonl", ITEM + "\n\0\n", "line 2: .*NUL"),
    of("NUL by an escape", "m.jsonl", '{"ref": "a\\u0000", "source": "/a"}', "line 1: ref: .*NUL"),
    of("half a character by an escape", "m.jsonl", '{"ref": "\\ud800", "source": "/a"}', "line 1: ref holds half"),
    of("a field of 8 MB", "m.csv", b"ref,source\na,/" + b"x" * (8 * MIB), "line 2: .*more than 65,536"),
    of("a quote opened before 8 MB", "m.csv", b'ref,source\na,"/' + b"a,/b\n" * (2 * MIB), "line 2: .*quote opened here"),
    of("a line of 8 MB", "m.jsonl", b"[" * (8 * MIB), "line 1: .*more than 65,536"),
    of("JSON, a million deep", "m.json", b"[" + b"[" * 1_000_000, "line 1: this is nested too deeply"),
    of("a line of JSON, 60,000 deep", "m.jsonl", b"[" * 60_000, "line 1: this is nested too deeply"),
    of("a number of 60,000 digits", "m.jsonl", b"9" * 60_000, "line 1: .*thousands of digits"),
    of("a list of 8 MB without an end", "m.json", [b"[", *([b" " * MIB] * 8)], "this is not JSON"),
    of("a name that drives a terminal", "m.jsonl", '{"ref": "a", "source": "/a", "\\u001b[2J": 1}', "line 1: the field '.x1b.2J' is not known"),
    of("a ref that drives a terminal, twice", "m.csv", "ref,source\n\x1b[2J,/a\n\x1b[2J,/b\n", "line 3: the ref '.x1b.2J'"),
    of("eight million commas", "m.csv", b"ref,source\na,/a" + b"," * (8 * MIB), "line 2: .*more than 65,536"),
    odd("a sparse CSV of 4 GiB", _sparse(".csv"), "line 1: .*more than 65,536"),
    odd("sparse JSON of 4 GiB", _sparse(".json"), "line 1: .*NUL"),
    odd("sparse JSON lines of 4 GiB", _sparse(".jsonl"), "line 1: .*more than 65,536"),
    odd("a pipe that nobody writes to", _pipe, "is no file"),
    odd("one that grows while it is read", _growing, "was changed while it was read"),
    Case(kind="manifest", name="refs that are formulas", prepare=_exported, says="0 of them formulas"),
)  # fmt: skip
