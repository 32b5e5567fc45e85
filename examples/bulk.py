"""Folders of as many real media files as one likes, each different, a few of them bad.

``python -m examples.bulk FOLDER COUNT [SEED]`` writes one.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from examples import makers

#: One file in this many is bad.
BAD_EVERY = 20

Maker = Callable[[int, random.Random], bytes]


@cache
def _video(form: str, look: int) -> bytes:
    return makers.media(
        form,
        video="libx264",
        audio=["aac"],
        seconds=2,
        look=look,
        video_options={"preset": "ultrafast", "profile": "baseline"},
        options=makers.FAST_START if form == "mp4" else makers.BIT_EXACT,
    )


@cache
def _audio(form: str, codec: str, rate: int, pitch: float) -> bytes:
    return makers.media(form, audio=[codec], seconds=3, rate=rate, pitch=pitch)


def _jpeg(number: int, chance: random.Random) -> bytes:
    size = chance.choice([(640, 480), (800, 600), (720, 720)])
    image = makers.drawn_image(
        *size, title=f"Offer {number}", line=f"{chance.randint(5, 50)}% off", look=number
    )
    return makers.saved(
        image, "JPEG", quality=chance.randint(70, 95), progressive=chance.choice([True, False])
    )


def _png(number: int, chance: random.Random) -> bytes:
    image = makers.drawn_image(480, 320, title=f"Coupon {number}", look=number)
    return makers.saved(image.convert(chance.choice(["RGB", "RGBA"])), "PNG", compress_level=1)


def _sticker(number: int, _chance: random.Random) -> bytes:
    image = makers.drawn_image(512, 512, title=str(number), look=number)
    return makers.saved(image, "WEBP", quality=60, method=0)


def _mp4(number: int, _chance: random.Random) -> bytes:
    return makers.with_comment(_video("mp4", number % 3), b"video %d" % number)


def _3gp(number: int, _chance: random.Random) -> bytes:
    return makers.with_comment(_video("3gp", 3), b"clip %d" % number)


def _m4a(number: int, _chance: random.Random) -> bytes:
    return makers.with_comment(_audio("ipod", "aac", 44_100, 392.0), b"tune %d" % number)


def _mp3(number: int, _chance: random.Random) -> bytes:
    title = f"Track {number}".encode()
    frame = b"TIT2" + (len(title) + 1).to_bytes(4, "big") + b"\0\0\0" + title
    tag = b"ID3\x03\0\0\0\0" + bytes([len(frame) >> 7, len(frame) & 127]) + frame
    return tag + _audio("mp3", "libmp3lame", 44_100, 440.0)[45:].lstrip(b"\0")


def _aac(number: int, _chance: random.Random) -> bytes:
    return _shuffled(makers.adts_frames(_audio("adts", "aac", 44_100, 330.0)), number)


def _amr(number: int, _chance: random.Random) -> bytes:
    frames = makers.amr_frames(_audio("amr", "libopencore_amrnb", 8_000, 440.0))
    return b"#!AMR\n" + _shuffled(frames, number)


def _shuffled(frames: list[bytes], number: int) -> bytes:
    """The same frames in an order of their own: another content, as valid as before."""
    frames = frames.copy()
    random.Random(number).shuffle(frames)  # noqa: S311 - reproducible variety
    return b"".join(frames)


def _voice(number: int, _chance: random.Random) -> bytes:
    return makers.media(
        "ogg",
        audio=["libopus"],
        seconds=1,
        rate=48_000,
        bit_rate=16_000,
        metadata={"title": f"Note {number}"},
    )


def _pdf(number: int, chance: random.Random) -> bytes:
    return makers.pdf([f"Invoice {number}", *(f"Item {n}: {chance.randint(1, 99)}.00" for n in range(20))])


def _docx(number: int, chance: random.Random) -> bytes:
    return makers.docx([f"Letter {number}", *(f"Paragraph {chance.random()}" for _ in range(30))])


def _xlsx(number: int, chance: random.Random) -> bytes:
    return makers.xlsx([[f"Item {number}-{row}", chance.randint(1, 500)] for row in range(60)])


def _pptx(number: int, _chance: random.Random) -> bytes:
    return makers.pptx([f"Deck {number}", "Prices", "Contact"])


def _text(number: int, chance: random.Random) -> bytes:
    words = ("sale", "spring", "linen", "grüße", "offer", "today", "save", "new")
    return (f"Note {number}\n" + " ".join(chance.choice(words) for _ in range(200))).encode()


#: Ending, maker: the files that WhatsApp takes.
GOOD: tuple[tuple[str, Maker], ...] = (
    (".jpg", _jpeg),
    (".png", _png),
    (".mp4", _mp4),
    (".ogg", _voice),
    (".pdf", _pdf),
    (".jpg", _jpeg),
    (".webp", _sticker),
    (".mp3", _mp3),
    (".docx", _docx),
    (".m4a", _m4a),
    (".xlsx", _xlsx),
    (".txt", _text),
    (".3gp", _3gp),
    (".aac", _aac),
    (".pptx", _pptx),
    (".amr", _amr),
)
#: Ending, maker: typical mistakes.
BAD: tuple[tuple[str, Maker], ...] = (
    (".jpg", lambda n, _: makers.saved(makers.drawn_image(200, 150, title=f"Gif {n}", look=n), "GIF")),
    (".jpg", lambda n, chance: _jpeg(n, chance)[:-2000]),
    (
        ".jpg",
        lambda n, _: makers.saved(makers.drawn_image(400, 300, title=str(n), look=n).convert("CMYK"), "JPEG"),
    ),
    (".docx", lambda n, _: makers.zipped({"letter.txt": f"Letter {n}"})),
    (
        ".png",
        lambda n, _: makers.saved(makers.drawn_image(300, 200, title=str(n), look=n).convert("P"), "PNG"),
    ),
    (".txt", lambda n, _: f"<!DOCTYPE html><html><body>Page {n}</body></html>".encode()),
    (".pdf", lambda n, chance: _pdf(n, chance)[:-200]),
    (".mp4", lambda n, chance: makers.as_quicktime(_mp4(n, chance))),
)


def make_folder(folder: Path, count: int, seed: int) -> list[tuple[str, bool]]:
    """Write ``count`` different files; about one in :data:`BAD_EVERY` is bad.

    Args:
        folder: made where it is missing.
        count: how many files.
        seed: another one gives other files.

    Returns:
        The name of each file, and whether WhatsApp takes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for index in range(count):
        number = seed * 1_000_000 + index
        good = index % BAD_EVERY != BAD_EVERY // 2
        rows = GOOD if good else BAD
        place = index if good else index // BAD_EVERY
        extension, maker = rows[place % len(rows)]
        name = f"{index:05}{extension}"
        (folder / name).write_bytes(maker(number, random.Random(number)))  # noqa: S311 - reproducible variety
        written.append((name, good))
    return written


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("Usage: python -m examples.bulk FOLDER COUNT [SEED]")
    target, amount, *seeds = sys.argv[1:]
    made = make_folder(Path(target), int(amount), int(seeds[0]) if seeds else 1)
    print(f"{len(made)} files in {target}, {sum(not good for _, good in made)} of them bad")
