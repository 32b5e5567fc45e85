"""Types that WhatsApp does not take, in plain words, and what to send instead."""

from __future__ import annotations

import re
from typing import Final

from greenroom.inspection.finding import Finding
from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE

_IMAGES: Final = "JPEG or PNG images"
_GIF: Final = "JPEG or PNG images and MP4 videos"
_AUDIO: Final = "AAC, AMR, MP3, M4A or Ogg Opus audio"
_VIDEO: Final = "MP4 or 3GP videos"
_DOCUMENTS: Final = "PDF, Word, Excel, PowerPoint or plain text documents"
_ANY: Final = "images (JPEG, PNG), audio, MP4 videos, PDF, Office and text documents, and WebP stickers"

#: libmagic's MIME type (or ours, from brands and parts): what it is, what WhatsApp takes, its endings.
_TYPES: Final[dict[str, tuple[str, str, str]]] = {
    "image/gif": ("a GIF image", _GIF, ".gif"),
    "image/heic": ("a HEIC image (as iPhones save them)", _IMAGES, ".heic .heif"),
    "image/heif": ("a HEIF image", _IMAGES, ".heif .heic"),
    "image/avif": ("an AVIF image", _IMAGES, ".avif"),
    "image/bmp": ("a BMP image", _IMAGES, ".bmp .dib"),
    "image/x-ms-bmp": ("a BMP image", _IMAGES, ".bmp .dib"),
    "image/tiff": ("a TIFF image", _IMAGES, ".tif .tiff"),
    "image/svg+xml": ("an SVG drawing", _IMAGES, ".svg"),
    "image/vnd.adobe.photoshop": ("a Photoshop image", _IMAGES, ".psd"),
    "image/x-icon": ("an icon file", _IMAGES, ".ico"),
    "image/vnd.microsoft.icon": ("an icon file", _IMAGES, ".ico"),
    "image/jp2": ("a JPEG 2000 image", _IMAGES, ".jp2"),
    "image/jpx": ("a JPEG 2000 image", _IMAGES, ".jpx .jpf"),
    "image/jxl": ("a JPEG XL image", _IMAGES, ".jxl"),
    "image/x-xcf": ("a GIMP image", _IMAGES, ".xcf"),
    "image/x-canon-cr3": ("a camera raw image", _IMAGES, ".cr3"),
    "image/x-canon-cr2": ("a camera raw image", _IMAGES, ".cr2"),
    "image/x-portable-pixmap": ("a PPM image", _IMAGES, ".ppm .pnm"),
    "image/x-tga": ("a TGA image", _IMAGES, ".tga"),
    "audio/x-wav": ("a WAV recording", _AUDIO, ".wav"),
    "audio/flac": ("a FLAC recording", _AUDIO, ".flac"),
    "audio/x-flac": ("a FLAC recording", _AUDIO, ".flac"),
    "audio/x-aiff": ("an AIFF recording", _AUDIO, ".aif .aiff"),
    "audio/midi": ("a MIDI file", _AUDIO, ".mid .midi"),
    "audio/x-ape": ("a Monkey's Audio file", _AUDIO, ".ape"),
    "audio/x-caf": ("a CAF recording", _AUDIO, ".caf"),
    "audio/basic": ("a Sun audio file", _AUDIO, ".au .snd"),
    "audio/vnd.audible.aax": ("an Audible book", _AUDIO, ".aax"),
    "audio/x-adif": ("AAC in the old ADIF layout", _AUDIO, ".aac"),
    "audio/x-mp4a-latm": ("AAC in the LATM layout for broadcasting", _AUDIO, ".aac .loas .latm"),
    "audio/x-wavpack": ("a WavPack recording", _AUDIO, ".wv"),
    "audio/vnd.dts": ("a DTS recording", _AUDIO, ".dts"),
    "audio/vnd.dolby.dd-raw": ("an AC-3 (Dolby Digital) recording", _AUDIO, ".ac3"),
    "video/quicktime": ("a QuickTime movie", _VIDEO, ".mov .qt"),
    "video/3gpp2": ("a 3GPP2 video", _VIDEO, ".3g2"),
    "video/mj2": ("a Motion JPEG 2000 video", _VIDEO, ".mj2"),
    "video/x-f4v": ("a Flash video", _VIDEO, ".f4v .f4a"),
    "video/x-matroska": ("a Matroska video", _VIDEO, ".mkv .mka"),
    "video/webm": ("a WebM video", _VIDEO, ".webm"),
    "video/x-msvideo": ("an AVI video", _VIDEO, ".avi"),
    "video/x-ms-asf": ("a Windows Media file", _VIDEO, ".wmv .wma .asf"),
    "video/x-flv": ("a Flash video", _VIDEO, ".flv"),
    "video/mpeg": ("an MPEG-1 or MPEG-2 video", _VIDEO, ".mpg .mpeg .vob"),
    "video/mp2t": ("an MPEG transport stream", _VIDEO, ".ts .m2ts .mts"),
    "video/mpeg4-generic": ("a bare MPEG-4 video stream", _VIDEO, ".m4v"),
    "video/h264": ("a bare H.264 video stream", _VIDEO, ".h264 .264"),
    "video/x-raw-yuv": ("an unpacked video (YUV4MPEG2)", _VIDEO, ".y4m"),
    "video/x-nut": ("a NUT video", _VIDEO, ".nut"),
    "video/x-ivf": ("a bare VP8, VP9 or AV1 video stream", _VIDEO, ".ivf"),
    "application/mxf": ("an MXF video", _VIDEO, ".mxf"),
    "application/vnd.rn-realmedia": ("a RealMedia file", _VIDEO, ".rm .rmvb .ra"),
    "application/x-shockwave-flash": ("a Flash animation", _VIDEO, ".swf"),
    "audio/x-tta": ("a True Audio recording", _AUDIO, ".tta"),
    "audio/x-w64": ("a Wave64 recording", _AUDIO, ".w64"),
    "audio/x-voc": ("a Creative Voice recording", _AUDIO, ".voc"),
    "image/qoi": ("a QOI image", _IMAGES, ".qoi"),
    "image/x-dds": ("a DDS texture", _IMAGES, ".dds"),
    "image/x-pcx": ("a PCX image", _IMAGES, ".pcx"),
    "image/x-xpmi": ("an XPM image", _IMAGES, ".xpm"),
    "image/x-portable-bitmap": ("a PBM image", _IMAGES, ".pbm .pnm"),
    "image/x-portable-greymap": ("a PGM image", _IMAGES, ".pgm .pnm"),
    "image/x-portable-graymap": ("a PGM image", _IMAGES, ".pgm .pnm"),
    "image/x-icns": ("a macOS icon file", _IMAGES, ".icns"),
    "image/x-dpx": ("a DPX film image", _IMAGES, ".dpx"),
    "image/x-sun-raster": ("a Sun raster image", _IMAGES, ".ras"),
    "image/vnd.radiance": ("a Radiance HDR image", _IMAGES, ".hdr"),
    "application/zip": ("a ZIP archive", _DOCUMENTS, ".zip"),
    "application/x-rar": ("a RAR archive", _DOCUMENTS, ".rar"),
    "application/vnd.rar": ("a RAR archive", _DOCUMENTS, ".rar"),
    "application/x-7z-compressed": ("a 7-Zip archive", _DOCUMENTS, ".7z"),
    "application/gzip": ("a gzip archive", _DOCUMENTS, ".gz .tgz"),
    "application/x-tar": ("a tar archive", _DOCUMENTS, ".tar"),
    "application/x-bzip2": ("a bzip2 archive", _DOCUMENTS, ".bz2"),
    "application/x-xz": ("an xz archive", _DOCUMENTS, ".xz"),
    "application/x-iso9660-image": ("a disk image", _DOCUMENTS, ".iso"),
    "application/x-dosexec": ("a Windows program", _ANY, ".exe .dll"),
    "application/vnd.microsoft.portable-executable": ("a Windows program", _ANY, ".exe .dll"),
    "application/x-executable": ("a Linux program", _ANY, ""),
    "application/x-pie-executable": ("a Linux program", _ANY, ""),
    "application/x-sharedlib": ("a Linux program library", _ANY, ".so"),
    "application/x-mach-binary": ("a macOS program", _ANY, ""),
    "application/vnd.android.package-archive": ("an Android app", _ANY, ".apk"),
    "application/java-archive": ("a Java program", _ANY, ".jar"),
    "application/x-java-applet": ("a Java program", _ANY, ".class"),
    "application/x-msi": ("a Windows installer", _ANY, ".msi"),
    "application/vnd.sqlite3": ("a database", _DOCUMENTS, ".sqlite .db"),
    "application/x-sqlite3": ("a database", _DOCUMENTS, ".sqlite .db"),
    "application/postscript": ("a PostScript file", _DOCUMENTS, ".ps .eps .ai"),
    "text/rtf": ("a Rich Text (RTF) document", _DOCUMENTS, ".rtf"),
    "text/html": ("a web page (HTML)", _DOCUMENTS, ".html .htm .xhtml"),
    "text/xml": ("an XML file", _DOCUMENTS, ".xml"),
    "application/epub+zip": ("an EPUB book", _DOCUMENTS, ".epub"),
    "application/x-mobipocket-ebook": ("a Kindle book", _DOCUMENTS, ".mobi .azw"),
    "application/vnd.oasis.opendocument.text": ("an OpenDocument text", _DOCUMENTS, ".odt"),
    "application/vnd.oasis.opendocument.spreadsheet": ("an OpenDocument spreadsheet", _DOCUMENTS, ".ods"),
    "application/vnd.oasis.opendocument.presentation": ("an OpenDocument presentation", _DOCUMENTS, ".odp"),
    "application/vnd.oasis.opendocument.graphics": ("an OpenDocument drawing", _DOCUMENTS, ".odg"),
    "application/vnd.apple.iwork": (
        "an Apple Pages, Numbers or Keynote file",
        _DOCUMENTS,
        ".pages .numbers .key",
    ),
    "application/vnd.ms-outlook": ("an Outlook message", _DOCUMENTS, ".msg"),
    "application/vnd.visio": ("a Visio drawing", _DOCUMENTS, ".vsd .vsdx"),
    "application/vnd.ms-publisher": ("a Publisher document", _DOCUMENTS, ".pub"),
    "application/vnd.ms-project": ("a Project plan", _DOCUMENTS, ".mpp"),
    "application/vnd.ms-word.document.macroenabled.12": ("a Word document with macros", _DOCUMENTS, ".docm"),
    "application/vnd.ms-word.template.macroenabled.12": ("a Word template with macros", _DOCUMENTS, ".dotm"),
    "application/vnd.ms-excel.sheet.macroenabled.12": ("an Excel workbook with macros", _DOCUMENTS, ".xlsm"),
    "application/vnd.ms-excel.template.macroenabled.12": (
        "an Excel template with macros",
        _DOCUMENTS,
        ".xltm",
    ),
    "application/vnd.ms-excel.addin.macroenabled.12": ("an Excel add-in", _DOCUMENTS, ".xlam"),
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": ("a binary Excel workbook", _DOCUMENTS, ".xlsb"),
    "application/vnd.ms-powerpoint.presentation.macroenabled.12": (
        "a PowerPoint presentation with macros",
        _DOCUMENTS,
        ".pptm",
    ),
    "application/vnd.ms-powerpoint.slideshow.macroenabled.12": (
        "a PowerPoint slide show with macros",
        _DOCUMENTS,
        ".ppsm",
    ),
    "application/vnd.ms-powerpoint.template.macroenabled.12": (
        "a PowerPoint template with macros",
        _DOCUMENTS,
        ".potm",
    ),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template": (
        "a Word template",
        _DOCUMENTS,
        ".dotx",
    ),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.template": (
        "an Excel template",
        _DOCUMENTS,
        ".xltx",
    ),
    "application/vnd.openxmlformats-officedocument.presentationml.template": (
        "a PowerPoint template",
        _DOCUMENTS,
        ".potx",
    ),
    "application/vnd.openxmlformats-officedocument.presentationml.slideshow": (
        "a PowerPoint slide show",
        _DOCUMENTS,
        ".ppsx",
    ),
    "application/vnd.ms-powerpoint.addin.macroenabled.12": ("a PowerPoint add-in", _DOCUMENTS, ".ppam"),
    "application/vnd.ms-xpsdocument": ("an XPS document", _DOCUMENTS, ".xps .oxps"),
    "application/x-mswrite": ("a Windows Write or Word for DOS document", _DOCUMENTS, ".wri .doc"),
    "application/x-mac-word": ("a document of Word for Macintosh 1 to 5", _DOCUMENTS, ".doc .mcw"),
    "application/x-old-powerpoint": ("a presentation of PowerPoint 2 or 3", _DOCUMENTS, ".ppt"),
    "application/x-ole-storage": (
        "a compound file (OLE2) without a Word, Excel or PowerPoint document of its own",
        _DOCUMENTS,
        "",
    ),
    "application/pkcs7-mime": ("a signed or encrypted message (PKCS #7)", _DOCUMENTS, ".p7m .p7s .p7b"),
    "image/emf": ("a Windows metafile (EMF)", _IMAGES, ".emf"),
    "image/wmf": ("a Windows metafile (WMF)", _IMAGES, ".wmf"),
    "application/octet-stream": ("a file of an unknown type", _ANY, ""),
}

