"""Addresses: an http(s) source taken apart once, so that what is checked is what is asked for."""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urljoin

from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST_HOST = 253
#: Up to the path: what programs would read in different ways is refused.
_START = re.compile(r"https?://(?:[^/?#\\\s]*@)?[^/?#\\\s%@]+(?=[/?#]|\Z)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")


class NotAnAddress(ValueError):
    """It begins like an http(s) address and cannot be one; the text is a clause that shows nothing of it."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a file is on the web.

    Attributes:
        scheme: ``http`` or ``https``.
        host: ASCII, in lower case, IPv6 without brackets.
        port: always a number.
        target: path and query, as the server is asked for it.
        authorization: the header's value, from the address's user and password; empty where it has none.
    """

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)
    authorization: str = field(default="", repr=False)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port

    @property
    def netloc(self) -> str:
        """Host and port as in an address, and in the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """As it may be shown: without user, password and query, which may be what signs it."""
        return f"{self.scheme}://{self.netloc}{self.target.partition('?')[0]}"

    def follow(self, location: str) -> Address:
        """Where a redirect leads; the password goes to no other origin.

        Raises:
            NotAnAddress: nowhere.
        """
        try:
            target = urljoin(f"{self.scheme}://{self.netloc}{self.target}", location)
        except ValueError:
            raise NotAnAddress("cannot be read") from None
        following = parse_address(target)
        kept = self.authorization if following.origin == self.origin else ""
        return replace(following, authorization=kept)


def parse_address(source: str) -> Address:
    """Take an address apart.

    Raises:
        NotAnAddress: it is none, or could be read in two ways.
    """
    if _CONTROL.search(source):
        raise NotAnAddress("holds a control character")
    if not _START.match(source):
        raise NotAnAddress("names no host")
    try:
        source.encode()
        parts = parse_url(source)
    except (HTTPError, UnicodeError):
        raise NotAnAddress("has a host or a port that cannot be") from None
    scheme = (parts.scheme or "").lower()
    port = parts.port if parts.port is not None else DEFAULT_PORTS[scheme]
    if not port:
        raise NotAnAddress("has a host or a port that cannot be")
    query = f"?{parts.query}" if parts.query is not None else ""
    return Address(
        scheme=scheme,
        host=parse_host(parts.host or ""),
        port=port,
        target=(parts.path or "/") + query,
        authorization=_basic(parts.auth),
    )


def parse_host(host: str) -> str:
    """A host in one spelling; IPv6 may stand in brackets.

    Raises:
        NotAnAddress: it is none. That holds for numbers that are no IP address as people write it, too:
            ``0x7f.1``, ``2130706433`` and ``127.1`` are all 127.0.0.1 to a resolver.
    """
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            raise NotAnAddress("has something else than an IPv6 address in brackets") from None
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise NotAnAddress("writes an IP address in an odd way") from None
    if len(host) > LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise NotAnAddress("has a host or a port that cannot be")
    return host


def _basic(auth: str | None) -> str:
    if auth is None:
        return ""
    user, _, password = auth.partition(":")
    return "Basic " + b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode("ascii")
