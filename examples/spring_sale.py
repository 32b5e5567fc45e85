"""The demo campaign: a shop's spring sale, as its marketing department hands it over, mistakes included.

``python -m examples.spring_sale FOLDER`` writes it. Nothing is downloaded and nothing is random.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from examples import makers

_PRICES: tuple[tuple[str, float, float], ...] = (
    ("Linen shirt", 49.0, 34.3),
    ("Rain jacket", 129.0, 90.3),
    ("Canvas bag", 39.0, 27.3),
    ("Sun hat", 25.0, 17.5),
)
_TERMS = (
    "Spring Sale: terms",
    "",
    "1. The sale runs from 20 to 31 March, while stocks last.",
    "2. Discounts apply to marked items and cannot be combined.",
    "3. Returns within 30 days, with the receipt.",
)


#: Brightness of a radial gradient at the rim of a sticker.
_RIM = 180


def _jpeg(title: str, line: str, look: int, size: tuple[int, int] = (1200, 800)) -> bytes:
    return makers.saved(makers.drawn_image(*size, title=title, line=line, look=look), "JPEG", quality=88)


def _sticker(text: str, look: int) -> Image.Image:
    """A round sticker on a transparent ground."""
    image = makers.drawn_image(512, 512, title=text, look=look).convert("RGBA")
    disc = Image.radial_gradient("L").resize((512, 512)).point(lambda value: 255 * (value < _RIM))
    image.putalpha(disc)
    return image


def _photo_too_large() -> bytes:
    """An image of fine grain, which PNG cannot pack: 1600 x 1200 in 5.5 MB."""
    noise = Image.frombytes("RGB", (1600, 1200), random.Random(7).randbytes(1600 * 1200 * 3))  # noqa: S311 - grain
    return makers.saved(noise, "PNG", compress_level=0)


def _animated_sticker() -> bytes:
    frames = [_sticker(text, look) for text, look in (("-10%", 0), ("-20%", 5), ("-30%", 1))]
    return makers.saved(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=400, loop=0, quality=60
    )


def _animated_gif() -> bytes:
    frames = [makers.drawn_image(320, 200, title=text, look=look) for text, look in (("SALE", 1), ("NOW", 3))]
    return makers.saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=500, loop=0)


def _price_rows() -> list[list[str | float]]:
    rows: list[list[str | float]] = [["Item", "Price", "Sale price"]]
    rows.extend([name, old, new] for name, old, new in _PRICES)
    return rows


_FAST = {"preset": "veryfast", "crf": "28"}
_PHONE = {**_FAST, "profile": "main"}

#: What the campaign is made of. The last eight are the mistakes that such folders hold.
FILES: tuple[tuple[str, Callable[[], bytes]], ...] = (
    ("01-hero-banner.jpg", lambda: _jpeg("Spring Sale", "Up to 30% off, only until 31 March", 0)),
    ("02-linen-shirt.jpg", lambda: _jpeg("Linen shirt", "34.30 instead of 49.00", 2, (900, 900))),
    ("03-rain-jacket.jpg", lambda: _jpeg("Rain jacket", "90.30 instead of 129.00", 3, (900, 900))),
    (
        "04-coupon.png",
        lambda: makers.saved(
            makers.drawn_image(800, 400, title="SPRING30", line="Show this code", look=4), "PNG"
        ),
    ),
    (
        "teaser.mp4",
        lambda: makers.media(
            "mp4",
            video="libx264",
            audio=["aac"],
            seconds=6,
            size=(640, 360),
            title="Spring Sale",
            video_options=_PHONE,
            options=makers.FAST_START,
        ),
    ),
    (
        "store-tour.3gp",
        lambda: makers.media(
            "3gp", video="libx264", audio=["aac"], seconds=3, size=(176, 144), look=2, video_options=_PHONE
        ),
    ),
    (
        "silent-loop.mp4",
        lambda: makers.media(
            "mp4",
            video="libx264",
            seconds=3,
            size=(480, 480),
            look=5,
            title="-30%",
            video_options=_PHONE,
            options=makers.FAST_START,
        ),
    ),
    (
        "voice-note.ogg",
        lambda: makers.media("ogg", audio=["libopus"], seconds=4, rate=48_000, bit_rate=24_000),
    ),
    (
        "welcome.mp3",
        lambda: makers.media(
            "mp3", audio=["libmp3lame"], seconds=5, metadata={"title": "Welcome", "artist": "The shop"}
        ),
    ),
    ("jingle.m4a", lambda: makers.media("ipod", audio=["aac"], seconds=4, channels=2, pitch=523.0)),
    ("hold-music.aac", lambda: makers.media("adts", audio=["aac"], seconds=4, pitch=330.0)),
    ("call-back.amr", lambda: makers.media("amr", audio=["libopencore_amrnb"], seconds=3, rate=8_000)),
    ("terms.pdf", lambda: makers.pdf(_TERMS)),
    ("catalogue.docx", lambda: makers.docx(["Spring Sale", *(f"{n}: {new:.2f}" for n, _, new in _PRICES)])),
    ("price-list.xlsx", lambda: makers.xlsx(_price_rows())),
    ("deck.pptx", lambda: makers.pptx(["Spring Sale", "What is new", "Where to find us"])),
    ("opening-hours.txt", "Mon to Fri 9-19\nSat 10-16\nGrüße aus dem Laden!\n".encode),
    ("stock.csv", lambda: "\n".join(",".join(map(str, row)) for row in _price_rows()).encode()),
    ("sticker-sale.webp", lambda: makers.saved(_sticker("SALE", 1), "WEBP", quality=70)),
    ("sticker-countdown.webp", _animated_sticker),
    ("05-newsletter-header.jpg", _animated_gif),
    (
        "06-flyer-from-print-shop.jpg",
        lambda: makers.saved(makers.drawn_image(1000, 700, title="Flyer", look=6).convert("CMYK"), "JPEG"),
    ),
    ("07-window-poster.png", _photo_too_large),
    (
        "interview.mp4",
        lambda: makers.media("mp4", video="mpeg4", audio=["aac"], seconds=2, title="Interview", look=3),
    ),
    ("voice-note-old-recorder.ogg", makers.vorbis),
    ("08-upload-interrupted.jpg", lambda: _jpeg("Sun hat", "17.50 instead of 25.00", 7)[:30_000]),
    (
        "order-form.docx",
        lambda: makers.zipped({"order-form.txt": "Name:\nArticle:\n", "readme.txt": "Print me"}),
    ),
    ("empty-brochure.pdf", bytes),
)
#: Those of them that WhatsApp does not take.
BAD = frozenset(name for name, _ in FILES[20:])


def make(folder: Path) -> None:
    """Write the campaign's media into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES:
        (folder / name).write_bytes(content())


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and the folder
        sys.exit("Usage: python -m examples.spring_sale FOLDER")
    make(Path(sys.argv[1]))
    print(f"{len(FILES)} files in {sys.argv[1]}")
