"""Images: to JPEG or PNG in 8-bit RGB or RGBA, upright, under 5 MB; moving ones to a video; or stickers."""

from __future__ import annotations

from typing import Any, Final

from PIL import Image, JpegImagePlugin

from greenroom.conversion import animation, colour, heif, metadata, shrink, stickers
from greenroom.conversion.downscale import bounded
from greenroom.conversion.image_reader import MOVING, open_image, readable
from greenroom.conversion.job import ConversionJob, Draft
from greenroom.errors import CannotFix
from greenroom.figures import human_size
from greenroom.reasons import Reason
from greenroom.rules import Category

#: Types of images that are mostly drawings and screenshots, with their sharp edges.
_PNG_FORMATS: Final = frozenset({"PNG", "GIF"})
#: An image with fewer colours than this is a drawing: JPEG would blur its edges, and PNG is small.
_FEW_COLOURS: Final = 256
_NAMES: Final[dict[str, str]] = {
    "JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WebP", "GIF": "GIF", "AVIF": "AVIF", "TIFF": "TIFF",
    "BMP": "BMP", "DIB": "BMP", "ICO": "an icon file", "JPEG2000": "JPEG 2000", "PPM": "PPM", "TGA": "TGA",
    "PSD": "Photoshop", "PCX": "PCX", "QOI": "QOI",
}  # fmt: skip
_RESAVE: Final = "Save it as JPEG or PNG with the program that made it."
_TYPES: Final[dict[str, str]] = {"image/jpeg": "JPEG", "image/png": "PNG"}


def fix_image(job: ConversionJob) -> Draft:
    """Fix an image that Pillow reads."""
    with job.path.open("rb") as file:
        if file.read(16).endswith(b"CgBI"):
            raise CannotFix(
                "This PNG is in Apple's variant for apps; its colours are stored swapped. " + _RESAVE
            )
    with open_image(job.path) as (image, smaller):
        moving = image.format in MOVING and getattr(image, "n_frames", 1) > 1
        wanted = job.kind or (Category.STICKER if image.format == "WEBP" else None)
        if wanted is Category.STICKER:
            return (
                stickers.animated_sticker(job, image)
                if moving
                else stickers.still_sticker(job, _coloured(image, smaller))
            )
        if wanted is Category.VIDEO or (moving and wanted is None):
            if not moving:
                raise CannotFix("This is a still image; a video cannot be made of it.")
            return animation.to_video(job, image)
        if wanted not in (None, Category.IMAGE):
            raise CannotFix(f"This is an image; no {wanted.value} file can be made of it.")
        _refuse_pages(image)
        first = ("Kept the first frame of the animation alone.",) if moving else ()
        return _still(job, image, (*smaller, *first))


def fix_heif(job: ConversionJob) -> Draft:
    """Fix a HEIC or HEIF image, which Pillow does not read."""
    if job.kind not in (None, Category.IMAGE, Category.STICKER):
        raise CannotFix(f"This is an image; no {job.kind.value} file can be made of it.")
    image, steps = heif.decoded(job.path, job.deadline)
    with readable():
        coloured = _coloured(image, steps)
        if job.kind is Category.STICKER:
            return stickers.still_sticker(job, coloured)
        return _written(job, coloured, "HEIC", png=False)


def _still(job: ConversionJob, image: Image.Image, steps: tuple[str, ...]) -> Draft:
    form = image.format or ""
    # What the original was saved with: its own tables lose the least.
    kept: dict[str, Any] = {}
    if form in ("JPEG", "MPO") and image.mode == "RGB":
        kept = {
            "qtables": getattr(image, "quantization", None),
            "subsampling": JpegImagePlugin.get_sampling(image),
        }
    coloured = _coloured(image, steps)
    png = form in _PNG_FORMATS or (form not in _TYPES.values() and _is_drawing(coloured.image))
    return _written(job, coloured, _NAMES.get(form, form), png=png, **kept)


def _coloured(image: Image.Image, steps: tuple[str, ...]) -> colour.Coloured:
    """Upright, in RGB or RGBA, without notes."""
    depth = colour.described(image)  # before unpacking, with which Pillow forgets it
    image.load()
    farewell = metadata.farewell(image)
    image, scaled = bounded(image)
    turned, turn = metadata.upright(image)
    converted = colour.to_rgb(turned, depth)
    return colour.Coloured(
        image=converted.image,
        profile=converted.profile,
        steps=(*steps, *scaled, *turn, *converted.steps, *farewell),
    )


def _written(job: ConversionJob, coloured: colour.Coloured, name: str, *, png: bool, **first: Any) -> Draft:
    data, draft = shrink.as_still_image(coloured.image, coloured.profile, job.deadline, png=png, **first)
    steps = list(coloured.steps)
    form = _TYPES[draft.mime_type]
    if name != form and not any(step.startswith("Saved as") for step in draft.steps):
        steps.append(f"Saved as {form} instead of {name}.")
    elif job.verdict.reason is Reason.TYPE_NOT_SUPPORTED:
        steps.append(f"Saved as a common {form}.")
    steps += draft.steps
    if not steps or len(data) < job.verdict.size:
        steps.append(f"Packed anew: {human_size(job.verdict.size)} became {human_size(len(data))}.")
    return Draft(mime_type=draft.mime_type, steps=tuple(steps), data=data)


def _is_drawing(image: Image.Image) -> bool:
    return image.getcolors(_FEW_COLOURS) is not None


def _refuse_pages(image: Image.Image) -> None:
    pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    if pages > 1:
        raise CannotFix(f"This TIFF has {pages} pages, and an image has one. Save it as a PDF document.")
