"""The body of an upload: a multipart form of known length that streams its file and checks it on the way.

What is sent, with the head that :mod:`.request` makes::

    POST /media HTTP/1.1
    Host: waba-v2.360dialog.io
    User-Agent: greenroom/<version>
    Accept: */*
    Accept-Encoding: identity
    D360-API-KEY: <the channel's>
    Content-Type: multipart/form-data; boundary=<32 hex digits>
    Content-Length: <bytes of all that follows the empty line>

    --<boundary>
    Content-Disposition: form-data; name="messaging_product"

    whatsapp
    --<boundary>
    Content-Disposition: form-data; name="type"

    image/jpeg
    --<boundary>
    Content-Disposition: form-data; name="file"; filename="hero.jpg"
    Content-Type: image/jpeg

    <the file's bytes, never held whole>
    --<boundary>--

The closing boundary is kept back until the whole file has been hashed: where the bytes are not those that
were inspected, the server never gets a whole body.

Layout and escaping of names: RFC 7578, and the HTML standard's "multipart/form-data encoding algorithm".
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO

from greenroom.errors import GreenroomError, SourceChanged, SourceUnavailable
from greenroom.provider.values import UploadContent
from greenroom.resources import out_of_resources

#: Bytes read, hashed and sent at a time: of 64 KiB to 1 MiB, this takes the least CPU for 100 MB over
#: loopback (``python -m benchmarks.large_upload`` tells what it takes).
CHUNK_BYTES = 256 * 1024

#: A file name of more characters is shortened; its ending is kept.
LONGEST_FILE_NAME = 120

_MIME_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w.+-]+)*", re.ASCII)
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class MultipartBody:
    """The form ``messaging_product``, ``type`` and ``file``; it can be sent again from the start.

    Attributes:
        content_type: the request's own header of that name.
    """

    def __init__(self, content: UploadContent, *, mime_type: str, file_name: str) -> None:
        """Prepare the form around the file.

        Raises:
            ValueError: the MIME type cannot stand in a header.
        """
        if not _MIME_TYPE.fullmatch(mime_type):
            raise ValueError(f"{mime_type!r} is not a MIME type")
        boundary = secrets.token_hex(16)  # occurs nowhere in the file
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._content = content
        self._prefix = (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="messaging_product"\r\n\r\nwhatsapp\r\n'
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="type"\r\n\r\n{mime_type}\r\n'
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{header_file_name(file_name)}"\r\n'
            f"Content-Type: {mime_type}\r\n\r\n"
        ).encode()
        self._suffix = f"\r\n--{boundary}--\r\n".encode()
        self._length = len(self._prefix) + content.size + len(self._suffix)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """The body's pieces, to be sent one after the other.

        Raises:
            SourceChanged: the file is not the one that was inspected; the closing boundary is not given.
            SourceMissing: as the content's ``open`` says.
            SourceUnavailable: the file could not be read to its end.
        """
        digest, size = sha256(), 0
        ahead = self._prefix  # travels with the first piece: a small file is sent in one call
        with _opened(self._content) as stream:
            while piece := self._piece(stream, size):
                digest.update(piece)
                size += len(piece)
                # What may be the end waits until the whole is known to be what was inspected. Nothing else
                # does: to hold one piece more costs a twentieth, for they leave the processor's cache.
                if size < self._content.size and len(ahead) + len(piece) >= CHUNK_BYTES:
                    yield ahead + piece if ahead else piece
                    ahead = b""
                else:
                    ahead += piece
        self._require_inspected(size, digest.hexdigest())
        yield ahead + self._suffix

    def _piece(self, stream: BinaryIO, size: int) -> bytes:
        # One byte more than there should be tells a file that has grown. To ask for a whole chunk of a small
        # file costs 0.08 ms more an upload (`benchmarks.sending`: 0.44 ms, and 0.36 so).
        return _read(stream, min(CHUNK_BYTES, self._content.size + 1 - size))

    def _require_inspected(self, size: int, sha256_hex: str) -> None:
        if size > self._content.size:
            raise SourceChanged(f"the file is larger than the {self._content.size:,} bytes inspected")
        if size < self._content.size:
            raise SourceChanged(f"the file has {size:,} bytes; {self._content.size:,} were inspected")
        if sha256_hex != self._content.sha256:
            raise SourceChanged("the file has another content than the one inspected (SHA-256 differs)")


def header_file_name(name: str) -> str:
    """The last part of a path, without what could break out of a header; never empty.

    Quotes and line ends are escaped as the HTML standard says, other control characters and lone
    surrogates dropped; letters of any script stay as they are (sent in UTF-8).
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    seen = _without_control_characters(last)
    if len(seen) > LONGEST_FILE_NAME:
        stem, dot, ending = seen.rpartition(".")
        ending = dot + ending if stem and len(ending) <= 10 else ""  # noqa: PLR2004  # longer is no ending
        seen = seen[: LONGEST_FILE_NAME - len(ending)] + ending
    return seen.translate(_ESCAPES) or "file"


def _without_control_characters(text: str) -> str:
    return "".join(
        letter for letter in text if letter in "\r\n" or unicodedata.category(letter) not in {"Cc", "Cs"}
    )


# An OSError of the source must not be taken for one of the network: urllib3 swallows a reset connection
# while it sends, and everything else of that kind would be put down to the provider.


def _opened(content: UploadContent) -> BinaryIO:
    try:
        return content.open()
    except OSError as error:
        raise _not_read(error, "opened") from error


def _read(stream: BinaryIO, most: int) -> bytes:
    try:
        return stream.read(most)
    except OSError as error:
        raise _not_read(error, "read") from error


def _not_read(error: OSError, what: str) -> GreenroomError:
    short = out_of_resources(error)
    return short or SourceUnavailable(f"the file cannot be {what}: {_words(error)}")


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
