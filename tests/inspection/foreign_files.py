"""A file of each type that WhatsApp does not take: how it opens, and what has to be said of it.

The bytes are of each format's own specification (headers, and as much behind them as readers look at), or are
written by Pillow, PyAV and the standard library where these write the format.
"""

# ruff: noqa: E501 - a table: one file a line

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import plistlib
import sqlite3
import struct
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from examples import makers
from greenroom.inspection.foreign_types import Kind
from greenroom.inspection.signatures import Signature
from tests.support import raw
from tests.support.corpus import MAIN, media, noise, saved

Make = Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """One file of a type that is not in the provider's table.

    Attributes:
        name: as people name it.
        what: what the sentence has to call it.
        kind: what it is for, which the advice has to fit.
        make: its content.
    """

    name: str
    what: str
    kind: Kind
    make: Make


def one(name: str, what: str, kind: Kind, make: Make | bytes) -> Foreign:
    """A row; bytes stand for how a file opens and are filled up with noise."""
    return Foreign(
        name=name, what=what, kind=kind, make=make if callable(make) else lambda: make + noise(3000)
    )


def asf(*streams: str, **extra: object) -> Make:
    """A Windows Media file of PyAV's."""
    video = "wmv2" if "video" in streams else None
    return media("asf", video, *(["libmp3lame"] if "audio" in streams else []), **extra)


def iff(form: bytes, kind: bytes, order: str = ">") -> bytes:
    """A chunked file of Electronic Arts' or Microsoft's layout with nothing much in it."""
    return form + struct.pack(order + "I", 2000) + kind


