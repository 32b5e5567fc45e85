"""Makers of real media files: images with Pillow, audio and video with PyAV's encoders, documents by hand.

All output is deterministic: the same arguments give the same bytes on the same library versions.
"""

from __future__ import annotations

import io
import math
import tempfile
import zipfile
from array import array
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
#: Container options under which FFmpeg writes no version and no time of its own.
BIT_EXACT = {"fflags": "+bitexact"}
#: The same, with the index of an MP4 in front of its data.
FAST_START = {"movflags": "+faststart", **BIT_EXACT}
#: What makes an encoder write the same bytes again: x264's output depends on its threads and, measured with
#: the one in PyAV 18, on chance where its macroblock tree is on.
_REPEATABLE = {"libx264": {"threads": "1", "x264-params": "mbtree=0"}}
_EPOCH = (1980, 1, 1, 0, 0, 0)

#: Pairs of colours that look well together.
PALETTE: tuple[tuple[Colour, Colour], ...] = (
    ((255, 94, 98), (255, 195, 113)),
    ((36, 11, 54), (195, 20, 50)),
    ((17, 153, 142), (56, 239, 125)),
    ((41, 128, 185), (109, 213, 250)),
    ((142, 45, 226), (74, 0, 224)),
    ((253, 200, 48), (243, 115, 53)),
    ((15, 32, 39), (44, 83, 100)),
    ((247, 151, 30), (255, 210, 0)),
)


