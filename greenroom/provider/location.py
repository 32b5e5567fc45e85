"""Reads where a file is, from a look-up's answer or a webhook, if that is a place that may be asked.

"Replace the root hostname with the API's; remove the backslashes from the URL" and "the link will only
remain valid for 5 minutes" (360dialog, Download Media). "Incoming media message webhooks [...] now include
the media download URL"; these "are available for 7 days" (360dialog, Direct Media download).
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from greenroom.errors import RequestRefused
from greenroom.provider.origin import Origin
from greenroom.provider.values import MediaLocation

#: "The URL will begin with https://lookaside.fbsbx.com".
CDN_HOST = "lookaside.fbsbx.com"
MEDIA_PATHS = frozenset({"/whatsapp_business/attachments", "/whatsapp_business/attachments/"})
#: "The link will only remain valid for 5 minutes", less what a request may spend on its way.
LOCATION_LIFE = timedelta(minutes=5) - timedelta(seconds=15)

#: "Available for 7 days"; only the provider knows since when.
INBOUND_LIFE = timedelta(days=7)

_CDN = Origin(scheme="https", host=CDN_HOST, port=443, base=f"https://{CDN_HOST}")
#: No file has so many bytes: an answer that says so says nothing.
_ABSURD = 10**15
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
#: 32 bytes.
_BASE64 = re.compile(r"[A-Za-z0-9+/]{43}=", re.ASCII)


def read_location(body: dict[str, Any], *, api: Origin, asked_at: datetime) -> MediaLocation:
    """The location that a look-up gave.

    Args:
        body: the answer, read from JSON.
        api: whose own URLs are taken as well.
        asked_at: when the look-up was sent; the 5 minutes are counted from here.

    Raises:
        RequestRefused: the URL is missing, or is none that the provider's page knows of. Nothing was sent
            there, and the URL is not quoted.
    """
    return _location(body, api=api, valid_until=asked_at + LOCATION_LIFE, given_by="look-up")


def read_webhook(text: str, *, api: Origin, now: datetime) -> MediaLocation:
    """The location that a webhook gave.

    Args:
        text: the URL by itself; or the JSON of the object that has it, with ``sha256`` and ``mime_type``,
            as the webhook's ``image``, ``video``, ``document``, ``audio`` or ``sticker``.
        api: as for :func:`read_location`.
        now: the present.

    Raises:
        RequestRefused: as there; nothing of the text is quoted.
    """
    text = text.strip()
    body: Any = {"url": text}
    if text.startswith("{"):
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            raise RequestRefused("the webhook's object is not JSON") from None
    return _location(body, api=api, valid_until=now + INBOUND_LIFE, given_by="the webhook")


def _location(body: dict[str, Any], *, api: Origin, valid_until: datetime, given_by: str) -> MediaLocation:
    url = body.get("url")
    if not isinstance(url, str):
        raise RequestRefused(f"{given_by} gave no media URL")
    url = url.replace("\\", "")
    if not (_CDN.same_as(url) or api.same_as(url)):
        raise RequestRefused(
            f"{given_by} gave a media URL that is neither at {CDN_HOST} nor at the API's host"
        )
    parts = urlsplit(url)
    if parts.path not in MEDIA_PATHS or not parts.query:
        raise RequestRefused(
            f"{given_by} gave a media URL with a path that the provider's page does not know"
        )
    mime_type = body.get("mime_type")
    return MediaLocation(
        path_and_query=SecretStr(f"{parts.path}?{parts.query}"),
        mime_type=mime_type if isinstance(mime_type, str) else "",
        sha256=_hexadecimal(body.get("sha256")),
        size=_size(body.get("file_size")),
        valid_until=valid_until,
    )


def _hexadecimal(sha256: Any) -> str | None:
    """Look-ups have it in hexadecimal digits, webhooks in base64; None where it is neither."""
    text = str(sha256)
    if _SHA256.fullmatch(text.lower()):
        return text.lower()
    if _BASE64.fullmatch(text):
        return base64.b64decode(text).hex()
    return None


def _size(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value, re.ASCII):
        return int(value)
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _ABSURD
    return value if known else None
