"""One request to the provider: all that is the same by whichever connection it is sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr

from greenroom import __version__
from greenroom.errors import KeyRefused
from greenroom.provider.error_table import Endpoint
from greenroom.provider.multipart import MultipartBody

API_KEY_HEADER = "D360-API-KEY"

_KEY = re.compile(r"[!-~]{1,512}")
_SAME_HEADERS = {
    "User-Agent": f"greenroom/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # media do not shrink, and a size can be checked as it comes in
}


def no_slot() -> None:
    """Wait for nothing."""


def no_report(_late: float) -> None:
    """Nobody wants to know when a request was sent."""


@dataclass(kw_only=True, eq=False)
class ApiRequest:
    """One request, which may be sent again where it is redirected.

    Attributes:
        endpoint: which of the provider's.
        method: GET, POST or DELETE.
        url: where it is sent first.
        api_key: the channel's.
        body: of an upload.
        before_sending: called just before each sending; what it raises is passed on, and nothing is sent.
        after_sending: called after each, with the seconds that connecting for it took.
        sent_whole: whether all of the body was handed to the operating system when it was sent last.
        redirected: whether it was, and was sent to another place.
    """

    endpoint: Endpoint
    method: str
    url: str = field(repr=False)
    api_key: SecretStr
    body: MultipartBody | None = None
    before_sending: Callable[[], None] = no_slot
    after_sending: Callable[[float], None] = no_report
    sent_whole: bool = False
    redirected: bool = False

    def __post_init__(self) -> None:
        """Refuse a key that cannot stand in a header, by an error that does not show it.

        Raises:
            KeyRefused: it cannot.
        """
        if not _KEY.fullmatch(self._key):
            raise KeyRefused("the API key is empty or has characters that no key has")

    @property
    def _key(self) -> str:
        return self.api_key.get_secret_value()

    @property
    def host(self) -> str:
        """To which it goes, for messages."""
        return urlsplit(self.url).hostname or ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be quoted from an answer to it: the key, and the query that opens a file."""
        return self._key, self.url.partition("?")[2]

    def headers(self) -> dict[str, str]:
        """All but ``Host``."""
        headers = {**_SAME_HEADERS, API_KEY_HEADER: self._key}
        if self.body is not None:
            headers |= {"Content-Type": self.body.content_type, "Content-Length": str(len(self.body))}
        return headers
