"""The one scheme, host and port that a client talks to; the API key goes nowhere else."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from greenroom.errors import SettingsError

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the API is.

    Attributes:
        scheme: ``http`` or ``https``.
        host: in lower case, IPv6 without brackets.
        port: always a number.
        base: the whole base URL, without a slash at its end.
    """

    scheme: str
    host: str
    port: int
    base: str

    @classmethod
    def parse(cls, base_url: str, *, allow_plain_http: bool = False) -> Origin:
        """Read a base URL as an operator wrote it.

        Raises:
            SettingsError: it is no URL, carries more than scheme, host, port and path, or would send the
                API key unencrypted over a network.
        """
        try:
            parts = urlsplit(base_url)
            scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        except ValueError:
            raise SettingsError(_WANTED.format(problem="cannot be read")) from None
        if scheme not in _DEFAULT_PORTS or not host:
            raise SettingsError(_WANTED.format(problem="is not an http(s) URL with a host"))
        if parts.username is not None or parts.query or parts.fragment or _odd(base_url):
            raise SettingsError(_WANTED.format(problem="has more than scheme, host, port and path"))
        if scheme == "http" and not allow_plain_http and not _is_loopback(host):
            raise SettingsError(
                f"GREENROOM_API_BASE_URL: http://{host} would send API keys unencrypted; write https://, or "
                "set GREENROOM_ALLOW_PLAIN_HTTP=true for a sandbox"
            )
        port = _DEFAULT_PORTS[scheme] if port is None else port
        return cls(scheme=scheme, host=host, port=port, base=base_url.rstrip("/"))

    def same_as(self, url: str) -> bool:
        """Whether a URL has this scheme, host and port, and no user name."""
        try:
            parts = urlsplit(url)
            port = _DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
        except ValueError:
            return False
        return (
            (parts.scheme, parts.hostname, port) == (self.scheme, self.host, self.port)
            and parts.username is None
            and not _odd(url)
        )

    def resolve(self, current_url: str, location: str) -> str | None:
        """Where a redirect from one of our URLs leads, or None if it leaves this origin."""
        try:
            target = urljoin(current_url, location)
        except ValueError:
            return None
        return target if self.same_as(target) else None


_WANTED = "GREENROOM_API_BASE_URL {problem}; write it like https://waba-v2.360dialog.io"


def _odd(url: str) -> bool:
    """Whether parsers may disagree on what this URL means (white space, control characters, backslash)."""
    return any(not "!" <= letter <= "~" or letter == "\\" for letter in url)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
