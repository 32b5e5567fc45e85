"""Images become JPEG or PNG in 8-bit RGB or RGBA, upright, under 5 MB."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from PIL import Image, ImageCms

from examples import makers
from greenroom.conversion import CannotFix, limits
from greenroom.rules import MIB, Category
from tests.conversion.kit import Bench, far, image_of, said
from tests.support import raw

SALE = makers.drawn_image(320, 200, title="Sale", look=1)


def saved(form: str, mode: str = "RGB", **options: Any) -> bytes:
    """The banner in a mode."""
    return makers.saved(SALE.convert(mode), form, **options)


def grainy(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """An image that packs badly."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), random.Random(1).randbytes(width * height * bands))


@pytest.mark.parametrize(
    ("name", "data", "mime_type", "words"),
    [
        ("grey.jpg", saved("JPEG", "L"), "image/jpeg", "greyscale"),
        ("cmyk.jpg", saved("JPEG", "CMYK", quality=95), "image/jpeg", "CMYK (for print)"),
        ("grey.png", saved("PNG", "L"), "image/png", "greyscale"),
        ("grey-alpha.png", saved("PNG", "LA"), "image/png", "greyscale"),
        ("palette.png", saved("PNG", "P"), "image/png", "palette"),
        ("one-bit.png", saved("PNG", "1"), "image/png", "black and white"),
        ("sixteen.png", raw.png(8, 8, depth=16), "image/png", "16-bit RGB"),
        ("sixteen-rgba.png", raw.png(8, 8, depth=16, colour=6), "image/png", "16-bit RGBA"),
        ("sixteen-grey.png", raw.png(8, 8, depth=16, colour=0), "image/png", "16-bit greyscale"),
    ],
)
def test_colours(bench: Bench, name: str, data: bytes, mime_type: str, words: str) -> None:
    """Every kind of colour that is refused becomes RGB or RGBA and looks the same."""
    fixed = bench.fix(name, data)
    assert fixed.verdict.mime_type == mime_type
    assert f"Converted from {words}" in said(fixed).replace("a palette", "palette")
    with Image.open(io.BytesIO(data)) as before:
        if not before.mode.startswith(("1", "I")):
            assert far(image_of(fixed.path), before.convert("RGB")) < 6


def test_qoi_is_an_image(bench: Bench) -> None:
    """Libmagic has no name for QOI; our own signature leads it to Pillow, and a drawing stays sharp."""
    fixed = bench.fix("drawing.qoi", saved("QOI"))
    assert "Saved as" in said(fixed)
    assert "instead of QOI." in said(fixed)
    assert fixed.path.suffix in (".png", ".jpg")
    assert far(image_of(fixed.path), SALE) < 6


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.woff2", b"wOF2\0\x01\0\0" + bytes(99), "a font"),
        ("a.glb", b"glTF\x02\0\0\0" + bytes(99), "a 3D model"),
        ("a.mid", b"MThd\0\0\0\x06\0\x01\0\x02\0\x60MTrk" + bytes(99), "a MIDI file"),
        ("a.dds", saved("DDS"), "JPEG or PNG"),
        ("a.bin", b"\x80\x02" + random.Random(1).randbytes(3000), "a file of an unknown type"),
    ],
)
def test_what_is_no_video_is_not_to_be_exported_as_one(
    bench: Bench, name: str, data: bytes, what: str
) -> None:
    """What cannot be fixed is called what it is, whichever engine would have been tried."""
    with pytest.raises(CannotFix) as caught:
        bench.fix(name, data)
    assert what in str(caught.value)
    assert "Export it as MP4" not in str(caught.value)


def test_sixteen_bits_keep_their_brightness(bench: Bench) -> None:
    """0x5555 of 0xFFFF is 0x55 of 0xFF, not white."""
    fixed = bench.fix("grey.png", raw.png(8, 8, depth=16, colour=0))
    assert image_of(fixed.path).getpixel((4, 4)) == (0x55, 0x55, 0x55)


def test_wide_greyscale_keeps_its_brightness(bench: Bench) -> None:
    """32 bits a pixel that hold no more than 8 are no black image."""
    fixed = bench.fix("wide.tif", makers.saved(SALE.convert("L").convert("I"), "TIFF"))
    assert far(image_of(fixed.path), SALE.convert("L")) < 6


def test_transparency_stays(bench: Bench) -> None:
    """Grey with transparency becomes RGBA, and a palette with a transparent colour as well."""
    faded = SALE.convert("LA")
    faded.putalpha(Image.linear_gradient("L").resize(SALE.size))
    assert image_of(bench.fix("faded.png", makers.saved(faded, "PNG")).path).mode == "RGBA"
    holes = SALE.quantize(16)
    assert image_of(bench.fix("holes.png", makers.saved(holes, "PNG", transparency=3)).path).mode == "RGBA"


