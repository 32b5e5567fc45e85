"""Media that no encoder at hand writes, made by hand for tests: small, and right in what they claim."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av
from PIL import Image

from examples import makers


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its check sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, rows: bytes | None = None) -> bytes:
    """A PNG of one colour, or with the rows given."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = b"\0" + b"\x55" * (-(-width * samples * depth // 8))
    body = zlib.compress(row * height if rows is None else rows)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    palette = chunk(b"PLTE", b"\xff\0\0" * 2**depth) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + header + palette + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def png_bomb() -> bytes:
    """A PNG that claims 30,000 x 30,000 pixels, 2.7 GB when unpacked, in a few kilobytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 30_000 * 3)
    body = b"".join(packer.compress(row) for _ in range(30_000 // 100)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def animated_png() -> bytes:
    """An APNG of two images."""
    frames = [makers.drawn_image(64, 64, look=look) for look in (0, 1)]
    return makers.saved(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=200)


def with_precision(jpeg: bytes, bits: int) -> bytes:
    """A JPEG whose frame header claims another precision."""
    at = jpeg.index(b"\xff\xc0") + 4
    return jpeg[:at] + bytes([bits]) + jpeg[at + 1 :]


def with_process(jpeg: bytes, marker: int) -> bytes:
    """A JPEG whose frame header claims another process, as lossless or arithmetic-coded ones have."""
    return jpeg.replace(b"\xff\xc0", bytes([0xFF, marker]), 1)


def turned(orientation: int) -> bytes:
    """A JPEG with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return makers.saved(makers.drawn_image(200, 100), "JPEG", exif=exif.tobytes())


def _ogg_checksum(page: bytes) -> int:
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value


def ogg_page(packet: bytes, *, flags: int = 2, granule: int = 0, serial: int = 1, sequence: int = 0) -> bytes:
    """An Ogg page that holds one packet."""
    lacing = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
    header = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, serial, sequence, 0)
    page = header + bytes([len(lacing)]) + lacing + packet
    return page[:22] + struct.pack("<I", _ogg_checksum(page)) + page[26:]


def with_serial(ogg_file: bytes, serial: int) -> bytes:
    """An Ogg file whose pages belong to a stream of another number."""
    return _repaged(ogg_file, lambda page: page[:14] + serial.to_bytes(4, "little") + page[18:])


def later(ogg_file: bytes, samples: int) -> bytes:
    """An Ogg file whose clock starts later, as that of a stream that was cut out of a broadcast."""

    def moved(page: bytes) -> bytes:
        granule = int.from_bytes(page[6:14], "little", signed=True)
        return page[:6] + (granule + samples).to_bytes(8, "little") + page[14:] if granule > 0 else page

    return _repaged(ogg_file, moved)


def _repaged(ogg_file: bytes, change: Callable[[bytes], bytes]) -> bytes:
    pages, position = [], 0
    while position < len(ogg_file):
        data = position + 27 + ogg_file[position + 26]
        end = data + sum(ogg_file[position + 27 : data])
        page = change(ogg_file[position:end])
        page = page[:22] + bytes(4) + page[26:]
        pages.append(page[:22] + struct.pack("<I", _ogg_checksum(page)) + page[26:])
        position = end
    return b"".join(pages)


def ogg(*starts: bytes) -> bytes:
    """An Ogg file of streams that open so, with a page of data for each."""
    first = [ogg_page(start.ljust(48, b"\0"), serial=n) for n, start in enumerate(starts, 1)]
    data = [
        ogg_page(b"\x33" * 200, flags=4, granule=48_000, serial=n, sequence=1)
        for n in range(1, len(starts) + 1)
    ]
    return b"".join(first + data)


def box(kind: bytes, *parts: bytes) -> bytes:
    """An ISO media box."""
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def heif(brand: bytes) -> bytes:
    """The start of a HEIC or AVIF image."""
    return box(b"ftyp", brand, bytes(4), b"mif1", brand) + box(b"meta", bytes(64)) + box(b"mdat", bytes(256))


