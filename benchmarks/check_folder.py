"""Files a second of ``greenroom check``, beside the floor: SHA-256 of the bytes and a libmagic call each.

Run with ``python -m benchmarks.check_folder [COUNT] [--beside REVISION]``; by default 10,000 files, which
takes some minutes and 3 GB of disk in the temporary folder; writes
``benchmarks/results/raw/check_folder.md``.
The files are of all types that WhatsApp takes, 50 to 500 KB, really encoded, each with a content of its own.
All sides are commands of their own, on the same two cores, with the files in the page cache, run in turn;
start-up counts. With ``--beside``, the command of an earlier revision takes its turns, too, on the same files
and from a checkout of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.checkouts import checked_out, environment_of, git
from benchmarks.endpoint import RAW
from benchmarks.peers.contender import CHECKOUT
from examples import makers
from greenroom.inspection.sniff import mime_of
from greenroom.rules import KIB

COUNT = 10_000
ROUNDS = 5
CORES = 2
SMALLEST, LARGEST = 50 * KIB, 500 * KIB
RESULTS = RAW / "check_folder.md"
#: What libmagic is given: as much as the judge gives it.
_HEAD = 4096
_FLOOR_AT_A_TIME = 64

#: A file of about so many bytes, different for each number.
Maker = Callable[[int, int], bytes]


def grain(size: int, seed: int) -> bytes:
    """Bytes that do not pack."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - reproducible variety


def _bases(make: Callable[[int], bytes], steps: Sequence[int]) -> list[bytes]:
    made = sorted((make(step) for step in steps), key=len)
    return [base for base in made if SMALLEST - 8 * KIB <= len(base) <= LARGEST]


def _nearest(bases: Sequence[bytes], size: int) -> bytes:
    return min(bases, key=lambda base: abs(len(base) - size))


def _image(form: str, **options: object) -> Callable[[int], bytes]:
    def make(side: int) -> bytes:
        from PIL import Image  # noqa: PLC0415 - the floor must not pay for it

        image = makers.drawn_image(side, side, title="Sale", look=side)
        noise = Image.frombytes("RGB", (side, side), grain(side * side * 3, side))
        return makers.saved(Image.blend(image, noise, 0.12), form, **options)

    return make


def _makers() -> list[tuple[str, Maker]]:
    """Ending and maker of each type; the encoders run once for a dozen sizes of each."""
    jpegs = _bases(_image("JPEG", quality=88), range(280, 1100, 60))
    progressive = _bases(_image("JPEG", quality=85, progressive=True), range(280, 1100, 90))
    pngs = _bases(_image("PNG", compress_level=1), range(130, 460, 30))
    stickers = _bases(_image("WEBP", quality=80, method=0), range(440, 700, 20))
    stickers = [base for base in stickers if len(base) < 100 * KIB]
    clip = {"preset": "ultrafast", "profile": "baseline", "qp": "12"}
    front = makers.FAST_START
    videos = [
        makers.media("mp4", video="libx264", audio=["aac"], seconds=s, video_options=clip, options=front)
        for s in (1, 2, 4, 8)
    ]
    clips = [
        makers.media("3gp", video="libx264", audio=["aac"], seconds=s, video_options=clip) for s in (1, 4)
    ]
    tune = makers.media("ipod", audio=["aac"], seconds=8)
    notes = [
        makers.media("ogg", audio=["libopus"], seconds=s, rate=48_000, bit_rate=96_000) for s in (5, 9, 15)
    ]
    song = makers.media("mp3", audio=["libmp3lame"], seconds=8)[45:].lstrip(b"\0")
    adts = makers.adts_frames(makers.media("adts", audio=["aac"], seconds=8))
    amr = makers.amr_frames(makers.media("amr", audio=["libopencore_amrnb"], seconds=8, rate=8_000))
    return [
        (".jpg", lambda n, size: _commented(_nearest(jpegs, size), n)),
        (".mp4", lambda n, size: _filled_up(_nearest(videos, size), n, size)),
        (".pdf", _pdf),
        (".png", lambda n, size: _nearest(pngs, size) + b"%d" % n),
        (".ogg", lambda n, size: _tagged_ogg(_nearest(notes, size), n)),
        (".docx", lambda n, size: makers.docx([f"Letter {n}"], extra=_drawn(n, size, "word"))),
        (".jpg", lambda n, size: _commented(_nearest(progressive, size), n)),
        (".mp3", lambda n, size: _id3(n) + _repeated([song], size)),
        (".webp", lambda n, size: _nearest(stickers, size) + b"%08d" % n),
        (".xlsx", _xlsx),
        (".m4a", lambda n, size: _filled_up(tune, n, size)),
        (".txt", _text),
        (".3gp", lambda n, size: _filled_up(_nearest(clips, size), n, size)),
        (".aac", lambda n, size: _repeated(_turned(adts, n), size)),
        (".pptx", lambda n, size: makers.pptx([f"Deck {n}"], extra=_drawn(n, size, "ppt"))),
        (".amr", lambda n, size: b"#!AMR\n" + _repeated(_turned(amr, n), size)),
    ]