def test_a_colour_profile_tells_how(bench: Bench) -> None:
    """CMYK goes through the profile that is in the file; where it is nonsense, without it."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for name, profile in (("lab.jpg", lab), ("nonsense.jpg", bytes(400))):
        fixed = bench.fix(name, saved("JPEG", "CMYK", icc_profile=profile))
        assert "through its colour profile" not in said(fixed)
        assert "icc_profile" not in image_of(fixed.path).info
    in_lab = ImageCms.profileToProfile(
        SALE, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert in_lab is not None
    tiff = makers.saved(in_lab, "TIFF", icc_profile=lab)
    fixed = bench.fix("scan.tif", tiff)
    assert "through its colour profile" in said(fixed)
    assert far(image_of(fixed.path), SALE) < 6


@pytest.mark.parametrize("orientation", range(2, 9))
def test_orientation_is_baked_in(bench: Bench, orientation: int) -> None:
    """The mark goes, the pixels turn, and the colour profile stays."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = makers.saved(SALE, "JPEG", exif=exif.tobytes(), icc_profile=profile, quality=90)
    fixed = bench.fix("turned.jpg", data)
    after = image_of(fixed.path)
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    wanted = SALE.transpose(Image.Transpose(turns[orientation]))
    assert far(after, wanted) < 3
    assert not after.getexif()
    assert after.info["icc_profile"] == profile
    assert f"EXIF orientation {orientation}" in said(fixed)


def test_orientation_of_png_and_of_refused_images(bench: Bench) -> None:
    """PNG has an EXIF block too, and grey images turn as well."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, data in (
        ("turned.png", makers.saved(SALE, "PNG", exif=exif.tobytes())),
        ("grey.jpg", saved("JPEG", "L", exif=exif.tobytes())),
        ("scan.tif", saved("TIFF", tiffinfo={0x0112: 6})),
        ("photo.avif", saved("AVIF", exif=exif.tobytes())),
    ):
        fixed = bench.fix(name, data)
        assert image_of(fixed.path).size == (200, 320), name
        assert not fixed.verdict.notices, name


def test_notes_are_removed_and_that_is_said(bench: Bench) -> None:
    """Where an image was taken is nobody's business; where there is nothing to remove, nothing is said."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    exif.get_ifd(0x8825)[1] = "N"
    fixed = bench.fix("placed.jpg", makers.saved(SALE, "JPEG", exif=exif.tobytes(), comment=b"secret"))
    assert "place where the image was taken" in said(fixed)
    assert b"secret" not in fixed.path.read_bytes()
    assert b"Maker" not in fixed.path.read_bytes()
    assert "Removed" not in said(bench.fix("grey.jpg", saved("JPEG", "L")))
    assert "Removed the notes" in said(bench.fix("noted.jpg", saved("JPEG", "L", comment=b"by hand")))


def test_a_jpeg_over_the_limit_keeps_its_pixels_if_it_can(bench: Bench) -> None:
    """The best quality that fits: close under the limit, and no smaller image."""
    fixed = bench.fix("large.jpg", makers.saved(grainy(2600, 1800), "JPEG", quality=98))
    assert image_of(fixed.path).size == (2600, 1800)
    assert 0.85 * 5 * MIB < fixed.verdict.size <= 5 * MIB


