"""Stickers become 512 x 512 with nothing cut off, under 100 KB or, moving, under 500 KB."""

from __future__ import annotations

import random

import pytest
from PIL import Image

from examples import makers
from greenroom.conversion import CannotFix, limits
from greenroom.rules import KIB, Category
from tests.conversion.kit import Bench, far, said

WIDE = makers.drawn_image(300, 150, title="Hi", look=3)


def noise(seed: int, side: int = 512) -> Image.Image:
    """An image that packs badly."""
    return Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(side * side * 3))


def frames_of(path: object) -> list[tuple[Image.Image, int]]:
    """Every image with its milliseconds."""
    found = []
    with Image.open(path) as image:  # type: ignore[arg-type] # a path
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            found.append((image.convert("RGBA"), int(image.info.get("duration", 0))))
    return found


def test_a_small_one_is_brought_to_size(bench: Bench) -> None:
    """Its aspect is kept, and what is around it is transparent."""
    fixed = bench.fix("hi.webp", makers.saved(WIDE, "WEBP", lossless=True))
    ((image, _),) = frames_of(fixed.path)
    assert image.size == (512, 512)
    assert image.getpixel((256, 20))[3] == 0  # type: ignore[index] # four numbers
    assert far(image.crop((0, 128, 512, 384)), WIDE.resize((512, 256), Image.Resampling.LANCZOS)) < 6
    assert not fixed.verdict.notices
    assert "transparent edges" in said(fixed)


def test_a_heavy_one_is_packed_better(bench: Bench) -> None:
    """Close under 100 KB."""
    fixed = bench.fix("noise.webp", makers.saved(noise(1), "WEBP", quality=50))
    assert 70 * KIB < fixed.verdict.size <= 100 * KIB


def test_the_heaviest_loses_fine_detail(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blurred beats blocky; where that is not enough either, it is refused."""
    monkeypatch.setattr(limits, "WORST_STICKER", 80)
    fixed = bench.fix("noise.webp", makers.saved(noise(2), "WEBP", lossless=True))
    assert "fine detail" in said(fixed)
    monkeypatch.setattr("greenroom.conversion.stickers._SOFTER", (1.0,))
    with pytest.raises(CannotFix, match=r"too much detail for 100 KB"):
        bench.try_fix("noise.webp", makers.saved(noise(2), "WEBP", lossless=True))


def test_movement_and_times_stay(bench: Bench) -> None:
    """Every frame, as long as before."""
    frames = [WIDE.rotate(angle) for angle in (0, 40, 80)]
    times = [100, 250, 400]
    data = makers.saved(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=times, lossless=True
    )
    fixed = bench.fix("moving.webp", data)
    after = frames_of(fixed.path)
    assert [milliseconds for _, milliseconds in after] == times
    assert fixed.verdict.label == "WebP sticker, 512 x 512, animated"
    for (image, _), wanted in zip(after, frames, strict=True):
        inside = image.crop((0, 128, 512, 384))
        assert far(inside, wanted.resize((512, 256), Image.Resampling.LANCZOS)) < 8


def test_a_heavy_moving_one_keeps_its_length(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are left out before it looks bad, and the rest are shown longer."""
    monkeypatch.setattr(limits, "WORST_STICKER", 90)
    frames = [noise(number, 128).resize((512, 512)) for number in range(9)]
    data = makers.saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100, quality=100)
    fixed = bench.fix("noise.webp", data)
    assert fixed.verdict.size <= 500 * KIB
    assert sum(milliseconds for _, milliseconds in frames_of(fixed.path)) == 900
    assert "of its 9 frames" in said(fixed)


def test_other_images_become_stickers_where_they_are_meant_to(bench: Bench) -> None:
    """A PNG, a GIF that moves."""
    fixed = bench.fix("hi.png", makers.saved(WIDE, "PNG"), kind=Category.STICKER)
    assert fixed.path.name == "hi.webp"
    gif = makers.saved(WIDE, "GIF", save_all=True, append_images=[WIDE.rotate(40)], duration=[200, 300])
    fixed = bench.fix("hi.gif", gif, kind=Category.STICKER)
    assert [milliseconds for _, milliseconds in frames_of(fixed.path)] == [200, 300]


def test_too_many_frames_are_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would all have to be in memory."""
    monkeypatch.setattr(limits, "MAX_STICKER_FRAMES", 2)
    gif = makers.saved(WIDE, "GIF", save_all=True, append_images=[WIDE.rotate(40), WIDE.rotate(80)])
    with pytest.raises(CannotFix, match=r"3 frames"):
        bench.try_fix("hi.gif", gif, kind=Category.STICKER)
