"""Reads the answer of ``GET /{media-id}``: where the file is, if that is a place that may be asked.

"Replace the root hostname with the API's; remove the backslashes from the URL" and "the link will only
remain valid for 5 minutes" (360dialog, Download Media).
"""

from __future__ import annotations

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

_CDN = Origin(scheme="https", host=CDN_HOST, port=443, base=f"https://{CDN_HOST}")
#: No file has so many bytes: an answer that says so says nothing.
_ABSURD = 10**15
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


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
    url = body.get("url")
    if not isinstance(url, str):
        raise RequestRefused("look-up gave no media URL")
    url = url.replace("\\", "")
    if not (_CDN.same_as(url) or api.same_as(url)):
        raise RequestRefused(f"look-up gave a media URL that is neither at {CDN_HOST} nor at the API's host")
    parts = urlsplit(url)
    if parts.path not in MEDIA_PATHS or not parts.query:
        raise RequestRefused("look-up gave a media URL with a path that the provider's page does not know")
    sha256 = str(body.get("sha256", "")).lower()
    mime_type = body.get("mime_type")
    return MediaLocation(
        path_and_query=SecretStr(f"{parts.path}?{parts.query}"),
        mime_type=mime_type if isinstance(mime_type, str) else "",
        sha256=sha256 if _SHA256.fullmatch(sha256) else None,
        size=_size(body.get("file_size")),
        valid_until=asked_at + LOCATION_LIFE,
    )


def _size(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value, re.ASCII):
        return int(value)
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _ABSURD
    return value if known else None