def test_a_jpeg_far_over_the_limit_loses_pixels(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the floor of quality it is scaled down, step by step."""
    monkeypatch.setattr(limits, "WORST_JPEG", 92)
    fixed = bench.fix("huge.jpg", makers.saved(grainy(3600, 2571), "JPEG", quality=95))
    width, height = image_of(fixed.path).size
    assert 1500 < width < 3600
    assert width / height == pytest.approx(1.4, abs=0.01)
    assert 0.7 * 5 * MIB < fixed.verdict.size <= 5 * MIB
    assert "Scaled down from 3600 x 2571" in said(fixed)


def test_a_png_over_the_limit(bench: Bench) -> None:
    """Packed better if that is enough; JPEG if it is not; smaller if it is transparent."""
    flat = makers.saved(SALE.resize((1600, 1200)), "PNG", compress_level=0)
    assert bench.fix("flat.png", flat).verdict.mime_type == "image/png"
    opaque = makers.saved(grainy(1400, 1300), "PNG", compress_level=0)
    fixed = bench.fix("opaque.png", opaque)
    assert (fixed.path.name, image_of(fixed.path).size) == ("opaque.jpg", (1400, 1300))
    transparent = makers.saved(grainy(1200, 1150, "RGBA"), "PNG", compress_level=0)
    fixed = bench.fix("transparent.png", transparent)
    after = image_of(fixed.path)
    assert (after.format, after.mode, fixed.path.suffix) == (None, "RGBA", ".png")
    assert max(after.size) < 1200


@pytest.mark.parametrize(
    ("name", "data", "new"),
    [
        ("photo.avif", saved("AVIF", quality=90), "photo.jpg"),
        ("scan.tif", saved("TIFF"), "scan.jpg"),
        ("packed.tiff", saved("TIFF", compression="tiff_lzw"), "packed.jpg"),
        ("sixteen.tif", makers.saved(SALE.convert("I;16"), "TIFF"), None),
        ("print.tif", saved("TIFF", "CMYK"), None),
        ("drawing.bmp", makers.saved(SALE.quantize(16).convert("RGB"), "BMP"), "drawing.png"),
        ("photo.bmp", saved("BMP"), "photo.jpg"),
        ("photo.jp2", saved("JPEG2000"), "photo.jpg"),
        ("page.ico", saved("ICO"), None),
        ("still.gif", saved("GIF"), "still.png"),
        ("photo.ppm", saved("PPM"), "photo.jpg"),
        ("photo.tga", saved("TGA"), None),
    ],
)
def test_other_types(bench: Bench, name: str, data: bytes, new: str | None) -> None:
    """Photos become JPEG, drawings of few colours PNG."""
    fixed = bench.fix(name, data)
    assert fixed.verdict.category is Category.IMAGE
    assert fixed.path.name == (new or fixed.path.name)
    assert "Saved as" in said(fixed)


def test_a_webp_can_be_meant_as_an_image(bench: Bench) -> None:
    """Where the manifest asks for one; a moving one gives its first frame."""
    fixed = bench.fix("banner.webp", saved("WEBP", quality=90), kind=Category.IMAGE)
    assert fixed.verdict.mime_type == "image/jpeg"
    moving = saved("WEBP", save_all=True, append_images=[SALE.rotate(90)])
    fixed = bench.fix("moving.webp", moving, kind=Category.IMAGE)
    assert far(image_of(fixed.path), SALE) < 8
    assert "first frame" in said(fixed)


def test_the_same_file_gives_the_same_bytes(bench: Bench) -> None:
    """And the second one gets a name of its own."""
    first, second = (bench.fix("cmyk.jpg", saved("JPEG", "CMYK")) for _ in range(2))
    assert first.sha256 == second.sha256
    assert (first.path.name, second.path.name) == ("cmyk.jpg", "cmyk-2.jpg")


def test_what_cannot_be_fixed_says_why(bench: Bench) -> None:
    """Bombs, pages, rare kinds and damage."""
    pages = saved("TIFF", save_all=True, append_images=[SALE.copy(), SALE.copy()])
    with pytest.raises(CannotFix, match=r"3 pages.*PDF"):
        bench.try_fix("pages.tif", pages)
    with pytest.raises(CannotFix, match=r"megapixels"):
        bench.try_fix("bomb.png", raw.png_bomb())
    with pytest.raises(CannotFix, match=r"damaged"):
        bench.try_fix("cut.bmp", saved("BMP")[:-5000])
    with pytest.raises(CannotFix, match=r"cut short"):
        bench.try_fix("cut.jpg", saved("JPEG")[:-500])
    with pytest.raises(CannotFix, match=r"12-bit|cannot read"):
        bench.try_fix("twelve.jpg", raw.with_precision(saved("JPEG"), 12))
    png = saved("PNG")
    with pytest.raises(CannotFix, match=r"Apple"):
        bench.try_fix("apple.png", png[:8] + raw.chunk(b"CgBI", bytes(4)) + png[8:])


def test_a_large_jpeg_is_unpacked_smaller(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the pixels that are worked with, detail is left out; beyond those of memory, it is refused."""
    monkeypatch.setattr(limits, "WORKED_WITH", 40_000)
    fixed = bench.fix("grey.jpg", saved("JPEG", "L"))
    assert image_of(fixed.path).size == (160, 100)
    assert "Scaled down from 320 x 200 to 160 x 100" in said(fixed)
    assert "Scaled down from 320 x 200 to 160 x 100" in said(bench.fix("grey.png", saved("PNG", "L")))
    monkeypatch.setattr(limits, "MAX_ORIGINAL_PIXELS", 40_000)
    with pytest.raises(CannotFix, match=r"320 x 200 pixels"):
        bench.try_fix("large.png", saved("PNG", "L"))


def test_an_image_of_noise_never_gets_smaller_than_a_thumbnail(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than that it is refused."""
    monkeypatch.setattr("greenroom.conversion.shrink._LIMIT", 3000)
    monkeypatch.setattr("greenroom.conversion.shrink.as_jpeg.__kwdefaults__", {"limit": 3000})
    with pytest.raises(CannotFix, match=r"too small to look at"):
        bench.try_fix("grey.jpg", makers.saved(grainy(600, 400, "L"), "JPEG"))
