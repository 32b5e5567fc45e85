"""Every error answer of the sandbox, in one table, each row with its source.

The page shows successes only. So bodies follow Meta's documented error format,
``{"error": {"message", "type", "code", "error_subcode", "error_data", "fbtrace_id"}}``, with Meta's codes and
texts where they are known; 360dialog's own variant of the rate limit has 360dialog's own envelope.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiohttp import web

from greenroom.rules import BY_MIME_TYPE, MIME_TYPE_ALIASES

_META_CODES = "Meta: Cloud API error codes"
_META_OBJECT = "Meta: Graph API, answer for an object that is not there or not yours"
_DIALOG = "360dialog: Error Code Reference"
_SILENT = "the page is silent; Meta's code for a wrong parameter"

#: As Meta's own answer lists them.
ACCEPTED_TYPES = ", ".join([*BY_MIME_TYPE, *MIME_TYPE_ALIASES])


class Envelope(StrEnum):
    """Whose error format a body has."""

    META = "meta"
    DIALOG = "360dialog"


@dataclass(frozen=True, kw_only=True)
class ErrorAnswer:
    """One row of the table.

    Attributes:
        status: HTTP status.
        code: Meta's error code.
        message: the text; names in braces are filled in when the answer is given.
        kind: Meta's ``type``.
        subcode: Meta's ``error_subcode``, or None.
        details: Meta's ``error_data.details``, or None; filled in like the message.
        envelope: whose error format.
        source: where the row comes from.
    """

    status: int
    code: int
    message: str
    kind: str = "OAuthException"
    subcode: int | None = None
    details: str | None = None
    envelope: Envelope = Envelope.META
    source: str


KEY_REFUSED = ErrorAnswer(
    status=401, code=190, message="Invalid api_key", source=f"{_DIALOG}: 401; {_META_CODES}: 190"
)
TOO_MANY_UPLOADS = ErrorAnswer(
    status=429,
    # 130429 is the throughput of one phone number; 80007 would be that of the whole business account.
    code=130429,
    message="(#130429) Rate limit hit",
    details="More than 25 media uploads within one second from this phone number.",
    source=f"page: 25 requests per second (RPS) per phone number; {_META_CODES}: 130429",
)
TOO_MANY_UPLOADS_AT_DIALOG = ErrorAnswer(
    status=400,
    code=400,
    message="You have exceeded the endpoint rate limit.",
    envelope=Envelope.DIALOG,
    source=f"{_DIALOG}: 400, given in place of 429 where the sandbox is told to",
)
LOOKUPS_BLOCKED = ErrorAnswer(
    status=403,
    code=80007,
    message="(#80007) Access to GET /{{MEDIA_ID}} is temporarily blocked for this phone number",
    details="Too many failed requests; look-ups work again in {seconds} seconds.",
    source=f"page: requests to this endpoint will be blocked; {_DIALOG}: 403, the endpoint is blocked",
)
PRODUCT_MISSING = ErrorAnswer(
    status=400,
    code=100,
    message="(#100) The parameter messaging_product is required.",
    source=f"{_META_CODES}: 100",
)
PRODUCT_WRONG = ErrorAnswer(
    status=400,
    code=100,
    message="(#100) Param messaging_product must be one of {{WHATSAPP}} - got {value!r}.",
    source=f"{_META_CODES}: 100",
)
FILE_MISSING = ErrorAnswer(
    status=400, code=100, message="(#100) The parameter file is required.", source=f"{_META_CODES}: 100"
)
TYPE_REFUSED = ErrorAnswer(
    status=400,
    code=100,
    message="(#100) Param {param} must be a file with one of the following types: {types}."
    " Received file of type '{received}'.",
    source="Meta's answer as quoted in fbsamples/whatsapp-api-examples, issue 10",
)
FILE_EMPTY = ErrorAnswer(
    status=400, code=100, message="(#100) Param file must be a file that is not empty.", source=_SILENT
)
FILE_TOO_LARGE = ErrorAnswer(
    status=400,
    code=100,
    message="(#100) Param file must be a file of at most {limit} bytes for type {mime_type}.",
    source="page: There are various size limits for media types; " + _SILENT,
)
BODY_TOO_LARGE = ErrorAnswer(
    status=413,
    code=100,
    message="(#100) The request is larger than any supported media: at most {limit} bytes.",
    source="page: The maximum supported file size [...] is 100MB; HTTP: 413, content too large",
)
BODY_MALFORMED = ErrorAnswer(
    status=400,
    code=100,
    message="(#100) The body is not well-formed multipart/form-data: {why}.",
    source=_SILENT,
)
NO_SUCH_MEDIA = ErrorAnswer(
    status=400,
    code=100,
    subcode=33,
    kind="GraphMethodException",
    message="Unsupported {method} request. Object with ID '{media_id}' does not exist, cannot be loaded due"
    " to missing permissions, or does not support this operation. Please read the Graph API documentation at"
    " https://developers.facebook.com/docs/graph-api",
    source=_META_OBJECT,
)
LINK_DEAD = ErrorAnswer(
    status=404,
    code=100,
    kind="GraphMethodException",
    message="This media URL is not valid (any more); retrieve a new one with the media ID.",
    source="page: The link will only remain valid for 5 minutes; Meta, Download media: 404, get a new URL",
)
NO_SUCH_PATH = ErrorAnswer(
    status=404, code=2500, message="Unknown path components: {path}", source="Meta: Graph API, code 2500"
)
NO_SUCH_METHOD = ErrorAnswer(
    status=405, code=100, message="Unsupported {method} request for {path}", source="HTTP: 405"
)

PARAMETER_MISSING = ErrorAnswer(
    status=400,
    code=131008,
    message="(#131008) Required parameter is missing",
    details="Parameter {param} is missing, or is not of its type.",
    source=f"{_META_CODES}: 131008",
)
RECIPIENT_WRONG = ErrorAnswer(
    status=400,
    code=131009,
    message="(#131009) Parameter value is not valid",
    details="Param to must be a valid WhatsApp phone number.",
    source=f"{_META_CODES}: 131009",
)
MESSAGE_TYPE_UNKNOWN = ErrorAnswer(
    status=400,
    code=131051,
    message="(#131051) Unsupported message type",
    details="Messages of type {received!r} are not known here; those that hold media are.",
    source=f"{_META_CODES}: 131051; the sandbox knows the types that hold media, and templates",
)
MESSAGE_MALFORMED = ErrorAnswer(
    status=400, code=100, message="(#100) The body is not a message: {why}.", source=_SILENT
)
KEY_UNEXPECTED = ErrorAnswer(
    status=400,
    code=100,
    message='(#100) Unexpected key "{key}" on param "{param}".',
    source=f"{_META_CODES}: 100; Meta: no caption in Audio messages and Sticker messages",
)
CAPTION_TOO_LONG = ErrorAnswer(
    status=400,
    code=100,
    message="(#100) Param {param} must be at most {limit} characters long.",
    source=f"Meta: Image messages, Maximum 1024 characters; {_META_CODES}: 100",
)
MEDIA_NOT_SENT = ErrorAnswer(
    status=400,
    code=100,
    message="(#100) Param {param} is not a valid whatsapp business account media attachment ID",
    source="public issue threads: code 100, the ID has expired or is another number's",
)

#: What an upload beyond the limit is answered, by the option ``throttle_answer``.
THROTTLE_ANSWERS: dict[Envelope, ErrorAnswer] = {
    Envelope.META: TOO_MANY_UPLOADS,
    Envelope.DIALOG: TOO_MANY_UPLOADS_AT_DIALOG,
}


class Refusal(Exception):
    """The request gets this error answer and nothing else.

    Attributes:
        answer: the row of the table.
        values: what the braces in its texts stand for.
    """

    def __init__(self, answer: ErrorAnswer, **values: object) -> None:
        super().__init__(answer.message)
        self.answer = answer
        self.values = values

    def response(self) -> web.Response:
        """The answer as it goes over the wire."""
        body = _BODIES[self.answer.envelope](self.answer, self.values)
        return web.json_response(body, status=self.answer.status)


def _meta_body(answer: ErrorAnswer, values: dict[str, object]) -> dict[str, Any]:
    error = meta_error(answer.message.format(**values), code=answer.code, kind=answer.kind)
    if answer.subcode is not None:
        error["error_subcode"] = answer.subcode
    if answer.details is not None:
        details = answer.details.format(**values)
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return {"error": error}


def _dialog_body(answer: ErrorAnswer, values: dict[str, object]) -> dict[str, Any]:
    message = answer.message.format(**values)
    return {"meta": {"httpCode": answer.status, "developerMessage": message, "success": False}}


_BODIES = {Envelope.META: _meta_body, Envelope.DIALOG: _dialog_body}


def meta_error(message: str, *, code: int, kind: str = "OAuthException") -> dict[str, Any]:
    """The inner object of Meta's error format, with a trace ID of its own."""
    return {"message": message, "type": kind, "code": code, "fbtrace_id": "A" + secrets.token_urlsafe(16)}
