"""HEIC photos as phones write them: HEVC tiles of libx265 in HEIF boxes of our own."""

from __future__ import annotations

import struct
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

from tests.support.raw import box


def _coded(image: Image.Image) -> tuple[bytes, bytes]:
    """The decoder's configuration and the coded image."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "tile.mp4"))
        with av.open(path, "w") as out:
            options = {"x265-params": "log-level=none:ctu=16:bframes=0:keyint=1", "crf": "8"}
            stream: Any = out.add_stream("libx265", rate=25, options=options)
            stream.width, stream.height = image.size
            stream.pix_fmt = "yuv420p"
            whole: Any = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call] # PyAV leaves it bare
            frame = whole.reformat(format="yuv420p")
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        with av.open(path) as made:
            packet = next(made.demux(video=0))
            return bytes(made.streams.video[0].codec_context.extradata or b""), bytes(packet)


def _full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def photo(
    image: Image.Image,
    *,
    tile: int | None = None,
    turns: int = 0,
    mirror: int | None = None,
    profile: bytes = b"",
    exif: bytes = b"",
) -> bytes:
    """A HEIC file.

    Args:
        image: the pixels as stored.
        tile: side of the tiles, or None for an image in one piece.
        turns: quarter turns to the left that viewers make.
        mirror: axis of HEIF's ``imir``.
        profile: ICC profile.
        exif: a TIFF-like EXIF block.
    """
    side = tile or max(image.size)
    columns, rows = (-(-length // side) for length in image.size)
    parts = [image]
    if tile is not None:
        corners = [(x * side, y * side) for y in range(rows) for x in range(columns)]
        parts = [image.crop((x, y, x + side, y + side)) for x, y in corners]
    setups, coded = zip(*(_coded(part) for part in parts), strict=True)
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *image.size)
    whole = len(parts) + 1 if tile else 1
    kinds = [b"hvc1"] * len(parts) + ([b"grid"] if tile else []) + ([b"Exif"] if exif else [])
    properties = [
        box(b"hvcC", setups[0]),
        _full(b"ispe", struct.pack(">II", *parts[0].size)),
        _full(b"ispe", struct.pack(">II", *image.size)),
    ]
    shown = [] if turns == 0 else [box(b"irot", bytes([turns]))]
    shown += [] if mirror is None else [box(b"imir", bytes([mirror]))]
    shown += [box(b"colr", b"prof", profile)] if profile else []
    own = list(range(4, 4 + len(shown)))
    owned = {item: [1, 2] for item in range(1, len(parts) + 1)}
    owned[whole] = [3, *own] if tile else [1, 2, *own]
    data = [*coded, *([struct.pack(">I", 0) + exif] if exif else [])]

    def meta(start: int) -> bytes:
        places, at = [], start
        items = [*range(1, len(coded) + 1), *([len(kinds)] if exif else [])]
        for item, body in zip(items, data, strict=True):
            places.append(struct.pack(">HHHHII", item, 0, 0, 1, at, len(body)))
            at += len(body)
        if tile:
            places.append(struct.pack(">HHHHII", whole, 1, 0, 1, 0, len(grid)))
        infos = [
            _full(
                b"infe", struct.pack(">HH4sB", item, 0, kind, 0), version=2, flags=int(item != whole)
            )  # 1: hidden
            for item, kind in enumerate(kinds, 1)
        ]
        form = f">HH{len(parts)}H"
        links = [struct.pack(">HB", item, len(owns)) + bytes(owns) for item, owns in owned.items()]
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4), b"pict", bytes(13)),
            _full(b"pitm", struct.pack(">H", whole)),
            _full(b"iinf", struct.pack(">H", len(infos)), *infos),
            *(
                [_full(b"iref", box(b"dimg", struct.pack(form, whole, len(parts), *range(1, whole))))]
                if tile
                else []
            ),
            box(
                b"iprp",
                box(b"ipco", *properties, *shown),
                _full(b"ipma", struct.pack(">I", len(links)), *links),
            ),
            _full(b"iloc", b"\x44\x00", struct.pack(">H", len(places)), *places, version=1),
            *([box(b"idat", grid)] if tile else []),
        )

    head = box(b"ftyp", b"heic", bytes(4), b"mif1", b"heic")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", *data)