#: How formats open that libmagic does not know, or knows only in other files than ours.
_STARTS: Final[dict[bytes, str]] = {
    b"wvpk": "audio/x-wavpack",
    b"caff": "audio/x-caf",
    b"TTA1": "audio/x-tta",
    b"Creative Voice File\x1a": "audio/x-voc",
    b"DKIF\0\0": "video/x-ivf",
    b"qoif\0": "image/qoi",
    b"DDS \x7c": "image/x-dds",
    b"\x7f\xfe\x80\x01": "audio/vnd.dts",
    b"\x0b\x77": "audio/vnd.dolby.dd-raw",
    b"YUV4MPEG2 ": "video/x-raw-yuv",
    b"nut/multimedia container": "video/x-nut",
    b"\x59\xa6\x6a\x95": "image/x-sun-raster",
    b"#?RADIANCE": "image/vnd.radiance",
    b"\x31\xbe\0\0": "application/x-mswrite",
    b"\x32\xbe\0\0": "application/x-mswrite",
    b"\xfe\x32\0\0": "application/x-mac-word",
    b"\xfe\x34\0\0": "application/x-mac-word",
    b"\xfe\x37\0": "application/x-mac-word",
    b"\x0b\xad\xde\xed": "application/x-old-powerpoint",
    b"\xed\xde\xad\x0b": "application/x-old-powerpoint",
}
#: The same where the bytes that tell do not come first: a header's place, and the name of a kind of content.
_PATTERNS: Final[dict[re.Pattern[bytes], str]] = {
    re.compile(rb"\x01\x00{3}.{36} EMF", re.DOTALL): "image/emf",
    re.compile(
        rb"0.{1,5}\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07[\x01-\x06]", re.DOTALL
    ): "application/pkcs7-mime",
}

