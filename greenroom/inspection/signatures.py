"""How foreign formats open that libmagic does not know, or names too vaguely; and the proof some names want.

They only serve to call a rejected file by its name; what WhatsApp takes is known by :mod:`.sniff`.

Each row gives the bytes by which a file is known, with their places, and where these are written down. What
libmagic 5.41 to 5.45 says reliably has no row. A row counts for more than libmagic's word, and a text for
more than a row whose mark is nothing but letters: "FLIF is a format" is a sentence.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from greenroom.inspection.foreign_types import UNKNOWN

#: What a text may open with.
_LETTERS: Final = bytes((9, 10, 13, *range(32, 127)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """One way in which a format opens.

    Attributes:
        mime_type: a key of the table of foreign types.
        marks: bytes and their places; all have to be there.
        source: what says so.
    """

    mime_type: str
    marks: tuple[tuple[int, bytes], ...]
    source: str

    @property
    def lettered(self) -> bool:
        """Whether a text may open so."""
        return not any(mark.translate(None, _LETTERS) for _, mark in self.marks)

    def fits(self, head: bytes) -> bool:
        """Whether a file opens so."""
        return all(head.startswith(mark, at) for at, mark in self.marks)


def _row(mime_type: str, source: str, *marks: bytes | tuple[int, bytes]) -> Signature:
    places = tuple((0, mark) if isinstance(mark, bytes) else mark for mark in marks)
    return Signature(mime_type=mime_type, marks=places, source=source)


_FFMPEG: Final = "FFmpeg, libavformat's probe of the format"
_IFF: Final = "Electronic Arts, EA IFF 85, and Microsoft, Multimedia Programming Interface (RIFF)"
_RAW: Final = "LibRaw and ExifTool, tables of makers' own layouts"
_PILLOW: Final = "Pillow, reader of the format"

# fmt: off
# ruff: noqa: E501 - a table: one signature a line
SIGNATURES: Final[tuple[Signature, ...]] = (
    # audio
    _row("audio/x-wavpack", "WavPack 4 and 5 Binary File / Block Format", b"wvpk"),
    _row("audio/x-caf", "Apple Core Audio Format Specification 1.0", b"caff\0\x01"),
    _row("audio/x-tta", "TTA1 file format", b"TTA1"),
    _row("audio/x-voc", _FFMPEG, b"Creative Voice File\x1a"),
    _row("audio/vnd.dts", "ETSI TS 102 114", b"\x7f\xfe\x80\x01"),
    _row("audio/vnd.dolby.dd-raw", "ETSI TS 102 366", b"\x0b\x77"),
    _row("audio/vnd.dolby.mlp", "Dolby, MLP/TrueHD bitstream", (4, b"\xf8\x72\x6f\xba")),
    _row("audio/vnd.dolby.mlp", "Dolby, MLP bitstream", (4, b"\xf8\x72\x6f\xbb")),
    _row("audio/x-rf64", "EBU Tech 3306", b"RF64", (8, b"WAVE")),
    _row("audio/x-rf64", "ITU-R BS.2088", b"BW64", (8, b"WAVE")),
    _row("audio/x-dsd", "Sony, DSF File Format Specification 1.01", b"DSD \x1c\0\0\0"),
    _row("audio/x-dsd", "Philips, DSDIFF 1.5", b"FRM8", (12, b"DSD ")),
    _row("audio/x-tak", _FFMPEG, b"tBaK"),
    _row("audio/x-ofr", _FFMPEG, b"OFR "),
    _row("audio/x-shorten", _FFMPEG, b"ajkg"),
    _row("audio/qcelp", "RFC 3625", b"RIFF", (8, b"QLCMfmt ")),
    _row("audio/x-smaf", "Yamaha, SMAF specification", b"MMMD", (8, b"CNTI")),
    _row("audio/prs.sid", "HVSC, SID file format", b"PSID\0"),
    _row("audio/prs.sid", "HVSC, SID file format", b"RSID\0"),
    _row("audio/vnd.audible.aax", _FFMPEG, (4, b"\x57\x90\x75\x36")),
    # images
    _row("image/qoi", "The Quite OK Image Format Specification 1.0", b"qoif\0"),
    _row("image/qoi", "The Quite OK Image Format Specification 1.0", b"qoif", (12, b"\x03")),
    _row("image/qoi", "The Quite OK Image Format Specification 1.0", b"qoif", (12, b"\x04")),
    _row("image/x-dds", "Microsoft, DDS_HEADER", b"DDS \x7c"),
    _row("image/x-sun-raster", "Sun, rasterfile(5)", b"\x59\xa6\x6a\x95"),
    _row("image/vnd.radiance", "Radiance, picture file format", b"#?RADIANCE\n"),
    _row("image/vnd.radiance", "Radiance, picture file format", b"#?RGBE\n"),
    _row("image/x-j2c", "ISO/IEC 15444-1, annex A", b"\xff\x4f\xff\x51"),
    _row("image/x-pfm", "Netpbm, pfm(5)", b"PF\n"),
    _row("image/x-pfm", "Netpbm, pfm(5)", b"Pf\n"),
    _row("image/x-panasonic-rw2", _RAW, b"IIU\0"),
    _row("image/x-raw", _RAW, b"\0MRM\0"),
    _row("image/emf", "Microsoft, [MS-EMF] 2.3.4.2", b"\x01\0\0\0", (40, b" EMF")),
    _row("image/x-jbig2", "ITU-T T.88, annex D.4", b"\x97JB2\r\n\x1a\n"),
    _row("image/flif", "FLIF16 specification", b"FLIF"),
    _row("image/x-sgi", "SGI, The SGI Image File Format 1.00", b"\x01\xda\0\x01\0"),
    _row("image/x-sgi", "SGI, The SGI Image File Format 1.00", b"\x01\xda\x01\x01\0"),
    _row("image/x-sgi", "SGI, The SGI Image File Format 1.00", b"\x01\xda\x01\x02\0"),
    _row("image/x-cineon", "Kodak, Cineon 4.5", b"\x80\x2a\x5f\xd7"),
    _row("image/x-ilbm", _IFF, b"FORM", (8, b"ILBM")),
    _row("image/x-ilbm", _IFF, b"FORM", (8, b"PBM ")),
    _row("image/x-jng", "JNG (JPEG Network Graphics) Format 1.0", b"\x8bJNG\r\n\x1a\n"),
    _row("video/x-mng", "MNG (Multiple-image Network Graphics) Format 1.0", b"\x8aMNG\r\n\x1a\n"),
    _row("image/x-paintshoppro", "Jasc, PSP file format specification", b"Paint Shop Pro Image File\n\x1a"),
    _row("application/x-affinity", "Serif's files as they are", b"\0\xffKA"),
    _row("image/x-clip-studio", "Celsys' files as they are", b"CSFCHUNK\0"),
    _row("image/ktx", "Khronos, KTX 1.1", b"\xabKTX 11\xbb"),
    _row("image/ktx2", "Khronos, KTX 2.0", b"\xabKTX 20\xbb"),
    _row("image/astc", "Arm, ASTC encoder's file header", b"\x13\xab\xa1\x5c"),
    _row("image/x-blp", _PILLOW, b"BLP1"),
    _row("image/x-blp", _PILLOW, b"BLP2"),
    _row("image/vnd.valve.source.texture", "Valve, VTF", b"VTF\0"),
    _row("application/x-figma", "Figma's files as they are", b"fig-kiwi"),
    # video
    _row("video/x-ivf", _FFMPEG, b"DKIF\0\0"),
    _row("video/x-raw-yuv", "yuv4mpeg(5)", b"YUV4MPEG2 W"),
    _row("video/x-nut", _FFMPEG, b"nut/multimedia container\0"),
    _row("video/x-bink", _FFMPEG, b"BIK", (8, b"\0")),
    _row("video/x-bink", _FFMPEG, b"KB2"),
    _row("video/x-bink", _FFMPEG, b"BIKi"),
    _row("video/x-smacker", _FFMPEG, b"SMK2"),
    _row("video/x-smacker", _FFMPEG, b"SMK4"),
    _row("video/x-wtv", _FFMPEG, b"\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e"),
    _row("video/x-gxf", "SMPTE 360M", b"\0\0\0\0\x01\xbc", (14, b"\xe1\xe2")),
    _row("video/x-red", _FFMPEG, (4, b"RED1")),
    _row("video/x-red", _FFMPEG, (4, b"RED2")),
    # fonts
    _row("font/woff", "W3C, WOFF 1.0", b"wOFF\0\x01\0\0"),
    _row("font/woff", "W3C, WOFF 1.0", b"wOFFOTTO"),
    _row("font/woff", "W3C, WOFF 1.0", b"wOFFtrue"),
    _row("font/woff2", "W3C, WOFF 2.0", b"wOF2\0\x01\0\0"),
    _row("font/woff2", "W3C, WOFF 2.0", b"wOF2OTTO"),
    _row("font/woff2", "W3C, WOFF 2.0", b"wOF2true"),
    _row("font/woff2", "W3C, WOFF 2.0", b"wOF2ttcf"),
    _row("font/collection", "ISO/IEC 14496-22", b"ttcf\0"),
    _row("application/vnd.ms-fontobject", "W3C, Embedded OpenType", (9, b"\0\x02\0"), (34, b"LP")),
    _row("application/vnd.ms-fontobject", "W3C, Embedded OpenType", (8, b"\x01\0\x02\0"), (34, b"LP")),
    _row("application/x-font-type1", "Adobe, Type 1 Font Format (PFB)", b"\x80\x01", (6, b"%!")),
    _row("application/x-font-pcf", "X.Org, PCF", b"\x01fcp"),
    # archives and disks
    _row("application/vnd.ms-cab-compressed", "Microsoft, [MS-CAB]", b"MSCF\0\0\0\0"),
    _row("application/x-lzip", "lzip file format", b"LZIP\x01"),
    _row("application/zstd", "RFC 8878", b"\x28\xb5\x2f\xfd"),
    _row("application/x-lz4", "LZ4 Frame Format", b"\x04\x22\x4d\x18"),
    _row("application/x-xar", "xar archive format", b"xar!\0"),
    _row("application/x-ace-compressed", "ACE archives as they are", (7, b"**ACE**")),
    _row("application/x-stuffit", "StuffIt archives as they are", b"StuffIt (c)"),
    _row("application/x-stuffit", "StuffIt archives as they are", b"SIT!", (10, b"rLau")),
    _row("application/x-chrome-extension", "Chromium, CRX3", b"Cr24\x02\0\0\0"),
    _row("application/x-chrome-extension", "Chromium, CRX3", b"Cr24\x03\0\0\0"),
    _row("application/x-par2", "Parity Volume Set Specification 2.0", b"PAR2\0PKT"),
    _row("application/x-wim", "Microsoft, WIM file format", b"MSWIM\0\0\0"),
    _row("application/x-virtual-disk", "Microsoft, Virtual Hard Disk Image Format", b"conectix"),
    _row("application/x-virtual-disk", "Microsoft, [MS-VHDX]", b"vhdxfile"),
    _row("application/x-virtual-disk", "VMware, Virtual Disk Format 5.0", b"KDMV"),
    _row("application/x-virtual-disk", "QEMU, qcow2", b"QFI\xfb"),
    _row("application/x-virtual-disk", "VirtualBox, VDI", (64, b"\x7f\x10\xda\xbe")),
    _row("application/x-squashfs", "Linux, squashfs", b"hsqs"),
    _row("application/x-squashfs", "Linux, squashfs", b"sqsh"),
    _row("application/x-android-sparse", "Android, libsparse", b"\x3a\xff\x26\xed\x01\0"),
    _row("application/x-raw-disk-image", "Microsoft, FAT: boot sector", b"\xeb", (2, b"\x90"), (510, b"\x55\xaa")),
    _row("application/x-raw-disk-image", "UEFI, GPT", (512, b"EFI PART")),
    _row("application/x-luks", "LUKS On-Disk Format", b"LUKS\xba\xbe"),
    # programs
    _row("application/wasm", "W3C, WebAssembly Core 1", b"\0asm"),
    _row("application/x-dex", "Android, Dalvik Executable Format", b"dex\n0"),
    _row("application/x-lua-bytecode", "Lua, lundump", b"\x1bLua"),
    _row("application/x-llvm-bitcode", "LLVM Bitcode File Format", b"BC\xc0\xde"),
    _row("application/x-ms-shortcut", "Microsoft, [MS-SHLLINK]", b"L\0\0\0\x01\x14\x02\0"),
    _row("application/x-chm", "Microsoft's files as they are", b"ITSF\x03\0\0\0"),
    _row("application/winhlp", "Microsoft's files as they are", b"?_\x03\0"),
    _row("application/x-bytecode.python", "CPython, importlib", (2, b"\r\n\0\0\0\0")),
    # databases and data
    _row("application/x-redis-rdb", "Redis, rdb.c", b"REDIS00"),
    _row("application/x-keepass", "KeePass, KDBX", b"\x03\xd9\xa2\x9a"),
    _row("application/x-netcdf", "Unidata, NetCDF classic", b"CDF\x01"),
    _row("application/x-netcdf", "Unidata, NetCDF classic", b"CDF\x02"),
    _row("application/vnd.apache.parquet", "Apache Parquet", b"PAR1"),
    _row("application/vnd.apache.avro", "Apache Avro 1.11", b"Obj\x01"),
    _row("application/vnd.apache.arrow.file", "Apache Arrow", b"ARROW1\0\0"),
    _row("application/vnd.apache.arrow.file", "Feather 1", b"FEA1"),
    _row("application/x-numpy", "NumPy, numpy.lib.format", b"\x93NUMPY"),
    _row("application/x-spss-sav", "PSPP, system file format", b"$FL2@(#)"),
    _row("application/x-spss-sav", "PSPP, system file format", b"$FL3@(#)"),
    _row("application/vnd.ms-outlook-pst", "Microsoft, [MS-PST]", b"!BDN"),
    _row("application/vnd.tcpdump.pcap", "IETF, pcapng", b"\x0a\x0d\x0d\x0a", (8, b"\x4d\x3c\x2b\x1a")),
    _row("application/x-bplist", "Apple, CFBinaryPList", b"bplist00"),
    _row("application/pgp-encrypted", "RFC 4880, 4.2 and 5.1: RSA or Elgamal session key", b"\x85\x01\x0c\x03"),
    _row("application/pgp-encrypted", "RFC 4880, 4.2 and 5.1: RSA or Elgamal session key", b"\x85\x02\x0c\x03"),
    _row("application/pgp-encrypted", "RFC 4880, 4.2 and 5.1: elliptic curve session key", b"\x84\x5e\x03"),
    _row("application/pgp-encrypted", "RFC 4880, 4.2 and 5.3: password", b"\x8c\x0d\x04"),
    _row("application/x-shapefile", "Esri, Shapefile Technical Description", b"\0\0\x27\x0a\0\0\0\0", (28, b"\xe8\x03\0\0")),
    # models
    _row("model/x-fbx", "Blender, FBX binary file format", b"Kaydara FBX Binary  \0"),
    _row("application/x-blender", "Blender, blend file format", b"BLENDER"),
    _row("model/ply", "Stanford, PLY", b"ply\nformat binary_"),
    _row("model/ply", "Stanford, PLY", b"ply\r\nformat binary_"),
    _row("model/vnd.usd", "Pixar, USD crate", b"PXR-USDC"),
    _row("model/x-c4d", "Maxon's files as they are", b"QC4DC4D6"),
    _row("model/x-lwo", _IFF, b"FORM", (8, b"LWO2")),
    _row("model/x-lwo", _IFF, b"FORM", (8, b"LWOB")),
    _row("application/vnd.sketchup.skp", "SketchUp's files as they are", b"\xff\xfe\xff\x0eS\0k\0e\0t\0c\0h\0"),
    _row("model/vnd.3dm", "openNURBS", b"3D Geometry File Format "),
    _row("application/vnd.las", "ASPRS, LAS 1.4", b"LASF", (24, b"\x01")),
    # books and old documents
    _row("application/x-mswrite", "Microsoft, Write and Word for DOS: wIdent", b"\x31\xbe\0\0"),
    _row("application/x-mswrite", "Microsoft, Write and Word for DOS: wIdent", b"\x32\xbe\0\0"),
    _row("application/x-mac-word", "Word for Macintosh's files as they are", b"\xfe\x32\0\0"),
    _row("application/x-mac-word", "Word for Macintosh's files as they are", b"\xfe\x34\0\0"),
    _row("application/x-mac-word", "Word for Macintosh's files as they are", b"\xfe\x37\0"),
    _row("application/x-old-powerpoint", "PowerPoint's files as they are", b"\x0b\xad\xde\xed"),
    _row("application/x-old-powerpoint", "PowerPoint's files as they are", b"\xed\xde\xad\x0b"),
    _row("application/x-mobipocket-ebook", "MobileRead, MOBI", (60, b"BOOKMOBI")),
    _row("application/x-mobipocket-ebook", "MobileRead, Palm DOC", (60, b"TEXtREAd")),
    _row("application/x-kindle-kfx", "MobileRead, KFX", b"CONT\x02\0"),
    _row("application/onenote", "Microsoft, [MS-ONESTORE]", b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d"),
    _row("application/vnd.wordperfect", "WordPerfect, prefix of files since 5.0", b"\xffWPC"),
    _row("application/x-hwp", "Hancom, HWP 3.0", b"HWP Document File V"),
)
# fmt: on


def _by_first_byte(rows: Iterable[Signature]) -> dict[int, tuple[Signature, ...]]:
    """Rows by the byte at place 0; those that say nothing of it under -1."""
    found: defaultdict[int, list[Signature]] = defaultdict(list)
    for row in rows:
        at, mark = row.marks[0]
        found[mark[0] if at == 0 else -1].append(row)
    return {byte: tuple(group) for byte, group in found.items()}


_INDEX: Final = _by_first_byte(SIGNATURES)


def signature_of(head: bytes) -> Signature | None:
    """The row by which a file opens, or None."""
    for row in (*_INDEX.get(head[0] if head else 0, ()), *_INDEX[-1]):
        if row.fits(head):
            return row
    return None


_CHUNKS: Final = 80 + 4
_TRIANGLE: Final = 50
_DV_FRAME: Final = b"\x1f\x07\0"
_DV_BLOCK: Final = 80
#: Bytes from the start code on by which bare H.264 and HEVC are known: a parameter set, as encoders put
#: first.
_START_CODES: Final = (b"\0\0\0\x01", b"\0\0\x01")


def _is_stl(head: bytes, size: int) -> bool:
    """Source: 3D Systems, StereoLithography Interface Specification: as long as its number of triangles says."""
    return (
        len(head) >= _CHUNKS and size == _CHUNKS + _TRIANGLE * struct.unpack_from("<I", head, 80)[0] > _CHUNKS
    )


def _is_3ds(head: bytes, size: int) -> bool:
    """Source: Autodesk, 3D Studio File Format: the main chunk is as long as the file."""
    return head.startswith(b"MM") and len(head) > 5 and struct.unpack_from("<I", head, 2)[0] == size  # noqa: PLR2004 - a tag and a length


def _is_dv(head: bytes, _: int) -> bool:
    """Source: IEC 61834-2: the header block of a sequence, and subcode blocks behind it."""
    return (
        len(head) > 2 * _DV_BLOCK
        and head[:2] == _DV_FRAME[:2]
        and head[2] == 0
        and (head[_DV_BLOCK] & 0xE0, head[2 * _DV_BLOCK] & 0xE0) == (0x20, 0x20)
    )


def _unit(head: bytes) -> bytes:
    """What stands behind the start code that a bare video stream opens with; empty where there is none."""
    return next((head[len(code) : len(code) + 8] for code in _START_CODES if head.startswith(code)), b"")


def _is_h264(head: bytes, _: int) -> bool:
    """Source: ITU-T H.264, annex B and 7.3.1: a sequence parameter set, or a delimiter and then one."""
    unit = _unit(head)
    if unit[:1] == b"\x09":
        unit = _unit(head[5 if head[2:3] == b"\x01" else 6 :])
    return unit[:1] in (b"\x67", b"\x27", b"\x47") and unit[1:2] in {bytes([n]) for n in _H264_PROFILES}


#: profile_idc of ITU-T H.264, annex A.
_H264_PROFILES: Final = (66, 77, 88, 100, 110, 122, 244)


def _is_h265(head: bytes, _: int) -> bool:
    """Source: ITU-T H.265, annex B and 7.3.1.2: a video parameter set."""
    unit = _unit(head)
    return unit[:2] == b"\x40\x01" or (unit[:2] == b"\x46\x01" and b"\0\0\x01\x40\x01" in head[:32])


#: RFC 5652, 14: contents of the syntax of signed and encrypted messages, 1.2.840.113549.1.7.1 to 6, in DER.
_PKCS7: Final = re.compile(rb"0.{1,5}\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07[\x01-\x06]", re.DOTALL)
#: Formats that are known by more than bytes at places.
_PROOFS: Final[tuple[tuple[str, Callable[[bytes, int], bool]], ...]] = (
    ("model/stl", _is_stl),
    ("image/x-3ds", _is_3ds),
    ("application/pkcs7-mime", lambda head, _: _PKCS7.match(head) is not None),
    ("video/x-dv", _is_dv),
    ("video/h264", _is_h264),
    ("video/h265", _is_h265),
)


def _is_latm(head: bytes) -> bool:
    """Source: ISO/IEC 14496-3, 1.7.2: frames of eleven set bits and a length, one behind the other."""
    at = 0
    for frame in range(3):
        if len(head) < at + 3:
            return frame > 1
        if head[at] != 0x56 or head[at + 1] & 0xE0 != 0xE0:  # noqa: PLR2004 - sync of 11 bits
            return False
        at += 3 + ((head[at + 1] & 0x1F) << 8 | head[at + 2])
    return True


def _is_zlib(head: bytes) -> bool:
    """Source: RFC 1950: what is packed unpacks, at least a little of it."""
    try:
        return bool(zlib.decompressobj().decompress(head, _TASTE))
    except zlib.error:
        return False


_TASTE: Final = 64
#: libmagic's names that rest on a byte or two: 1 in 80 files of noise gets one. What else has to be there.
_DOUBTFUL: Final[dict[str, Callable[[bytes], bool]]] = {
    "application/x-dosexec": lambda head: head.startswith((b"MZ", b"ZM", b"LX", b"LE")),
    "audio/x-mp4a-latm": _is_latm,
    "application/zlib": _is_zlib,
    "application/x-arc": lambda _: False,
    "application/x-compress-ttcomp": lambda _: False,
    "image/x-award-bioslogo": lambda _: False,
    "image/x-3ds": lambda _: False,
    "application/x-tex-tfm": lambda _: False,
}


def named(head: bytes, size: int, mime: str) -> str:
    """The MIME type of a file that has no examiner, by our own signatures or else by libmagic's word.

    Args:
        head: its first bytes.
        size: bytes in all of it.
        mime: what libmagic calls it.
    """
    row = signature_of(head)
    if row is not None:
        return row.mime_type
    known = next((kind for kind, proves in _PROOFS if proves(head, size)), None)
    if known is not None:
        return known
    if mime == "image/tiff" and is_raw(head):
        return "image/x-raw"
    if mime == "application/x-dosexec" and _is_dos(head):
        return "application/x-dos-program"
    if mime.startswith("text/"):
        return UNKNOWN  # it is no text, or its examiner would have it
    proof = _DOUBTFUL.get(mime)
    return mime if proof is None or proof(head) else UNKNOWN


def _is_dos(head: bytes) -> bool:
    """Source: Microsoft, PE Format: a program of Windows has a second header where the first one says."""
    if len(head) < 64:  # noqa: PLR2004 - the first header's bytes
        return head.startswith(b"MZ")
    at = int.from_bytes(head[60:64], "little")
    return (
        head.startswith(b"MZ")
        and at < len(head) - 2
        and head[at : at + 2] not in (b"PE", b"NE", b"LE", b"LX")
    )


_DNG_VERSION: Final = 0xC612
_MAKE: Final = 0x010F
_SUB_IFDS: Final = 0x014A
_ENTRY: Final = 12


def is_raw(head: bytes) -> bool:
    """Whether a TIFF is a camera's raw file.

    Source: Adobe, DNG 1.7 (DNGVersion); TIFF/EP (ISO 12234-2): the first directory is a preview, the image is
    below it (SubIFDs), and the camera's maker is named.
    """
    order = "<" if head.startswith(b"II") else ">"
    if len(head) < 8:  # noqa: PLR2004 - a TIFF's header
        return False
    at = struct.unpack_from(order + "I", head, 4)[0]
    if at + 2 > len(head):
        return False
    count = min(struct.unpack_from(order + "H", head, at)[0], (len(head) - at - 2) // _ENTRY)
    tags = {struct.unpack_from(order + "H", head, at + 2 + _ENTRY * n)[0] for n in range(count)}
    return _DNG_VERSION in tags or tags >= {_MAKE, _SUB_IFDS}