def _commented(jpeg: bytes, number: int) -> bytes:
    return jpeg[:2] + b"\xff\xfe\x00\x0a%08d" % number + jpeg[2:]


def _filled_up(media: bytes, number: int, size: int) -> bytes:
    return makers.with_comment(media, grain(max(8, size - len(media)), number))


def _repeated(frames: Sequence[bytes], size: int) -> bytes:
    whole = b"".join(frames)
    return whole * max(1, size // len(whole))


def _turned(frames: Sequence[bytes], number: int) -> list[bytes]:
    at = number % len(frames)
    return [*frames[at:], *frames[: at + number // len(frames)]]


def _tagged_ogg(audio_bytes: bytes, number: int) -> bytes:
    """The encoder's name in the comments, which nobody reads, made a number; nobody checks the page's CRC."""
    at = audio_bytes.index(b"OpusTags") + 12
    return audio_bytes[:at] + b"%08d" % number + audio_bytes[at + 8 :]


def _id3(number: int) -> bytes:
    title = b"TIT2\0\0\0\x09\0\0\0%08d" % number
    return b"ID3\x03\0\0\0\0\0" + bytes([len(title)]) + title


def _drawn(number: int, size: int, folder: str) -> dict[str, bytes]:
    return {f"{folder}/media/image1.jpeg": grain(size, number)}


def _pdf(number: int, size: int) -> bytes:
    words = random.Random(number)  # noqa: S311 - reproducible variety
    return makers.pdf(
        [f"Invoice {number}", *(f"{words.random()} {words.random()}" for _ in range(size // 60))]
    )


def _xlsx(number: int, size: int) -> bytes:
    return makers.xlsx([[f"Item {number}", 1.0]], extra=_drawn(number, size, "xl"))


def _text(number: int, size: int) -> bytes:
    chance = random.Random(number)  # noqa: S311 - reproducible variety
    words = [f"{chance.choice(('sale', 'grüße', 'linen', 'offer'))} {chance.random()}" for _ in range(200)]
    line = "; ".join(words).encode() + b"\n"
    return b"Note %d\n" % number + line * (size // len(line) + 1)


def write_files(folder: Path, count: int) -> Iterator[Path]:
    """So many files, the types by turns, sizes spread evenly."""
    kinds = _makers()
    chance = random.Random(1)  # noqa: S311 - reproducible variety
    for number in range(count):
        ending, make = kinds[number % len(kinds)]
        path = folder / f"{number:05}{ending}"
        path.write_bytes(make(number, chance.randint(SMALLEST, LARGEST - 16 * KIB)))
        yield path


# ------------------------------------------------------------------------------------------------ the floor


def floor_of(path: str) -> tuple[str, str]:
    """What nobody can do without: read all bytes, hash them, ask libmagic once."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - the fastest way there is
        content = file.read()
    return hashlib.sha256(content).hexdigest(), mime_of(content[:_HEAD])


def floor(folder: str) -> None:
    """The floor of a whole folder, on two processes."""
    paths = sorted(entry.path for entry in os.scandir(folder))
    with ProcessPoolExecutor(CORES) as pool:
        if sum(1 for _ in pool.map(floor_of, paths, chunksize=_FLOOR_AT_A_TIME)) != len(paths):
            raise SystemExit("The floor lost a file.")


# ---------------------------------------------------------------------------------------------- measurement


@dataclass(frozen=True, kw_only=True)
class Side:
    """One command, the checkout that it is of, and what it took each time."""

    name: str
    command: tuple[str, ...]
    checkout: Path
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self, expected: set[int]) -> None:
        """Run it once more."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        code = subprocess.run(
            self.command,
            cwd=self.checkout,
            env=environment_of(self.checkout),
            stdout=subprocess.DEVNULL,
            check=False,
        ).returncode
        self.seconds.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if code not in expected:
            raise SystemExit(f"{self.name} ended with {code}")


def sides(folder: Path, earlier: Mapping[str, Path]) -> list[Side]:
    """The floor first: the others are compared with it."""
    floor_command = (sys.executable, "-m", "benchmarks.check_folder", "--floor", str(folder))
    rows = [Side(name="floor: SHA-256 and libmagic", command=floor_command, checkout=CHECKOUT)]
    check = (sys.executable, "-m", "cli", "check", str(folder))
    for form, command in (("", check), (" --json", (*check, "--json"))):
        name = f"`greenroom check{form}`"
        rows += [
            Side(name=f"{name} of {revision}", command=command, checkout=checkout)
            for revision, checkout in earlier.items()
        ]
        rows.append(Side(name=name, command=command, checkout=CHECKOUT))
    return rows


def report(rows: Sequence[Side], count: int, size: int) -> str:
    """The table, in Markdown."""
    base = rows[0]
    lines = [
        "# `greenroom check` of a folder, beside the floor",
        "",
        f"{count:,} files of {SMALLEST // KIB} to {LARGEST // KIB} KB, {size / 2**30:.2f} GB in all, of",
        f"every type that WhatsApp takes; {CORES} cores; {ROUNDS} rounds by turns; medians (and spread).",
        "Start-up is counted. CPU is user and system time of all processes; where other programs share the",
        f"cores (load average at the end: {os.getloadavg()[0]:.1f}), its ratio is the one to trust.",
        "",
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}.",
        "",
        "| command | seconds | files/s | of the floor's files/s | CPU seconds | of the floor, by CPU |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        seconds, cpu = statistics.median(row.seconds), statistics.median(row.cpu)
        of_floor = statistics.median(base.seconds) / seconds, statistics.median(base.cpu) / cpu
        lines.append(
            f"| {row.name} | {seconds:.2f} ({min(row.seconds):.2f} to {max(row.seconds):.2f}) "
            f"| {count / seconds:,.0f} | {of_floor[0]:.0%} "
            f"| {cpu:.2f} ({min(row.cpu):.2f} to {max(row.cpu):.2f}) | {of_floor[1]:.0%} |"
        )
    return "\n".join(lines) + "\n"


def measure(folder: Path, revisions: Sequence[str]) -> list[Side]:
    """Run every side by turns."""
    with ExitStack() as stack:
        checkouts = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="greenroom-revisions-")))
        earlier = {
            git("show", "--no-patch", "--format=%h", revision): stack.enter_context(
                checked_out(revision, checkouts / revision)
            )
            for revision in revisions
        }
        rows = sides(folder, earlier)
        for round_ in range(ROUNDS + 1):  # the first is to warm the page cache, and does not count
            for row in rows:
                row.run({0})
                if round_ == 0:
                    row.seconds.clear()
                    row.cpu.clear()
                else:
                    print(f"{row.name}: {row.seconds[-1]:.2f} s, CPU {row.cpu[-1]:.2f} s", flush=True)
    return rows


def main(count: int, revisions: Sequence[str]) -> None:
    """Write the files, measure, and print the table."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="greenroom-check-") as name:
        folder = Path(name)
        start = time.perf_counter()
        size = sum(path.stat().st_size for path in write_files(folder, count))
        print(f"{count:,} files, {size / 2**30:.2f} GB, made in {time.perf_counter() - start:.0f} s")
        rows = measure(folder, revisions)
    text = report(rows, count, size)
    print(text)
    if count == COUNT:
        RAW.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=COUNT)
    parser.add_argument("--beside", action="append", default=[], metavar="REVISION", help="an earlier one")
    parser.add_argument("--floor", metavar="FOLDER", help="run the floor alone")
    return parser.parse_args()


if __name__ == "__main__":
    given = _options()
    if given.floor:
        floor(given.floor)
    else:
        main(given.count, given.beside)