def tiff(make: bytes, *, order: str = "<") -> bytes:
    """A TIFF whose first directory names a camera's maker."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = [(0x0100, 4, 1, 6000), (0x010F, 2, len(make) + 1, 100), (0x014A, 4, 1, 200)]
    directory = struct.pack(order + "H", len(entries))
    directory += b"".join(struct.pack(order + "HHII", *entry) for entry in entries) + bytes(4)
    return (mark + struct.pack(order + "I", 8) + directory).ljust(100, b"\0") + make + b"\0"


def dng() -> bytes:
    """A TIFF with the tag that says which version of DNG it is."""
    return (
        b"II*\0"
        + struct.pack("<IH", 8, 2)
        + struct.pack("<HHII", 0xC612, 1, 4, 0x0401)
        + struct.pack("<HHII", 0xC613, 1, 4, 0x0101)
        + bytes(4)
    )


def tar() -> bytes:
    """A tar archive with one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("a.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    return out.getvalue()


def sqlite() -> bytes:
    """A database with a table."""
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE sale (item TEXT)")
        return database.serialize()


def stl() -> bytes:
    """A binary STL of two triangles: its length says that it is one."""
    return (
        b"made by hand".ljust(80, b" ")
        + struct.pack("<I", 2)
        + (struct.pack("<12f", *range(12)) + b"\0\0") * 2
    )


def font(mark: bytes) -> bytes:
    """The head of an OpenType font: its tables by name."""
    names = (b"OS/2", b"cmap", b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp", b"name", b"post")
    tables = b"".join(name + struct.pack(">III", 7, 300 + 99 * at, 99) for at, name in enumerate(names))
    return mark + struct.pack(">HHHH", len(names), 128, 3, 32) + tables


def disk_image() -> bytes:
    """An ISO 9660 image: its volume begins at sector 16."""
    return bytes(32768) + b"\x01CD001\x01\0" + b"LINUX".ljust(32) + b"SALE".ljust(32) + bytes(6000)


def mac_image() -> bytes:
    """A macOS disk image: its mark stands in its last 512 bytes."""
    return (
        zlib.compress(bytes(range(256)) * 40)
        + noise(3000)
        + b"koly"
        + struct.pack(">II", 4, 512)
        + bytes(500)
    )


def palm(kind: bytes) -> bytes:
    """A Palm database, which Kindle books are."""
    return (
        b"Sale".ljust(32, b"\0")
        + struct.pack(">HHIII", 0, 0, 3_000_000_000, 3_000_000_000, 0)
        + bytes(12)
        + kind
        + bytes(8)
        + struct.pack(">H", 2)
        + bytes(40)
    )


def stuffed(count: int = 4) -> bytes:
    """A DER frame as signed files and certificates open: a sequence with an object's name in it."""
    return b"\x30\x82\x0b\xb8\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x82\x0b\xa9"[: 15 + count]


AUDIO_FILES = (
    one("a.wav", "a WAV recording", Kind.AUDIO, media("wav", None, "pcm_s16le")),
    one("big.wav", "an RF64 (WAV) recording", Kind.AUDIO, b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0"),
    one("a.w64", "a Wave64 recording", Kind.AUDIO, media("w64", None, "pcm_s16le")),
    one("a.flac", "a FLAC recording", Kind.AUDIO, media("flac", None, "flac")),
    one("a.aiff", "an AIFF recording", Kind.AUDIO, media("aiff", None, "pcm_s16be")),
    one("a.aifc", "an AIFF recording", Kind.AUDIO, iff(b"FORM", b"AIFCFVER")),
    one("a.wma", "a Windows Media audio file", Kind.AUDIO, asf("audio")),
    one("a.mka", "a Matroska audio file", Kind.AUDIO, media("matroska", None, "libopus", rate=48_000)),
    one("a.webm", "a WebM audio file", Kind.AUDIO, media("webm", None, "libopus", rate=48_000)),
    one("audio.flv", "a Flash audio file", Kind.AUDIO, media("flv", None, "libmp3lame", rate=44_100)),
    one("audio.avi", "an AVI file with audio alone", Kind.AUDIO, media("avi", None, "libmp3lame")),
    one("a.ra", "a RealAudio recording", Kind.AUDIO, b".ra\xfd\0\x04\0\0.ra4"),
    one("audio.rm", "a RealAudio recording", Kind.AUDIO, media("rm", None, "ac3")),
    one("a.caf", "a CAF recording", Kind.AUDIO, media("caf", None, "pcm_s16be")),
    one("a.ape", "a Monkey's Audio recording", Kind.AUDIO, b"MAC \x96\x0f\0\0\x34\0\0\0"),
    one("a.wv", "a WavPack recording", Kind.AUDIO, media("wv", None, "wavpack")),
    one("a.mpc", "a Musepack recording", Kind.AUDIO, b"MPCKSH\x0f\0\0\0\0\x08"),
    one("old.mpc", "a Musepack recording", Kind.AUDIO, b"MP+\x07\x10\0\0\0"),
    one("a.dsf", "a DSD recording", Kind.AUDIO, b"DSD \x1c\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0"),
    one("a.dff", "a DSD recording", Kind.AUDIO, b"FRM8\0\0\0\0\0\0\x10\0DSD FVER"),
    one("a.au", "a Sun audio file", Kind.AUDIO, media("au", None, "pcm_s16be")),
    one("a.mid", "a MIDI file", Kind.AUDIO, b"MThd\0\0\0\x06\0\x01\0\x02\0\x60MTrk"),
    one("riff.mid", "a MIDI file", Kind.AUDIO, iff(b"RIFF", b"RMIDdata", "<")),
    one("a.tta", "a True Audio recording", Kind.AUDIO, media("tta", None, "tta")),
    one("a.tak", "a TAK recording", Kind.AUDIO, b"tBaK\x01\x10\0\0"),
    one("a.ofr", "an OptimFROG recording", Kind.AUDIO, b"OFR \x0c\0\0\0"),
    one("a.shn", "a Shorten recording", Kind.AUDIO, b"ajkg\x02\xfb\xb1\x70"),
    one("a.voc", "a Creative Voice recording", Kind.AUDIO, media("voc", None, "pcm_u8", rate=8000)),
    one("a.dts", "a DTS recording", Kind.AUDIO, b"\x7f\xfe\x80\x01"),
    one("a.ac3", "an AC-3 (Dolby Digital) recording", Kind.AUDIO, media("ac3", None, "ac3")),
    one("a.eac3", "(Dolby Digital", Kind.AUDIO, media("eac3", None, "eac3")),
    one("a.thd", "a Dolby TrueHD recording", Kind.AUDIO, b"\xf0\x00\x1c\x20\xf8\x72\x6f\xba"),
    one("a.latm", "AAC in the LATM layout for broadcasting", Kind.AUDIO, media("latm", None, "aac")),
    one("a.adif", "AAC in the old ADIF layout", Kind.AUDIO, b"ADIF\0\0\0\0"),
    one("a.qcp", "a QCP (Qualcomm) recording", Kind.AUDIO, iff(b"RIFF", b"QLCMfmt ", "<")),
    one("a.mmf", "a SMAF ringtone", Kind.AUDIO, b"MMMD\0\0\x10\0CNTI"),
    one("a.sf2", "a SoundFont", Kind.AUDIO, iff(b"RIFF", b"sfbkLIST", "<")),
    one("a.mod", "a tracker song", Kind.AUDIO, bytes(1080) + b"M.K."),
    one("a.xm", "a tracker song", Kind.AUDIO, b"Extended Module: Sale                \x1aFastTracker v2.00   \x04\x01"),
    one("a.it", "a tracker song", Kind.AUDIO, b"IMPMSale"),
    one("a.s3m", "a tracker song", Kind.AUDIO, b"Sale".ljust(28, b"\0") + b"\x1a\x10\0\0" + bytes(12) + b"SCRM"),
    one("a.sid", "a Commodore 64 song", Kind.AUDIO, b"PSID\0\x02\0\x7c"),
)  # fmt: skip

IMAGES = (
    one("a.gif", "a GIF image", Kind.ANIMATION, saved("GIF")),
    one("a.qoi", "a QOI image", Kind.IMAGE, saved("QOI")),
    one("a.dds", "a DDS texture", Kind.IMAGE, saved("DDS")),
    one("a.tga", "a TGA image", Kind.IMAGE, saved("TGA")),
    one("packed.tga", "a TGA image", Kind.IMAGE, saved("TGA", compression="tga_rle")),
    one("a.psd", "a Photoshop image", Kind.IMAGE, b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 200, 320, 8, 3)),
    one("a.psb", "a Photoshop image", Kind.IMAGE, b"8BPS\0\x02" + bytes(6) + struct.pack(">HIIHH", 3, 200, 320, 8, 3)),
    one("a.xcf", "a GIMP image", Kind.IMAGE, b"gimp xcf v011\0" + struct.pack(">III", 320, 200, 0)),
    one("a.exr", "an OpenEXR image", Kind.IMAGE, b"\x76\x2f\x31\x01\x02\0\0\0channels\0chlist\0"),
    one("a.hdr", "a Radiance HDR image", Kind.IMAGE, b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 200 +X 320\n"),
    one("old.hdr", "a Radiance HDR image", Kind.IMAGE, b"#?RGBE\nFORMAT=32-bit_rle_rgbe\n\n-Y 200 +X 320\n"),
    one("a.jxl", "a JPEG XL image", Kind.IMAGE, b"\xff\x0a\xfa\x1f\x41\x91\x08\x06"),
    one("boxed.jxl", "a JPEG XL image", Kind.IMAGE, b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl "),
    one("a.jp2", "a JPEG 2000 image", Kind.IMAGE, saved("JPEG2000")),
    one("a.j2k", "a JPEG 2000 image", Kind.IMAGE, saved("JPEG2000", no_jp2=True)),
    one("a.avif", "an AVIF image", Kind.IMAGE, saved("AVIF")),
    one("a.heic", "a HEIC image", Kind.IMAGE, lambda: raw.heif(b"heic")),
    one("a.bmp", "a BMP image", Kind.IMAGE, saved("BMP")),
    one("a.tif", "a TIFF image", Kind.IMAGE, saved("TIFF")),
    one("big.tif", "a TIFF image", Kind.IMAGE, b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0"),
    one("a.ico", "an icon file", Kind.IMAGE, saved("ICO")),
    one("a.cur", "a mouse pointer", Kind.IMAGE, b"\0\0\x02\0\x01\0\x20\x20\0\0\x01\0\x01\0\xa8\x10\0\0\x16\0\0\0\x28\0\0\0\x20\0\0\0\x40\0\0\0\x01\0\x20\0"),
    one("a.ani", "a moving mouse pointer", Kind.IMAGE, iff(b"RIFF", b"ACONanih", "<")),
    one("a.icns", "a macOS icon file", Kind.IMAGE, saved("ICNS")),
    one("a.pcx", "a PCX image", Kind.IMAGE, saved("PCX")),
    one("a.pbm", "a PBM image", Kind.IMAGE, saved("PPM", "1")),
    one("a.pgm", "a PGM image", Kind.IMAGE, saved("PPM", "L")),
    one("a.ppm", "a PPM image", Kind.IMAGE, saved("PPM")),
    one("plain.ppm", "a PPM image", Kind.IMAGE, lambda: b"P3\n2 1\n255\n1 2 3 4 5 6\n"),
    one("a.pam", "a PAM image", Kind.IMAGE, b"P7\nWIDTH 4\nHEIGHT 2\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n"),
    one("a.pfm", "a PFM image", Kind.IMAGE, b"PF\n320 200\n-1.0\n"),
    one("a.fits", "a FITS image", Kind.IMAGE, lambda: (b"SIMPLE  =                    T / file conforms to FITS standard".ljust(80) + b"BITPIX  =                    8".ljust(80) + b"END").ljust(2880) + noise(2880)),
    one("a.cr2", "a camera raw image", Kind.IMAGE, b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0\0\0"),
    one("a.nef", "a camera raw image", Kind.IMAGE, lambda: tiff(b"NIKON CORPORATION", order=">") + noise(3000)),
    one("a.arw", "a camera raw image", Kind.IMAGE, lambda: tiff(b"SONY") + noise(3000)),
    one("a.dng", "a camera raw image", Kind.IMAGE, lambda: dng() + noise(3000)),
    one("a.raf", "a camera raw image", Kind.IMAGE, b"FUJIFILMCCD-RAW 0201FF383501X-T2"),
    one("a.orf", "a camera raw image", Kind.IMAGE, b"IIRO\x08\0\0\0"),
    one("a.rw2", "a camera raw image", Kind.IMAGE, b"IIU\0\x18\0\0\0"),
    one("a.x3f", "a camera raw image", Kind.IMAGE, b"FOVb\0\0\x02\0"),
    one("a.mrw", "a camera raw image", Kind.IMAGE, b"\0MRM\0\0\x10\0\0PRD"),
    one("a.crw", "a camera raw image", Kind.IMAGE, b"II\x1a\0\0\0HEAPCCDR\x02\0\x01\0"),
    one("a.cr3", "a camera raw image", Kind.IMAGE, b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom"),
    one("a.dcm", "a DICOM (medical) image", Kind.IMAGE, bytes(128) + b"DICM\x02\0\0\0UL\x04\0"),
    one("a.emf", "a Windows metafile (EMF)", Kind.IMAGE, struct.pack("<II8i4sI", 1, 108, *([0] * 8), b" EMF", 0x10000)),
    one("a.wmf", "a Windows metafile (WMF)", Kind.IMAGE, b"\xd7\xcd\xc6\x9a\0\0\0\0\0\0\x20\x03\x20\x03\x60\0\0\0\0\0\x71\x57\x01\0\x09\0\0\x03"),
    one("bare.wmf", "a Windows metafile (WMF)", Kind.IMAGE, b"\x01\0\x09\0\0\x03\x52\x1f\0\0\x02\0\x3d\0\0\0\0\0"),
    one("a.eps", "a PostScript file", Kind.DOCUMENT, lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%EOF\n"),
    one("dos.eps", "a PostScript file", Kind.DOCUMENT, b"\xc5\xd0\xd3\xc6\x1e\0\0\0\x10\0\0\0%!PS-Adobe"),
    one("a.djvu", "a DjVu document", Kind.DOCUMENT, b"AT&TFORM\0\0\x10\0DJVUINFO"),
    one("a.jb2", "a JBIG2 image", Kind.IMAGE, b"\x97JB2\r\n\x1a\n\x01\0\0\0\x01"),
    one("a.jxr", "a JPEG XR image", Kind.IMAGE, b"II\xbc\x01\x20\0\0\0"),
    one("a.bpg", "a BPG image", Kind.IMAGE, b"BPG\xfb\x20\0\x83\x40"),
    one("a.flif", "a FLIF image", Kind.IMAGE, b"FLIF31\x87\x40"),
    one("a.sgi", "an SGI image", Kind.IMAGE, saved("SGI")),
    one("a.dpx", "a DPX film image", Kind.IMAGE, media("image2pipe", "dpx", pixels="rgb24", seconds=0.07)),
    one("a.cin", "a Cineon film image", Kind.IMAGE, b"\x80\x2a\x5f\xd7\0\0\x08\0"),
    one("a.ras", "a Sun raster image", Kind.IMAGE, b"\x59\xa6\x6a\x95\0\0\x01\x40\0\0\0\xc8\0\0\0\x18"),
    one("a.xpm", "an XPM image", Kind.IMAGE, lambda: b'/* XPM */\nstatic char *a[] = {\n"1 1 1 1",\n"a c #ffffff",\n"a"};\n'),
    one("a.lbm", "an Amiga (IFF) image", Kind.IMAGE, iff(b"FORM", b"ILBMBMHD")),
    one("a.cdr", "a CorelDRAW drawing", Kind.IMAGE, iff(b"RIFF", b"CDRCvrsn", "<")),
    one("a.mng", "an MNG animation", Kind.ANIMATION, b"\x8aMNG\r\n\x1a\n\0\0\0\x1cMHDR"),
    one("a.psp", "a Paint Shop Pro image", Kind.IMAGE, b"Paint Shop Pro Image File\n\x1a\0\0\0\0\0"),
    one("a.pdn", "a Paint.NET image", Kind.IMAGE, b"PDN3\x1c\x10\0"),
    one("a.afphoto", "an Affinity document", Kind.IMAGE, b"\0\xffKA\x0a\0\0\0nsrP#Inf"),
    one("a.clip", "a Clip Studio Paint image", Kind.IMAGE, b"CSFCHUNK\0\0\0\0\0\x10\0\0CHNKHead"),
    one("a.ktx", "a KTX texture", Kind.IMAGE, b"\xabKTX 11\xbb\r\n\x1a\n"),
    one("a.astc", "an ASTC texture", Kind.IMAGE, b"\x13\xab\xa1\x5c\x04\x04\x01"),
    one("a.blp", "a BLP texture", Kind.IMAGE, saved("BLP", "P")),
    one("a.vtf", "a VTF texture", Kind.IMAGE, b"VTF\0\x07\0\0\0\x02\0\0\0"),
    one("a.dwg", "an AutoCAD drawing", Kind.MODEL, b"AC1032\0\0\0\0\0\x06"),
    one("a.fig", "a Figma design", Kind.IMAGE, b"fig-kiwi\x0f\0\0\0"),
)  # fmt: skip

VIDEOS = (
    one("a.avi", "an AVI video", Kind.VIDEO, media("avi", "mpeg4", "libmp3lame")),
    one("a.flv", "a Flash video", Kind.VIDEO, media("flv", "libx264", "aac", video_options=MAIN)),
    one("a.ts", "an MPEG transport stream", Kind.VIDEO, media("mpegts", "libx264", "aac", video_options=MAIN)),
    one("a.mpg", "an MPEG-1 or MPEG-2 video", Kind.VIDEO, media("mpeg", "mpeg2video", "mp2", fps=25)),
    one("a.m2v", "an MPEG-1 or MPEG-2 video", Kind.VIDEO, media("mpeg2video", "mpeg2video", fps=25)),
    one("a.mxf", "an MXF video", Kind.VIDEO, media("mxf", "mpeg2video", fps=25)),
    one("a.rm", "a RealMedia video", Kind.VIDEO, media("rm", "rv20", "ac3", size=(176, 144))),
    one("a.dv", "a DV video", Kind.VIDEO, media("dv", "dvvideo", "pcm_s16le", channels=2, rate=48_000, size=(720, 576), fps=25, pixels="yuv420p", seconds=0.2)),
    one("a.wmv", "a Windows Media video", Kind.VIDEO, asf("video", "audio")),
    one("silent.wmv", "a Windows Media video", Kind.VIDEO, asf("video")),
    one("a.mkv", "a Matroska video", Kind.VIDEO, media("matroska", "libx264", "aac", video_options=MAIN)),
    one("video.webm", "a WebM video", Kind.VIDEO, media("webm", "libvpx", "libopus", rate=48_000)),
    one("a.ivf", "a bare VP8, VP9 or AV1 video stream", Kind.VIDEO, media("ivf", "libvpx")),
    one("a.y4m", "an unpacked video (YUV4MPEG2)", Kind.VIDEO, media("yuv4mpegpipe", "rawvideo")),
    one("a.nut", "a NUT video", Kind.VIDEO, media("nut", "mpeg4")),
    one("a.h264", "a bare H.264 video stream", Kind.VIDEO, media("h264", "libx264", video_options=MAIN)),
    one("a.h265", "a bare HEVC (H.265) video stream", Kind.VIDEO, media("hevc", "libx265")),
    one("a.m4v", "a bare MPEG-4 video stream", Kind.VIDEO, media("m4v", "mpeg4")),
    one("a.swf", "a Flash animation", Kind.VIDEO, b"FWS\x08\x40\x10\0\0"),
    one("packed.swf", "a Flash animation", Kind.VIDEO, lambda: b"CWS\x08\x40\x10\0\0" + zlib.compress(bytes(4000))),
    one("a.flc", "an Autodesk animation (FLIC)", Kind.VIDEO, b"\0\x20\0\0\x12\xaf\x0a\0\x40\x01\xc8\0\x08\0\x03\0"),
    one("a.bik", "a Bink video", Kind.VIDEO, b"BIKi\0\x10\0\0\x20\0\0\0"),
    one("a.smk", "a Smacker video", Kind.VIDEO, b"SMK2\x40\x01\0\0\xc8\0\0\0"),
    one("a.wtv", "a Windows TV recording", Kind.VIDEO, b"\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d"),
    one("a.mov", "a QuickTime movie", Kind.VIDEO, media("mov", "libx264", "aac", video_options=MAIN)),
    one("a.3g2", "a 3GPP2 video", Kind.VIDEO, media("3g2", "libx264", "aac", video_options={"profile": "baseline"})),
    one("a.gxf", "a GXF video", Kind.VIDEO, media("gxf", "mpeg2video", size=(720, 576), fps=25, seconds=0.2)),
    one("a.r3d", "a RED camera raw video", Kind.VIDEO, b"\0\0\x10\0RED2\x01\0"),
    one("a.amv", "an AMV video", Kind.VIDEO, iff(b"RIFF", b"AMV LIST", "<")),
)  # fmt: skip

FONTS = (
    one("a.ttf", "a font", Kind.FONT, font(b"\0\x01\0\0")),
    one("mac.ttf", "a font", Kind.FONT, font(b"true")),
    one("a.otf", "a font", Kind.FONT, font(b"OTTO")),
    one("a.ttc", "a font", Kind.FONT, b"ttcf\0\x01\0\0\0\0\0\x02\0\0\0\x14\0\0\x01\0"),
    one("a.woff", "a font", Kind.FONT, b"wOFF\0\x01\0\0\0\0\x10\0\0\x0a\0\0"),
    one("a.woff2", "a font", Kind.FONT, b"wOF2\0\x01\0\0\0\0\x10\0\0\x0a\0\0"),
    one("a.eot", "a font", Kind.FONT, struct.pack("<IIII", 3082, 2900, 0x20001, 0) + bytes(10) + b"\x01\0" + struct.pack("<IHH", 400, 0, 0x504C)),
    one("a.pfb", "a font", Kind.FONT, b"\x80\x01\x10\x0a\0\0%!PS-AdobeFont-1.0: Sale 001.001\n"),
    one("a.pcf", "a font", Kind.FONT, b"\x01fcp\x08\0\0\0\x01\0\0\0"),
)  # fmt: skip

ARCHIVES = (
    one("a.zip", "a ZIP archive", Kind.ARCHIVE, lambda: makers.zipped({"a.txt": "a"})),
    one("old.rar", "a RAR archive", Kind.ARCHIVE, b"Rar!\x1a\x07\0\xcf\x90\x73\0\0\x0d\0"),
    one("a.rar", "a RAR archive", Kind.ARCHIVE, b"Rar!\x1a\x07\x01\0"),
    one("a.7z", "a 7-Zip archive", Kind.ARCHIVE, b"7z\xbc\xaf\x27\x1c\0\x04"),
    one("a.gz", "a gzip archive", Kind.ARCHIVE, lambda: gzip.compress(noise(3000))),
    one("a.bz2", "a bzip2 archive", Kind.ARCHIVE, lambda: bz2.compress(noise(3000))),
    one("a.xz", "an xz archive", Kind.ARCHIVE, lambda: lzma.compress(noise(3000))),
    one("a.lzma", "an LZMA archive", Kind.ARCHIVE, lambda: lzma.compress(noise(3000), lzma.FORMAT_ALONE)),
    one("a.zst", "a Zstandard archive", Kind.ARCHIVE, b"\x28\xb5\x2f\xfd\x24\x10"),
    one("a.lz4", "an LZ4 archive", Kind.ARCHIVE, b"\x04\x22\x4d\x18\x64\x40\xa7"),
    one("a.lz", "an lzip archive", Kind.ARCHIVE, b"LZIP\x01\x0c"),
    one("a.Z", "a compress (.Z) archive", Kind.ARCHIVE, b"\x1f\x9d\x90"),
    one("a.tar", "a tar archive", Kind.ARCHIVE, tar),
    one("a.cab", "a CAB archive", Kind.ARCHIVE, b"MSCF\0\0\0\0\0\x10\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\x03\x01\x01\0\x01\0\0\0"),
    one("a.arj", "an ARJ archive", Kind.ARCHIVE, b"\x60\xea\x2a\0\x1e\x0b\x01\0\x10\0\x02\0"),
    one("a.lzh", "an LHA archive", Kind.ARCHIVE, b"\x20\x5a-lh5-\x10\x10\0\0\x20\x20\0\0\0\0\x21\x50\x20\x01"),
    one("a.ace", "an ACE archive", Kind.ARCHIVE, b"\x10\x20\x31\0\0\0\x90**ACE**\x14\x14"),
    one("a.cpio", "a cpio archive", Kind.ARCHIVE, b"070701" + b"0" * 104 + b"a.txt\0"),
    one("a.a", "a program library", Kind.PROGRAM, b"!<arch>\na.o/            0           0     0     644     3000      `\n"),
    one("a.deb", "a Debian package", Kind.PROGRAM, b"!<arch>\ndebian-binary   1700000000  0     0     100644  4         `\n2.0\ncontrol.tar.xz  "),
    one("a.rpm", "an RPM package", Kind.PROGRAM, b"\xed\xab\xee\xdb\x03\0\0\0\0\x01sale-1.0"),
    one("a.pkg", "a xar archive", Kind.ARCHIVE, b"xar!\0\x1c\0\x01"),
    one("a.sit", "a StuffIt archive", Kind.ARCHIVE, b"StuffIt (c)1997-2002 Aladdin Systems, Inc., http://www.aladdinsys.com/StuffIt/\r\n"),
    one("a.crx", "a Chrome extension", Kind.PROGRAM, b"Cr24\x03\0\0\0\x45\x02\0\0"),
    one("a.par2", "a PAR2 repair file", Kind.ARCHIVE, b"PAR2\0PKT\x84\0\0\0\0\0\0\0"),
    one("a.iso", "a disk image", Kind.DISK, disk_image),
    one("a.dmg", "a macOS disk image", Kind.DISK, mac_image),
    one("a.wim", "a disk image", Kind.DISK, b"MSWIM\0\0\0\xd0\0\0\0"),
    one("a.vhd", "a virtual disk", Kind.DISK, b"conectix\0\0\0\x02\0\x01\0\0"),
    one("a.vhdx", "a virtual disk", Kind.DISK, b"vhdxfileM\0i\0c\0r\0o\0s\0o\0f\0t\0"),
    one("a.vmdk", "a virtual disk", Kind.DISK, b"KDMV\x01\0\0\0\x03\0\0\0"),
    one("a.qcow2", "a virtual disk", Kind.DISK, b"QFI\xfb\0\0\0\x03"),
    one("a.vdi", "a virtual disk", Kind.DISK, b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe\x01\0\x01\0"),
    one("a.squashfs", "a disk image", Kind.DISK, b"hsqs\x10\0\0\0" + bytes(20) + b"\x04\0\0\0"),
    one("a.img", "an Android disk image", Kind.DISK, b"\x3a\xff\x26\xed\x01\0\0\0\x1c\0\x0c\0\0\x10\0\0"),
    one("boot.img", "a disk image", Kind.DISK, (b"\xeb\x3c\x90MSDOS5.0\0\x02\x01\x01\0" + bytes(36) + b"FAT12   ").ljust(510, b"\0") + b"\x55\xaa"),
)  # fmt: skip

PROGRAMS = (
    one("a.exe", "a Windows program", Kind.PROGRAM, b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0\x4c\x01\x02\0" + bytes(12) + b"\xe0\0\x02\x01\x0b\x01" + bytes(240)),
    one("old.exe", "a DOS program", Kind.PROGRAM, b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0\x1c\0\0\0" + bytes(100)),
    one("a.out", "a Linux program", Kind.PROGRAM, b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 62, 1)),
    one("a.so", "a Linux program library", Kind.PROGRAM, b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 0, 64, 0, 0)),
    one("a.o", "a piece of a program", Kind.PROGRAM, b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 1, 62, 1)),
    one("core", "a memory dump", Kind.PROGRAM, b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 4, 62, 1)),
    one("mac", "a macOS program", Kind.PROGRAM, b"\xcf\xfa\xed\xfe\x07\0\0\x01\x03\0\0\0\x02\0\0\0\x10\0\0\0"),
    one("fat", "a macOS program", Kind.PROGRAM, b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07\0\0\0\x03\0\0\x40\0\0\0\x50\0\0\0\0\x0e\x01\0\0\x0c\0\0\0\0"),
    one("a.class", "a Java program", Kind.PROGRAM, b"\xca\xfe\xba\xbe\0\0\0\x34\0\x1d\x0a\0\x06\0\x0f"),
    one("a.wasm", "a WebAssembly program", Kind.PROGRAM, b"\0asm\x01\0\0\0\x01\x07\x01"),
    one("a.dex", "an Android program", Kind.PROGRAM, b"dex\n035\0"),
    one("a.apk", "an Android app", Kind.PROGRAM, lambda: makers.zipped({"AndroidManifest.xml": "a", "META-INF/MANIFEST.MF": ""})),
    one("a.jar", "a Java program", Kind.PROGRAM, lambda: makers.zipped({"META-INF/MANIFEST.MF": "Manifest-Version: 1.0", "a.class": "b"})),
    one("a.luac", "a Lua program", Kind.PROGRAM, b"\x1bLua\x53\0\x19\x93\r\n\x1a\n"),
    one("a.bc", "a piece of a program", Kind.PROGRAM, b"BC\xc0\xde\x35\x14\0\0"),
    one("a.lnk", "a Windows shortcut", Kind.LINK, b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"),
    one("a.chm", "a Windows help file", Kind.DOCUMENT, b"ITSF\x03\0\0\0\x60\0\0\0\x01\0\0\0"),
    one("a.hlp", "a Windows help file", Kind.DOCUMENT, b"?_\x03\0\x10\x20\0\0\xff\xff\xff\xff"),
)  # fmt: skip

DATA = (
    one("a.sqlite", "an SQLite database", Kind.DATABASE, sqlite),
    one("a.mdb", "an Access database", Kind.DATABASE, b"\0\x01\0\0Standard Jet DB\0\x01\0\0\0"),
    one("a.accdb", "an Access database", Kind.DATABASE, b"\0\x01\0\0Standard ACE DB\0\x02\0\0\0"),
    one("a.dbf", "a dBase table", Kind.DATABASE, lambda: b"\x03\x7b\x06\x01" + struct.pack("<IHH", 2, 65, 11) + bytes(20) + b"ITEM".ljust(11, b"\0") + b"C" + bytes(4) + b"\x0a" + bytes(15) + b"\r" + b" hat       " * 2 + b"\x1a"),
    one("a.rdb", "a Redis database", Kind.DATABASE, b"REDIS0011\xfa\x09redis-ver"),
    one("a.kdbx", "a KeePass password database", Kind.DATABASE, b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\x01\0\x04\0"),
    one("a.h5", "an HDF5 data file", Kind.DATA, b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0"),
    one("a.nc", "a NetCDF data file", Kind.DATA, b"CDF\x01\0\0\0\0\0\0\0\x0a"),
    one("a.parquet", "a Parquet table", Kind.DATABASE, lambda: b"PAR1" + noise(3000) + b"PAR1"),
    one("a.avro", "an Avro table", Kind.DATABASE, b"Obj\x01\x04\x14avro.codec"),
    one("a.arrow", "an Arrow table", Kind.DATABASE, b"ARROW1\0\0\xff\xff\xff\xff"),
    one("a.npy", "a NumPy array", Kind.DATA, b"\x93NUMPY\x01\0\x76\0{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"),
    one("a.mat", "a MATLAB data file", Kind.DATA, b"MATLAB 5.0 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1".ljust(124) + b"\0\x01IM"),
    one("a.sav", "an SPSS data file", Kind.DATA, b"$FL2@(#) SPSS DATA FILE".ljust(64) + b"\x02\0\0\0"),
    one("a.pst", "an Outlook mailbox", Kind.DATABASE, b"!BDN\x55\xaa\x41\x42SM\x17\0\x13\0\x01\x01"),
    one("winmail.dat", "an Outlook attachment wrapper (winmail.dat)", Kind.DATA, b"\x78\x9f\x3e\x22\x01\0\x01\x06\x90\x08\0\x04\0\0\0"),
    one("a.pcap", "a network recording", Kind.DATA, b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(8) + b"\xff\xff\0\0\x01\0\0\0"),
    one("a.pcapng", "a network recording", Kind.DATA, b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0"),
    one("a.plist", "a macOS settings file", Kind.DATA, lambda: plistlib.dumps({"sale": list(range(50))}, fmt=plistlib.FMT_BINARY)),
    one("a.pack", "a Git pack", Kind.DATA, b"PACK\0\0\0\x02\0\0\0\x10"),
    one("a.jks", "a Java key store", Kind.DATA, b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01"),
    one("a.luks", "an encrypted disk", Kind.DISK, b"LUKS\xba\xbe\0\x01aes"),
    one("a.p7m", "a signed or encrypted message (PKCS #7)", Kind.DATA, stuffed()),
    one("a.gpg", "an encrypted PGP file", Kind.DATA, b"\x85\x01\x0c\x03\x12\x34\x56\x78\x9a\xbc\xde\xf0\x01\x08\0"),
    one("a.shp", "a map (Shapefile)", Kind.DATA, struct.pack(">7i", 9994, 0, 0, 0, 0, 0, 1500) + struct.pack("<ii", 1000, 5) + bytes(64)),
    one("a.las", "a laser scan (LAS)", Kind.MODEL, b"LASF\0\0\x01\0" + bytes(16) + b"\x01\x02"),
    one("a.torrent", "a torrent", Kind.DATA, lambda: b"d8:announce22:http://example.org/ann4:infod6:lengthi9e4:name1:a12:piece lengthi9e6:pieces20:" + noise(18) + b"ee"),
    one("a.pyc", "a Python program", Kind.PROGRAM, b"\xa7\x0d\x0d\x0a\0\0\0\0\x12\x34\x56\x66\x10\0\0\0\xe3\0\0\0"),
    one("a.pickle", "a file of an unknown type", Kind.UNKNOWN, b"\x80\x04\x95\x10\0\0\0\0\0\0\0"),
    one("a.bin", "a file of an unknown type", Kind.UNKNOWN, lambda: noise(3000)),
)  # fmt: skip

MODELS = (
    one("a.glb", "a 3D model (glTF)", Kind.MODEL, b"glTF\x02\0\0\0\0\x10\0\0\x10\0\0\0JSON{"),
    one("a.stl", "a 3D model (STL)", Kind.MODEL, stl),
    one("a.fbx", "a 3D model (FBX)", Kind.MODEL, b"Kaydara FBX Binary  \0\x1a\0\xe8\x1c\0\0"),
    one("a.blend", "a Blender scene", Kind.MODEL, b"BLENDER-v300REND"),
    one("a.3ds", "a 3D model (3DS)", Kind.MODEL, lambda: b"MM" + struct.pack("<I", 3000) + b"\x02\0\x0a\0\0\0\x03\0\0\0" + b"\x3d\x3d" + struct.pack("<I", 2984) + noise(2976)),
    one("a.ply", "a 3D model (PLY)", Kind.MODEL, b"ply\nformat binary_little_endian 1.0\nelement vertex 9\nproperty float x\nend_header\n"),
    one("a.usdc", "a 3D scene (USD)", Kind.MODEL, b"PXR-USDC\0\x08\0\0"),
    one("a.c4d", "a Cinema 4D scene", Kind.MODEL, b"QC4DC4D6\0\0\0\x07"),
    one("a.lwo", "a LightWave model", Kind.MODEL, iff(b"FORM", b"LWO2TAGS")),
    one("a.skp", "a SketchUp model", Kind.MODEL, b"\xff\xfe\xff\x0eS\0k\0e\0t\0c\0h\0U\0p\0 \0M\0o\0d\0e\0l\0\xff\xfe\xff\x09"),
    one("a.3dm", "a Rhino model", Kind.MODEL, b"3D Geometry File Format        5\x01\0\0\0"),
)  # fmt: skip

BOOKS = (
    one("a.epub", "an EPUB book", Kind.DOCUMENT, lambda: makers.zipped({"mimetype": "application/epub+zip", "a.xml": "<x/>"})),
    one("a.mobi", "a Kindle book", Kind.DOCUMENT, lambda: palm(b"BOOKMOBI") + noise(3000)),
    one("a.lit", "a Microsoft Reader book", Kind.DOCUMENT, b"ITOLITLS\x01\0\0\0\x28\0\0\0"),
    one("a.kfx", "a Kindle book", Kind.DOCUMENT, b"CONT\x02\0\x12\0\0\0"),
    one("a.one", "a OneNote notebook", Kind.DOCUMENT, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3"),
    one("a.wpd", "a WordPerfect document", Kind.DOCUMENT, b"\xffWPC\x10\0\0\0\x01\x0a\x02\x01\0\0\0\0"),
    one("a.wri", "a Windows Write or Word for DOS document", Kind.DOCUMENT, b"\x31\xbe\0\0\0\xab\0\0\0\0\0\0\0\0"),
    one("a.wk1", "a Lotus 1-2-3 sheet", Kind.DOCUMENT, b"\0\0\x02\0\x06\x04\x06\0\x08\0\0\0\0\0"),
    one("a.hwp", "a Hangul (HWP) document", Kind.DOCUMENT, b"HWP Document File V3.00 \x1a\x01\x02\x03\x04\x05"),
    one("a.dvi", "a TeX DVI document", Kind.DOCUMENT, b"\xf7\x02\x01\x83\x92\xc0\x1c\x3b\0\0\0\0\x03\xe8\x1b TeX output 2024.01.01:1200"),
    one("a.rtf", "a Rich Text (RTF) document", Kind.MARKUP, lambda: rb"{\rtf1\ansi Hello}"),
    one("a.odt", "an OpenDocument text", Kind.DOCUMENT, lambda: makers.zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<x/>"})),
)  # fmt: skip

FOREIGN: tuple[Foreign, ...] = (
    *AUDIO_FILES, *IMAGES, *VIDEOS, *FONTS, *ARCHIVES, *PROGRAMS, *DATA, *MODELS, *BOOKS,
)  # fmt: skip


def opening(row: Signature) -> bytes:
    """The marks of a signature at their places, in noise."""
    data = bytearray(noise(2000))
    for at, mark in row.marks:
        data[at : at + len(mark)] = mark
    return bytes(data)
