"""Reading an upload: multipart/form-data, streamed to disk, judged as early as it can be."""

from __future__ import annotations

from typing import cast

from aiohttp import BodyPartReader, MultipartReader, StreamReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from greenroom.rules import LARGEST_FILE, MIB
from sandbox.contents import Incoming
from sandbox.error_responses import (
    BODY_MALFORMED,
    BODY_TOO_LARGE,
    FILE_EMPTY,
    FILE_MISSING,
    FILE_TOO_LARGE,
    PRODUCT_MISSING,
    PRODUCT_WRONG,
    Refusal,
)
from sandbox.media_types import accepted_type, limit_of

#: Bytes that a body may have: the largest file, and a generous form around it.
LARGEST_BODY = LARGEST_FILE + MIB
_PIECE_BYTES = 128 * 1024
_LONGEST_FIELD = 1024
_MOST_PARTS = 16
_MOST_LINE_BYTES = 64 * 1024
_PRODUCT = "whatsapp"


class FormBody:
    """A request's body for aiohttp's multipart reader: takes bytes back, and holds not too many lines.

    The reader hands bytes back that belong to the next part. aiohttp's own stream does that too, but warns of
    it (``unread_data`` is deprecated there), and where warnings are errors the upload would fail.

    What is read by the line stands around the parts (boundaries, headers, whatever is before them), so it is
    little; a body of millions of lines would keep the server busy for minutes.
    """

    def __init__(self, stream: StreamReader) -> None:
        self._stream = stream
        self._returned = b""
        self._line_bytes_left = _MOST_LINE_BYTES

    async def read(self, size: int) -> bytes:
        """Some of the next bytes, at most ``size``; none at the end."""
        if self._returned:
            piece, self._returned = self._returned[:size], self._returned[size:]
            return piece
        return await self._stream.read(size)

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        """The next line with its end, or what is left.

        Raises:
            HttpProcessingError: the line is longer than that, in bytes.
        """
        line, newline, self._returned = self._returned.partition(b"\n")
        line += newline or await self._stream.readline(max_line_length=max_line_length)
        self._line_bytes_left -= len(line)
        if self._line_bytes_left < 0:
            raise Refusal(BODY_MALFORMED, why="there is too much around its parts")
        return line

    def unread_data(self, piece: bytes) -> None:
        """Take bytes back, to be read next."""
        self._returned = piece + self._returned

    def at_eof(self) -> bool:
        """Whether nothing is left."""
        return not self._returned and self._stream.at_eof()


class UploadForm:
    """Takes the parts of one upload as they come, in whatever order.

    Attributes:
        mime_type: of the file part, as in the page's table; None as long as there is none.
    """

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._fields: dict[str, str] = {}
        self.mime_type: str | None = None

    async def take(self, part: BodyPartReader) -> None:
        """Read one part to its end.

        Raises:
            Refusal: it is not as the page wants it.
        """
        name = part.name
        if name is None:
            raise Refusal(BODY_MALFORMED, why="it has a part without a name")
        if name == "file":
            await self._take_file(part)
        else:
            self._fields[name] = await _short_text(part)

    def finish(self) -> str:
        """Judge the whole, all parts read, and answer with the file's type.

        Raises:
            Refusal: something is missing, wrong or empty.
        """
        product = self._fields.get("messaging_product")
        if product is None:
            raise Refusal(PRODUCT_MISSING)
        if product != _PRODUCT:
            raise Refusal(PRODUCT_WRONG, value=product)
        if "type" in self._fields:
            accepted_type(self._fields["type"], param="type")
        if self.mime_type is None:
            raise Refusal(FILE_MISSING)
        if self._incoming.size == 0:
            raise Refusal(FILE_EMPTY)
        return self.mime_type

    async def _take_file(self, part: BodyPartReader) -> None:
        if self.mime_type is not None:
            raise Refusal(BODY_MALFORMED, why="it has more than one file")
        self.mime_type = accepted_type(part.headers.get(hdrs.CONTENT_TYPE))
        while not part.at_eof():
            self._incoming.write(await part.read_chunk(_PIECE_BYTES))
            self._refuse_too_large(self.mime_type)

    def _refuse_too_large(self, mime_type: str) -> None:
        limit = limit_of(mime_type, self._incoming.head)
        if self._incoming.size > limit:
            raise Refusal(FILE_TOO_LARGE, limit=limit, mime_type=mime_type)


async def receive(request: web.Request, incoming: Incoming) -> str:
    """Read an upload into ``incoming`` and answer with its MIME type as in the page's table.

    Raises:
        Refusal: the request is not as the page wants it; some of its body may be unread.
        ConnectionError: the client gave up.
    """
    if (request.content_length or 0) > LARGEST_BODY:
        raise Refusal(BODY_TOO_LARGE, limit=LARGEST_FILE)
    if request.content_type != "multipart/form-data":
        raise Refusal(PRODUCT_MISSING)  # a body of another kind holds no parameters
    form = UploadForm(incoming)
    try:
        await _take_parts(request, form)
    except (ValueError, RuntimeError, HttpProcessingError) as error:
        # What aiohttp's multipart reader raises for a body that is not multipart.
        raise Refusal(BODY_MALFORMED, why=type(error).__name__) from error
    return form.finish()


async def _take_parts(request: web.Request, form: UploadForm) -> None:
    body = FormBody(request.content)
    # The reader calls only the four methods that FormBody has.
    reader = MultipartReader(request.headers, cast("StreamReader", body))
    parts = 0
    async for part in reader:
        parts += 1
        if not isinstance(part, BodyPartReader) or parts > _MOST_PARTS:
            raise Refusal(BODY_MALFORMED, why="it has nested or too many parts")
        await form.take(part)


async def _short_text(part: BodyPartReader) -> str:
    text = b""
    while not part.at_eof():
        text += await part.read_chunk(_LONGEST_FIELD)
        if len(text) > _LONGEST_FIELD:
            raise Refusal(BODY_MALFORMED, why="a field other than the file is too long")
    return text.decode(errors="replace")
