"""Media URLs: where a media can be fetched for a while, and the hash that proves it.

Page: "The URL will begin with https://lookaside.fbsbx.com"; "The link will only remain valid for 5 minutes";
"media retrieved directly from the webhook are available for 7 days".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import urlencode

HOST = "https://lookaside.fbsbx.com"
PATH = "/whatsapp_business/attachments/"
#: Seconds that a link of a look-up is valid.
LINK_LIFETIME_SECONDS = 5 * 60
#: Seconds that a link of a webhook is valid.
INBOUND_LIFETIME_SECONDS = 7 * 24 * 60 * 60


class LinkSource(StrEnum):
    """How a link was given: the parameter ``source``, by the page's example and by webhooks in the open."""

    LOOKUP = "getMedia"
    WEBHOOK = "webhook"


@dataclass(frozen=True, kw_only=True)
class Link:
    """The query of a media URL.

    Attributes:
        mid: the media ID that it fetches.
        source: how it was given.
        ext: when it ends, in whole seconds since 1970.
        hash: what :class:`LinkSigner` made of these and of the number's key.
    """

    mid: str
    source: LinkSource
    ext: str
    hash: str

    @property
    def url(self) -> str:
        """The whole URL, on Meta's host as the page has it."""
        query = {"mid": self.mid, "source": self.source.value, "ext": self.ext, "hash": self.hash}
        return f"{HOST}{PATH}?{urlencode(query)}"

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self | None:
        """The link of a request, or None where a parameter is missing or is not the page's."""
        source = query.get("source")
        if source not in tuple(LinkSource) or not query.get("ext", "").isdecimal():
            return None
        return cls(
            mid=query.get("mid", ""), source=LinkSource(source), ext=query["ext"], hash=query.get("hash", "")
        )


class LinkSigner:
    """Makes links and tells its own from others'."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(
        self,
        media_id: str,
        api_key: str,
        *,
        now: float,
        seconds: int = LINK_LIFETIME_SECONDS,
        source: LinkSource = LinkSource.LOOKUP,
    ) -> Link:
        """A link for this media of this number, valid for so many seconds from now (seconds since 1970)."""
        ext = str(int(now) + seconds)
        return Link(mid=media_id, source=source, ext=ext, hash=self._hash(media_id, source, ext, api_key))

    def valid(self, link: Link, api_key: str, *, now: float) -> bool:
        """Whether this number got exactly this link, and its time is not over."""
        expected = self._hash(link.mid, link.source, link.ext, api_key)
        return hmac.compare_digest(expected.encode(), link.hash.encode()) and now < int(link.ext)

    def _hash(self, media_id: str, source: LinkSource, ext: str, api_key: str) -> str:
        message = f"{media_id}\n{source}\n{ext}\n{api_key}".encode()
        digest = hmac.digest(self._secret, message, hashlib.sha256)
        return "AR" + base64.urlsafe_b64encode(digest).decode().rstrip("=")
