"""Hosts: which web servers the operator lets files be fetched from, and at which IP addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from greenroom.sources.address import DEFAULT_PORTS, Address, NotAnAddress, parse_host
from greenroom.sources.networks import Ip, is_public

ANY_HOST = "*"
_ENTRY = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\*|\*\.[^:=/\[\]]+|[^:=/\[\]*]+|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>\d{1,5}|\*))?/?(?:=(?P<network>[0-9a-f:./]+))?",
    re.IGNORECASE,
)
_MOST_PORTS = 65_535


@dataclass(frozen=True, kw_only=True)
class AllowedHost:
    """One entry of GREENROOM_SOURCE_HOSTS or GREENROOM_CALLBACK_HOSTS.

    Attributes:
        scheme: ``http`` or ``https``; None for both.
        host: its name, ``*.`` and a domain for all names below that, or ``*`` for all.
        port: None for any.
        network: where its IP addresses must lie; None for the open Internet.
    """

    scheme: str | None
    host: str
    port: int | None
    network: IPv4Network | IPv6Network | None

    def matches(self, address: Address) -> bool:
        """Whether an address is of this entry, by its letters."""
        return (
            self.scheme in (None, address.scheme)
            and self.port in (None, address.port)
            and (self.host in (ANY_HOST, address.host) or _is_below(address.host, self.host))
        )

    def reaches(self, ip: Ip) -> bool:
        """Whether a host of this entry may be at this IP address."""
        if self.network is None:
            return is_public(ip)
        return ip in self.network

    @property
    def is_everything(self) -> bool:
        """Whether it allows each host."""
        return self.host == ANY_HOST

    def __str__(self) -> str:
        if self.scheme is None:
            start, port = self.host, ""
        else:
            start = f"{self.scheme}://" + (f"[{self.host}]" if ":" in self.host else self.host)
            default = self.port == DEFAULT_PORTS[self.scheme]
            port = "" if default else f":{self.port or ANY_HOST}"
        network = "" if self.network in (None, _own_network(self.host)) else f"={self.network}"
        return f"{start}{port}{network}"


def _is_below(host: str, pattern: str) -> bool:
    return pattern.startswith("*.") and host.endswith(pattern[1:])


def parse_hosts(text: str | Sequence[AllowedHost]) -> tuple[AllowedHost, ...]:
    """The hosts of a setting, separated by commas.

    Raises:
        ValueError: the text says how to write it.
    """
    if not isinstance(text, str):
        return tuple(text)
    return tuple(_parse(entry.strip()) for entry in text.split(",") if entry.strip())


def matching(hosts: Iterable[AllowedHost], address: Address) -> list[AllowedHost]:
    """The entries that an address is of."""
    return [entry for entry in hosts if entry.matches(address)]


def _parse(entry: str) -> AllowedHost:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise ValueError(_wanted(entry))
    host, port, network = found["host"].lower(), found["port"], found["network"]
    # A star alone is everything that is public; all others are of https unless they say otherwise.
    scheme = found["scheme"].lower() if found["scheme"] else (None if host == ANY_HOST else "https")
    try:
        return AllowedHost(
            scheme=scheme,
            host=_host(host),
            port=_port(port, scheme),
            network=ipaddress.ip_network(network) if network else _own_network(host),
        )
    except ValueError as error:
        raise ValueError(f"{_wanted(entry)} ({error})") from None


def _wanted(entry: str) -> str:
    return (
        f"has {entry!r}, which is no host. Write names separated by commas, like cdn.example.com, "
        "*.example.com, https://files.example.com:8443, or http://files.example.com=10.0.5.0/24 for one that "
        "is in a network of your own; * is every public host"
    )


def _host(host: str) -> str:
    if host == ANY_HOST:
        return host
    try:
        if host.startswith("*."):
            return "*." + parse_host(host[2:])
        return parse_host(host if host.isascii() else host.encode("idna").decode("ascii"))
    except (NotAnAddress, UnicodeError) as error:
        raise ValueError(f"it {error}") from None


def _port(port: str | None, scheme: str | None) -> int | None:
    if port == ANY_HOST or (port is None and scheme is None):
        return None
    if port is None:
        return DEFAULT_PORTS[scheme or "https"]
    if not 1 <= int(port) <= _MOST_PORTS:
        raise ValueError("its port is none")
    return int(port)


def _own_network(host: str) -> IPv4Network | IPv6Network | None:
    """Whoever writes an IP address means that one, wherever it is."""
    try:
        return ipaddress.ip_network(host.strip("[]"))
    except ValueError:
        return None