def renamed_entry(video: bytes, old: bytes, new: bytes) -> bytes:
    """An ISO media file whose sample entry has another name, as if another codec were inside."""
    at = video.index(b"stsd")
    return video[:at] + video[at:].replace(old, new, 1)


def with_object_type(media: bytes, value: int) -> bytes:
    """An MP4 whose audio claims another MPEG-4 object type."""
    at = media.index(b"esds", media.index(b"mp4a"))
    place = media.index(b"\x40\x15", at)
    return media[:place] + bytes([value]) + media[place + 1 :]


def id3(size: int = 200, *, image: bytes = b"") -> bytes:
    """An ID3v2.3 tag with a title, and with an image if given."""
    title = b"\0Spring" + bytes(0)
    frames = b"TIT2" + struct.pack(">IH", len(title), 0) + title
    if image:
        body = b"\0image/jpeg\0\x03\0" + image
        frames += b"APIC" + struct.pack(">IH", len(body), 0) + body
    length = max(size, len(frames))
    frames = frames.ljust(length, b"\0")
    return b"ID3\x03\0\0" + bytes(length >> shift & 127 for shift in (21, 14, 7, 0)) + frames


def amr_wb() -> bytes:
    """A second of silence in wide-band AMR."""
    return b"#!AMR-WB\n" + (b"\x04" + bytes(17)) * 50


def with_thumbnail(jpeg: bytes) -> bytes:
    """A JPEG with a whole small one inside its EXIF block."""
    inside = b"Exif\0\0" + makers.saved(makers.drawn_image(40, 30), "JPEG")
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(inside) + 2) + inside + jpeg[2:]


def free_format_mp3(frames: int = 20) -> bytes:
    """MP3 frames of a bit rate that no table has, each 1,306 bytes; the layout of ``lame --freeformat``."""
    return (b"\xff\xfb\x00\x64" + bytes(36) + b"\x55" * 1266) * frames


def with_cover_track(*, with_video: bool) -> bytes:
    """An MP4 whose cover is a video track of its own, beside a video or beside audio alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "media")
        with av.open(str(path), "w", format="mp4", options=makers.BIT_EXACT) as container:
            tracks: list[tuple[Any, str, int]] = []
            for codec, pixels, count in [("libx264", "yuv420p", 12)] * with_video + [
                ("mjpeg", "yuvj420p", 1)
            ]:
                track: Any = container.add_stream(codec, rate=12)
                track.width = track.height = 64
                track.pix_fmt = pixels
                track.codec_context.options = {"bf": "0"} if codec == "libx264" else {}
                tracks.append((track, pixels, count))
            audio: Any = container.add_stream("aac", rate=44_100)
            audio.codec_context.layout = "mono"
            image: Any = av.VideoFrame.from_image(makers.drawn_image(64, 64))  # type: ignore[no-untyped-call] # PyAV leaves it bare
            for track, pixels, count in tracks:
                for index in range(count):
                    frame = image.reformat(format=pixels)
                    frame.pts = index
                    container.mux(track.encode(frame))
                container.mux(track.encode(None))
            quiet = av.AudioFrame(format="fltp", layout="mono", samples=1024)
            quiet.sample_rate = 44_100
            quiet.planes[0].update(bytes(4096))
            quiet.pts = 0
            container.mux(audio.encode(quiet))
            container.mux(audio.encode(None))
        return path.read_bytes()


def in_utf16(package: bytes, part: str) -> bytes:
    """A ZIP with one XML part written anew in UTF-16."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        parts: dict[str, bytes | str] = {name: archive.read(name) for name in archive.namelist()}
        parts[part] = archive.read(part).decode().replace("UTF-8", "UTF-16").encode("utf-16")
    return makers.zipped(parts)


