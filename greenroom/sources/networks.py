"""Networks: which IP addresses are of the open Internet, and which are of somebody's inside."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

Ip = IPv4Address | IPv6Address

#: Answers with a machine's own secrets, and lies in a public range: the host of each machine at Azure.
#: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
_METADATA = IPv4Address("168.63.129.16")
#: What some versions of Python take for public: what IETF keeps for protocols (with a metadata service of a
#: cloud's), NAT64 of one's own (RFC 8215), and the site-local addresses of old (RFC 3879).
_INSIDE = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "64:ff9b:1::/48", "fec0::/10")))
#: IPv6 addresses that stand for an IPv4 address, and how far that is from their right end, in bits: mapped
#: (RFC 4291) and translated (RFC 2765), compatible (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056).
_EMBEDDING = tuple(
    (ipaddress.IPv6Network(network), shift)
    for network, shift in (
        ("::ffff:0:0/96", 0),
        ("::ffff:0:0:0/96", 0),
        ("64:ff9b::/96", 0),
        ("2002::/16", 80),
        ("::/96", 0),
    )
)
#: What those are besides: no host of its own.
_NEITHER = (IPv6Address("::"), IPv6Address("::1"))


def parse_ip(text: str) -> Ip:
    """An address as the resolver returns it, with a zone perhaps; one of IPv4 in IPv6 as that of IPv4.

    Raises:
        ValueError: it is none.
    """
    ip = ipaddress.ip_address(text)
    if isinstance(ip, IPv6Address) and ip not in _NEITHER:
        for network, shift in _EMBEDDING:
            if ip in network:
                return IPv4Address((int(ip) >> shift) & 0xFFFF_FFFF)
    return ip


def is_public(ip: Ip) -> bool:
    """Whether it is a single host of the open Internet, and neither inside anything nor a machine's own.

    Private, loopback, link-local and carrier networks, multicast, reserved and documentation ranges are not:
    Python's `is_global` is the registry of IANA, but for multicast.
    """
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip == _METADATA:
        return False
    return not any(ip in network for network in _INSIDE)