#: What to say of a type that the table above does not name, by the first half of its MIME type.
_GROUPS: Final[dict[str, tuple[str, str]]] = {
    "image": ("an image of another type", _IMAGES),
    "audio": ("a sound file of another type", _AUDIO),
    "video": ("a video of another type", _VIDEO),
    "font": ("a font", _ANY),
}


def mime_by_start(head: bytes) -> str | None:
    """The MIME type of a file of a kind that libmagic misses, by its first bytes."""
    found = next((mime for start, mime in _STARTS.items() if head.startswith(start)), None)
    return found or next((mime for pattern, mime in _PATTERNS.items() if pattern.match(head)), None)


def foreign(mime: str) -> Finding:
    """The finding on a file of a type that is not in the provider's table.

    Args:
        mime: libmagic's name for it, or one of the table's own.
    """
    if mime in BY_MIME_TYPE:
        mime = "application/octet-stream"  # libmagic names a type that is taken; its own reader knew better
    known = _TYPES.get(mime) or _TYPES.get(mime.lower())
    if known is None:
        group, takes = _GROUPS.get(mime.partition("/")[0], ("a file of another type", _ANY))
        known = f"{group} ({mime})", takes, ""
    what, takes, extensions = known
    return Finding(
        label=what.split(" ", 1)[1] if what.startswith(("a ", "an ")) else what,
        reason=Reason.TYPE_NOT_SUPPORTED,
        detail=f"This is {what}; WhatsApp takes {takes}.",
        extensions=tuple(extensions.split()),
    )