def locked_zip(package: bytes) -> bytes:
    """A ZIP whose every part says that it is encrypted, as archivers with a password make them."""
    changed = bytearray(package)
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = package.find(mark)
        while at >= 0:
            changed[at + flags] |= 1
            at = package.find(mark, at + 4)
    return bytes(changed)


def damaged_part(package: bytes, word: bytes) -> bytes:
    """A stored ZIP in which one word of a part was overwritten, so that its check sum is wrong."""
    return package.replace(word, bytes(len(word)), 1)


def repacked(
    package: bytes, rename: Callable[[str], str] = str, *, change: Mapping[str, tuple[str, str]] | None = None
) -> bytes:
    """A ZIP written anew: names changed, and in some parts (by their old names) one word for another."""
    parts: dict[str, bytes | str] = {}
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        for name in archive.namelist():
            old, new = (change or {}).get(name, ("", ""))
            parts[rename(name)] = archive.read(name).replace(old.encode(), new.encode())
    return makers.zipped(parts)


def streamed_zip(package: bytes) -> bytes:
    """The same ZIP as programs write it that cannot go back: sizes follow the data, in 64 bits."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError("a pipe")

    out = Pipe()
    with zipfile.ZipFile(io.BytesIO(package)) as archive, zipfile.ZipFile(out, "w") as written:
        for name in archive.namelist():
            with written.open(name, "w", force_zip64=True) as part:
                part.write(archive.read(name))
    return out.getvalue()


def metafile(body: bytes) -> bytes:
    """A Windows metafile (EMF): its header, a comment that holds other bytes, and its end."""
    header = struct.pack("<II32x4s", 1, 88, b" EMF").ljust(88, b"\0")
    padded = body + bytes(-len(body) % 4)
    comment = struct.pack("<III", 70, len(padded) + 12, len(body)) + padded
    return header + comment + struct.pack("<IIIII", 14, 20, 0, 16, 20)


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([tag, 0x82]) + struct.pack(">H", len(body)) + body


def signed(body: bytes) -> bytes:
    """A PKCS #7 message that holds other bytes, as far as its outer layers go; a signature would follow."""
    of_pkcs_7 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
    content = _der(0x30, of_pkcs_7 + b"\x01", _der(0xA0, _der(0x04, body)))
    data = _der(0x30, b"\x02\x01\x01", b"\x31\x00", content, _der(0x31, bytes(256)))
    return _der(0x30, of_pkcs_7 + b"\x02", _der(0xA0, data))


def webp_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a WebP file."""
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)


def webp_image(width: int, height: int, *, grain: bool = False) -> bytes:
    """The chunk of a still image; one with grain packs badly."""
    image = makers.drawn_image(width, height)
    if grain:
        image = Image.effect_noise((width, height), 90).convert("RGB")
    return makers.saved(image, "WEBP", quality=100)[12:]


def webp_frame(width: int, height: int, *, left: int = 0, grain: bool = False) -> bytes:
    """The chunk of one image of several, at a place that is even."""
    numbers = (left // 2, 0, width - 1, height - 1, 100)
    header = b"".join(number.to_bytes(3, "little") for number in numbers) + b"\0"
    return webp_chunk(b"ANMF", header + webp_image(width, height, grain=grain))


def webp(
    *chunks: bytes, flags: int = 0, canvas: tuple[int, int] | None = None, announced: bool = True
) -> bytes:
    """A WebP file in the extended layout, as large as its first frame says, or as given."""
    if canvas is None:
        at = next(chunk for chunk in chunks if not chunk.startswith(b"JUNK"))
        inside = at[24:] if at.startswith(b"ANMF") else at
        width, height = struct.unpack_from("<HH", inside, 14)
        canvas = width & 0x3FFF, height & 0x3FFF
    sides = b"".join((side - 1).to_bytes(3, "little") for side in canvas)
    header = webp_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)
    body = b"WEBP" + header + (webp_chunk(b"ANIM", bytes(6)) if announced else b"") + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body
