"""Animations become silent videos that last as long and look the same."""

from __future__ import annotations

import pytest
from PIL import Image

from examples import makers
from greenroom.conversion import CannotFix, limits
from greenroom.rules import Category
from tests.conversion.kit import Bench, far, probe, said

FRAMES = [makers.drawn_image(160, 120, title=str(look), look=look) for look in range(4)]


def moving(form: str, **options: object) -> bytes:
    """Four banners."""
    return makers.saved(FRAMES[0], form, save_all=True, append_images=FRAMES[1:], **options)


def test_a_gif_becomes_a_video(bench: Bench) -> None:
    """At its own pace, and in its own colours."""
    fixed = bench.fix("moving.gif", moving("GIF", duration=[500, 1000, 1500, 1000]))
    after = probe(fixed.path)
    assert after["codecs"] == ["h264"]
    assert [round(time, 2) for time in after["times"]] == [0, 0.5, 1.5, 3.0]
    assert all(far(image, wanted) < 12 for image, wanted in zip(after["frames"], FRAMES, strict=True))
    assert fixed.verdict.label.startswith("MP4 video, 0:04, 160 x 120, H.264")
    assert not fixed.verdict.notices


def test_a_short_one_is_repeated(bench: Bench) -> None:
    """GIFs loop and videos do not: a blink of a second would be over before anyone looks."""
    fixed = bench.fix("blink.gif", moving("GIF", duration=100))
    assert len(probe(fixed.path)["frames"]) == 4 * 8
    assert "Repeated it 8 times" in said(fixed)


@pytest.mark.parametrize("form", ["AVIF", "WEBP"])
def test_others_that_move(bench: Bench, form: str) -> None:
    """AVIF by itself; WebP, a sticker by nature, where a video is asked for."""
    data = moving(form, duration=1000)
    fixed = bench.fix(f"moving.{form.lower()}", data, kind=Category.VIDEO)
    assert len(probe(fixed.path)["frames"]) == 4


def test_transparent_frames_stand_on_white(bench: Bench) -> None:
    """Not on black."""
    ball = Image.new("RGBA", (64, 64))
    ball.paste((255, 0, 0, 255), (20, 20, 40, 40))
    other = ball.rotate(45)
    data = makers.saved(ball, "GIF", save_all=True, append_images=[other], duration=2000, disposal=2)
    first = probe(bench.fix("ball.gif", data).path)["frames"][0]
    assert min(first.getpixel((3, 3))) > 240


def test_odd_sizes_and_large_ones(bench: Bench) -> None:
    """H.264 wants even sides, and phones no more than 1920."""
    odd = makers.saved(
        FRAMES[0].resize((2001, 33)), "GIF", save_all=True, append_images=[FRAMES[1].resize((2001, 33))]
    )
    width, height = probe(bench.fix("odd.gif", odd).path)["frames"][0].size
    assert (width, height) == (1920, 32)


def test_a_still_gif_is_no_video(bench: Bench) -> None:
    """It is an image, and a video where one is asked for it cannot be."""
    assert bench.fix("still.gif", makers.saved(FRAMES[0], "GIF")).path.suffix == ".png"
    with pytest.raises(CannotFix, match=r"still image"):
        bench.try_fix("still.gif", makers.saved(FRAMES[0], "GIF"), kind=Category.VIDEO)


def test_too_many_frames_are_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded, like everything."""
    monkeypatch.setattr(limits, "MAX_FRAMES", 3)
    with pytest.raises(CannotFix, match=r"4 frames"):
        bench.try_fix("moving.gif", moving("GIF"))