def drawn_image(width: int, height: int, *, title: str = "", line: str = "", look: int = 0) -> Image.Image:
    """A banner: a gradient, some shapes, and text."""
    first, second = PALETTE[look % len(PALETTE)]
    image = Image.composite(
        Image.new("RGB", (width, height), second),
        Image.new("RGB", (width, height), first),
        Image.linear_gradient("L").rotate(90).resize((width, height)),
    )
    shapes = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(shapes)
    for index in range(5):
        radius = height * (0.12 + 0.09 * ((look * 7 + index * 5) % 6))
        x = width * ((look * 37 + index * 61) % 100) / 100
        y = height * ((look * 53 + index * 29) % 100) / 100
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 255, 255, 26))
    if title:
        size = max(10, min(height // 5, int(width / (0.6 * len(title)))))
        anchor = (width * 0.07, height * 0.42)
        draw.text(anchor, title, font=ImageFont.load_default(size), anchor="lm", fill=(255, 255, 255, 255))
        small = ImageFont.load_default(max(9, size // 3))
        draw.text((width * 0.075, height * 0.68), line, font=small, anchor="lm", fill=(255, 255, 255, 220))
    image.paste(shapes, mask=shapes)
    return image


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    """The file that Pillow writes for an image."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@cache
def _note(rate: int, pitch: float) -> array[int]:
    """A quarter of a second that fades in and out."""
    length = max(1, rate // 4)
    step = 2 * math.pi * pitch / rate
    return array(
        "h",
        (int(9000 * min(1.0, n / 400, (length - n) / 400) * math.sin(step * n)) for n in range(length)),
    )


def tone(seconds: float, *, rate: int = 44_100, pitch: float = 440.0) -> array[int]:
    """A melody of 16-bit samples."""
    total = int(seconds * rate)
    samples = array("h")
    for scale in cycle((1.0, 1.25, 1.5, 2.0, 1.5, 1.25)):
        if len(samples) >= total:
            return samples[:total]
        samples.extend(_note(rate, pitch * scale))
    return samples


def _audio_frames(stream: Any, samples: array[int], rate: int) -> Iterable[Any]:
    """The samples as frames of the size and format that the encoder wants."""
    resampler = av.AudioResampler(
        format=stream.codec_context.format.name,
        layout=stream.codec_context.layout.name,
        rate=stream.codec_context.sample_rate,
        frame_size=stream.codec_context.frame_size or None,
    )
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
    frame.sample_rate = rate
    frame.pts = 0
    frame.time_base = Fraction(1, rate)
    frame.planes[0].update(samples.tobytes())
    yield from resampler.resample(frame)
    yield from resampler.resample(None)


def media(
    form: str,
    *,
    video: str | None = None,
    audio: Iterable[str] = (),
    seconds: float = 2.0,
    size: tuple[int, int] = (320, 240),
    rate: int = 44_100,
    channels: int = 1,
    look: int = 0,
    fps: int = 15,
    title: str = "",
    pitch: float = 440.0,
    bit_rate: int | None = None,
    audio_options: Mapping[str, str] | None = None,
    video_options: Mapping[str, str] | None = None,
    pixels: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    tag: str | None = None,
) -> bytes:
    """An audio or video file.

    Args:
        form: FFmpeg's name of the container.
        video: FFmpeg's name of the video encoder, or None.
        audio: FFmpeg's names of the audio encoders, one for each audio track.
        seconds: play time.
        size: pixels of the video.
        rate: samples a second that the audio is encoded at.
        channels: 1 or 2.
        look: which colours the video has.
        fps: frames a second.
        title: text in the video.
        pitch: of the melody, in Hz.
        bit_rate: of the audio.
        audio_options: for the audio encoders.
        video_options: for the video encoder.
        pixels: FFmpeg's name of the video's pixel format.
        options: for the container.
        metadata: title, artist and so on.
        tag: four characters to name the video codec by, where the container's own are not wanted.
    """

    def encoded() -> bytes:
        # On disk, since FFmpeg's "faststart" opens what it wrote by name a second time.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "media")
            with av.open(str(path), "w", format=form, options=dict(options or BIT_EXACT)) as container:
                container.metadata.update(metadata or {})
                streams: list[tuple[Any, array[int] | None]] = []
                if video is not None:
                    coding = {**_REPEATABLE.get(video, {}), **(video_options or {})}
                    images: Any = container.add_stream(video, rate=fps, options=coding)
                    images.width, images.height = size
                    images.pix_fmt = pixels
                    if tag is not None:
                        images.codec_context.codec_tag = tag
                    streams.append((images, None))
                samples = tone(seconds, rate=rate, pitch=pitch)
                for codec in audio:
                    stream: Any = container.add_stream(codec, rate=rate, options=dict(audio_options or {}))
                    stream.codec_context.layout = "stereo" if channels > 1 else "mono"
                    if bit_rate is not None:
                        stream.codec_context.bit_rate = bit_rate
                    streams.append((stream, samples))
                for stream, audio_bytes in streams:
                    frames = (
                        _audio_frames(stream, audio_bytes, rate)
                        if audio_bytes is not None
                        else _video_frames(size, int(seconds * fps), look, title, pixels)
                    )
                    for frame in frames:
                        container.mux(stream.encode(frame))
                    container.mux(stream.encode(None))
            return path.read_bytes()

    # In a thread that ends with it: SVT-AV1 gives its caller's thread real-time priority, where it may, and
    # whatever that thread starts later would inherit it and leave no processor to anybody.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(encoded).result()


def _video_frames(size: tuple[int, int], count: int, look: int, title: str, pixels: str) -> Iterable[Any]:
    """A banner with a bar that grows: something moves, and it is cheap to make."""
    still = drawn_image(*size, title=title, look=look)
    for index in range(count):
        image = still.copy()
        right = size[0] * (index + 1) // count
        ImageDraw.Draw(image).rectangle((0, size[1] - 12, right, size[1]), fill=(255, 255, 255))
        whole: Any = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call] # PyAV leaves it bare
        frame = whole.reformat(format=pixels)
        frame.pts = index
        yield frame


# ---------------------------------------------------------------------------------------------- documents


def zipped(parts: Mapping[str, bytes | str], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive of these parts, in this order, always the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, body in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), body, compress_type=method)
    return out.getvalue()


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_TYPES = "application/vnd.openxmlformats-officedocument."

Relation = tuple[str, str, str]


def _relations(relations: Iterable[Relation]) -> str:
    rows = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for name, kind, target in relations
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{rows}</Relationships>'


def office(
    main: str,
    kind: str,
    parts: Mapping[str, bytes | str],
    *,
    overrides: Mapping[str, str] | None = None,
    types_first: bool = True,
    method: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """An OOXML package.

    Args:
        main: name of the main part.
        kind: its content type.
        parts: all parts but the content types and the package's relations.
        overrides: content types of further parts.
        types_first: whether ``[Content_Types].xml`` comes first, as Microsoft writes it, or last.
        method: how the ZIP archive is packed.
    """
    listed = {main: kind, **(overrides or {})}
    rows = "".join(f'<Override PartName="/{name}" ContentType="{value}"/>' for name, value in listed.items())
    types = (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{rows}</Types>'
    )
    body = {"_rels/.rels": _relations([("rId1", "officeDocument", main)]), **parts}
    head = {"[Content_Types].xml": types}
    return zipped({**head, **body} if types_first else {**body, **head}, method=method)


def docx(paragraphs: Iterable[str], **options: Any) -> bytes:
    """A Word document."""
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    document = f'{_XML}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
    kind = options.pop("kind", f"{_TYPES}wordprocessingml.document.main+xml")
    extra = options.pop("extra", {})
    return office("word/document.xml", kind, {"word/document.xml": document, **extra}, **options)


def xlsx(rows: Iterable[Iterable[str | float]], **options: Any) -> bytes:
    """An Excel workbook of one sheet."""
    sheet = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    kind = options.pop("kind", f"{_TYPES}spreadsheetml.sheet.main+xml")
    workbook = (
        f'{_XML}<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="Prices" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    parts = {
        "xl/workbook.xml": workbook,
        "xl/_rels/workbook.xml.rels": _relations([("rId1", "worksheet", "worksheets/sheet1.xml")]),
        "xl/worksheets/sheet1.xml": (
            f'{_XML}<worksheet xmlns="{_SHEET}"><sheetData>{sheet}</sheetData></worksheet>'
        ),
        **options.pop("extra", {}),
    }
    overrides = {"xl/worksheets/sheet1.xml": f"{_TYPES}spreadsheetml.worksheet+xml"}
    return office("xl/workbook.xml", kind, parts, overrides=overrides, **options)


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def pptx(titles: Iterable[str], **options: Any) -> bytes:
    """A PowerPoint presentation, a slide for each title, with the master and layout that PowerPoint needs."""
    slides = list(titles)
    kind = options.pop("kind", f"{_TYPES}presentationml.presentation.main+xml")
    names = [f"slides/slide{number}.xml" for number in range(1, len(slides) + 1)]
    space = f'xmlns:a="{_DRAWING}" xmlns:r="{_OFFICE}" xmlns:p="{_SLIDES}"'
    group = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    empty = f"<p:cSld><p:spTree>{group}</p:spTree></p:cSld>"
    listed = "".join(f'<p:sldId id="{256 + n}" r:id="rId{n + 2}"/>' for n in range(len(slides)))
    parts: dict[str, bytes | str] = {
        "ppt/presentation.xml": (
            f'{_XML}<p:presentation {space}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/>'
            f"</p:sldMasterIdLst><p:sldIdLst>{listed}</p:sldIdLst>"
            '<p:sldSz cx="9144000" cy="5143500"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>'
        ),
        "ppt/_rels/presentation.xml.rels": _relations(
            [
                ("rId1", "slideMaster", "slideMasters/slideMaster1.xml"),
                *((f"rId{n + 2}", "slide", name) for n, name in enumerate(names)),
            ]
        ),
        "ppt/slideMasters/slideMaster1.xml": (
            f'{_XML}<p:sldMaster {space}>{empty}<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" '
            'accent1="accent1" accent2="accent2" accent3="accent3" accent4="accent4" accent5="accent5" '
            'accent6="accent6" hlink="hlink" folHlink="folHlink"/><p:sldLayoutIdLst>'
            '<p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst></p:sldMaster>'
        ),
        "ppt/slideMasters/_rels/slideMaster1.xml.rels": _relations(
            [
                ("rId1", "slideLayout", "../slideLayouts/slideLayout1.xml"),
                ("rId2", "theme", "../theme/theme1.xml"),
            ]
        ),
        "ppt/slideLayouts/slideLayout1.xml": f"{_XML}<p:sldLayout {space}>{empty}</p:sldLayout>",
        "ppt/slideLayouts/_rels/slideLayout1.xml.rels": _relations(
            [("rId1", "slideMaster", "../slideMasters/slideMaster1.xml")]
        ),
        "ppt/theme/theme1.xml": _theme(),
    }
    for name, title in zip(names, slides, strict=True):
        text = (
            '<p:sp><p:nvSpPr><p:cNvPr id="2" name="Title"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm>'
            '<a:off x="685800" y="1600000"/><a:ext cx="7772400" cy="1470000"/></a:xfrm>'
            '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr><p:txBody><a:bodyPr/>'
            f'<a:p><a:r><a:rPr lang="en" sz="4400"/><a:t>{title}</a:t></a:r></a:p></p:txBody></p:sp>'
        )
        parts[f"ppt/{name}"] = (
            f"{_XML}<p:sld {space}><p:cSld><p:spTree>{group}{text}</p:spTree></p:cSld></p:sld>"
        )
        parts[f"ppt/slides/_rels/{name.rpartition('/')[2]}.rels"] = _relations(
            [("rId1", "slideLayout", "../slideLayouts/slideLayout1.xml")]
        )
    parts.update(options.pop("extra", {}))
    overrides = {
        "ppt/slideMasters/slideMaster1.xml": f"{_TYPES}presentationml.slideMaster+xml",
        "ppt/slideLayouts/slideLayout1.xml": f"{_TYPES}presentationml.slideLayout+xml",
        "ppt/theme/theme1.xml": f"{_TYPES}theme+xml",
        **{f"ppt/{name}": f"{_TYPES}presentationml.slide+xml" for name in names},
    }
    return office("ppt/presentation.xml", kind, parts, overrides=overrides, **options)


def _theme() -> str:
    names = ("dk1", "lt1", "dk2", "lt2", *(f"accent{n}" for n in range(1, 7)), "hlink", "folHlink")
    values = ("000000", "FFFFFF", "44546A", "E7E6E6", *["4472C4"] * 6, "0563C1", "954F72")
    colours = "".join(
        f'<a:{name}><a:srgbClr val="{value}"/></a:{name}>' for name, value in zip(names, values, strict=True)
    )
    font = '<a:latin typeface="Calibri"/><a:ea typeface=""/><a:cs typeface=""/>'
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>' * 3
    line = '<a:ln><a:solidFill><a:schemeClr val="phClr"/></a:solidFill></a:ln>' * 3
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>" * 3
    return (
        f'{_XML}<a:theme xmlns:a="{_DRAWING}" name="Plain"><a:themeElements>'
        f'<a:clrScheme name="Plain">{colours}</a:clrScheme><a:fontScheme name="Plain">'
        f"<a:majorFont>{font}</a:majorFont><a:minorFont>{font}</a:minorFont></a:fontScheme>"
        f'<a:fmtScheme name="Plain"><a:fillStyleLst>{fill}</a:fillStyleLst>'
        f"<a:lnStyleLst>{line}</a:lnStyleLst><a:effectStyleLst>{effect}</a:effectStyleLst><a:bgFillStyleLst>{fill}</a:bgFillStyleLst>"
        "</a:fmtScheme></a:themeElements></a:theme>"
    )


def pdf(lines: Iterable[str], *, extra_trailer: str = "") -> bytes:
    """A PDF of one page of text with a classic index."""
    shown = " T* ".join(f"({line}) Tj" for line in lines)
    stream = f"BT /F1 14 Tf 18 TL 56 780 Td {shown} ET".encode("latin-1", "replace")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {extra_trailer}>>\n"
    return bytes(out) + f"{trailer}startxref\n{start}\n%%EOF\n".encode()


# ------------------------------------------------------------------------------------------------- audio


def vorbis(seconds: float = 2.0) -> bytes:
    """An Ogg file with Vorbis audio, as older recorders write it."""
    options = {"strict": "experimental"}
    return media("ogg", audio=["vorbis"], seconds=seconds, channels=2, audio_options=options)


def as_quicktime(video: bytes) -> bytes:
    """The same MP4 under QuickTime's brand."""
    return video[:8] + b"qt  " + video[12:]


def with_comment(video: bytes, comment: bytes) -> bytes:
    """An ISO media file with a free box behind its end: other bytes, the same video."""
    return video + (len(comment) + 8).to_bytes(4, "big") + b"free" + comment


def adts_frames(audio_bytes: bytes) -> list[bytes]:
    """The frames of an AAC file; each can be played without the others."""
    frames, at = [], 0
    while at + 7 <= len(audio_bytes):
        size = (audio_bytes[at + 3] & 3) << 11 | audio_bytes[at + 4] << 3 | audio_bytes[at + 5] >> 5
        frames.append(audio_bytes[at : at + size])
        at += size
    return frames


#: Bytes of an AMR frame by its type (3GPP TS 26.101), with the header.
_AMR_SIZES = (13, 14, 16, 18, 20, 21, 27, 32, 6)


def amr_frames(audio_bytes: bytes) -> list[bytes]:
    """The frames of an AMR file."""
    frames, at = [], len(b"#!AMR\n")
    while at < len(audio_bytes):
        size = _AMR_SIZES[audio_bytes[at] >> 3 & 15]
        frames.append(audio_bytes[at : at + size])
        at += size
    return frames
