"""HEIC photos become JPEG: in one piece or in tiles, upright, with their colours."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageOps

from examples import makers
from greenroom.conversion import CannotFix
from greenroom.rules import Category
from tests.conversion import heic
from tests.conversion.kit import Bench, far, image_of, said

SALE = makers.drawn_image(200, 136, title="Sale", look=2)


def test_a_photo_in_one_piece(bench: Bench) -> None:
    """It is the same image."""
    fixed = bench.fix("photo.heic", heic.photo(SALE))
    assert fixed.path.name == "photo.jpg"
    assert fixed.verdict.mime_type == "image/jpeg"
    assert far(image_of(fixed.path), SALE) < 4
    assert "instead of HEIC" in said(fixed)


def test_tiles_are_put_together(bench: Bench) -> None:
    """Phones store a grid of tiles; the last of a row and of a column reach over the edge."""
    fixed = bench.fix("photo.heic", heic.photo(SALE, tile=64))
    assert image_of(fixed.path).size == SALE.size
    assert far(image_of(fixed.path), SALE) < 4


@pytest.mark.parametrize("tile", [None, 64])
@pytest.mark.parametrize(("turns", "mirror"), [(1, None), (2, None), (3, None), (0, 0), (0, 1), (1, 1)])
def test_it_is_turned_upright(bench: Bench, tile: int | None, turns: int, mirror: int | None) -> None:
    """``irot`` turns to the left, ``imir`` swaps top and bottom (0) or left and right (1)."""
    fixed = bench.fix("photo.heic", heic.photo(SALE, tile=tile, turns=turns, mirror=mirror))
    wanted = SALE.rotate(90 * turns, expand=True)
    if mirror is not None:
        wanted = ImageOps.mirror(wanted) if mirror else ImageOps.flip(wanted)
    assert far(image_of(fixed.path), wanted) < 4
    assert "upright" in said(fixed)


def test_the_colour_profile_stays(bench: Bench) -> None:
    """As iPhones write Display P3."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    fixed = bench.fix("photo.heic", heic.photo(SALE, profile=profile))
    assert image_of(fixed.path).info["icc_profile"] == profile


def test_where_it_was_taken_does_not_stay(bench: Bench) -> None:
    """The camera's notes are no part of the new file, and that is said."""
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x0110] = "Phone"
    fixed = bench.fix("photo.heic", heic.photo(SALE, exif=exif.tobytes().removeprefix(b"Exif\0\0")))
    assert "place where the image was taken" in said(fixed)
    assert not image_of(fixed.path).getexif()


def test_it_can_become_a_sticker(bench: Bench) -> None:
    """Where the manifest asks for one."""
    fixed = bench.fix("photo.heic", heic.photo(SALE), kind=Category.STICKER)
    assert fixed.verdict.label == "WebP sticker, 512 x 512"


def test_damage_is_refused(bench: Bench) -> None:
    """Cut anywhere, it is no image."""
    whole = heic.photo(SALE, tile=64)
    for share in (0.02, 0.1, 0.5, 0.9):
        with pytest.raises(CannotFix, match=r"damaged"):
            bench.try_fix("photo.heic", whole[: int(len(whole) * share)])


def test_more_pixels_than_memory_is_refused(bench: Bench) -> None:
    """The size is read before anything is unpacked."""
    whole = heic.photo(SALE, tile=64)
    bomb = whole.replace(b"\xc8\x00\x88", b"\xff\xff\xff")  # 200 x 136 becomes 65,535 x 65,416 in the grid
    with pytest.raises(CannotFix, match=r"megapixels|damaged"):
        bench.try_fix("photo.heic", bomb)


@pytest.mark.skipif(shutil.which("heif-convert") is None, reason="needs Debian's libheif-examples")
@pytest.mark.parametrize("turns", [0, 1])
def test_libheif_sees_the_same(bench: Bench, tmp_path: Path, turns: int) -> None:
    """Another decoder, written by others."""
    source = bench.put("original.heic", heic.photo(SALE, tile=64, turns=turns))
    target = tmp_path / "theirs.png"
    command = ["heif-convert", str(source), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    fixed = bench.fix("photo.heic", source.read_bytes())
    assert far(image_of(fixed.path), image_of(target)) < 4
