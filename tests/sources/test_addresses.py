"""Addresses: what can be none is refused at the door, and none is shown with what signs it."""

from __future__ import annotations

import pytest

from greenroom.reasons import Reason
from greenroom.sources import Sources, shown, source_name, without_secrets
from greenroom.sources.address import NotAnAddress, parse_address
from greenroom.sources.hosts import matching, parse_hosts
from greenroom.sources.networks import is_public, parse_ip


@pytest.mark.parametrize(
    ("source", "host", "port", "target"),
    [
        ("https://cdn.example.com/a.jpg", "cdn.example.com", 443, "/a.jpg"),
        ("HTTPS://CDN.Example.com./a.jpg?x=1&y=%2f#top", "cdn.example.com", 443, "/a.jpg?x=1&y=%2F"),
        ("http://cdn.example.com", "cdn.example.com", 80, "/"),
        ("http://cdn.example.com:8080?x", "cdn.example.com", 8080, "/?x"),
        ("https://[2001:DB8::1]:8443/", "2001:db8::1", 8443, "/"),
        ("https://bücher.example/größe 1.jpg", "xn--bcher-kva.example", 443, "/gr%C3%B6%C3%9Fe%201.jpg"),
        ("https://8.8.8.8/a", "8.8.8.8", 443, "/a"),
        ("https://a_b.example/@x:y", "a_b.example", 443, "/@x:y"),
    ],
)
def test_an_address_is_taken_apart_once(source: str, host: str, port: int, target: str) -> None:
    """What is checked is what is asked for."""
    address = parse_address(source)
    assert (address.host, address.port, address.target) == (host, port, target)


@pytest.mark.parametrize(
    "source",
    [
        *("http://", "http:canary", "http:/canary", "https:///canary", "http://?canary", "http:"),
        *("http://host:99999/canary", "http://host:0/canary", "http://host:canary/", "http://host:-1/canary"),
        *("http://[canary/", "http://[::1/canary", "http://[fe80::1%25canary]/", "http://[127.0.0.1]/canary"),
        *(
            "http://ho st/canary",
            "http://host\\@canary/",
            "http://host\n/canary",
            "http://host/a\r\nX: canary",
        ),
        *(
            "http://0x7f.1/canary",
            "http://2130706433/canary",
            "http://017700000001/canary",
            "http://127.1/canary",
        ),
        *(
            "http://0x7f000001/canary",
            "http://0177.0.0.1/canary",
            "http://127.0.0.1.0x1/canary",
            "http://1./canary",
        ),
        *(
            "http://%31%32%37.0.0.1/canary",
            "http://\uff11\uff12\uff17.0.0.1/canary",
            "http://a..b/canary",
            "http://-a/canary",
        ),
        *("http://" + "a" * 64 + "/canary", "http://" + "a." * 130 + "com/canary", "http://\udce9/canary"),
        *(
            "http://xn--\u00e9/canary",
            "http://\u2488com/canary",
            "http://host/\udce9canary",
            "http://☃.☃ ☃/canary",
        ),
    ],
)
def test_what_can_be_no_address_is_refused_once(source: str) -> None:
    """It is the manifest's fault, and no moment's; and the sentence shows no more of it than its scheme."""
    with pytest.raises(NotAnAddress):
        parse_address(source)
    refusal = Sources(hosts=parse_hosts("*=0.0.0.0/0")).refusal(source)
    assert refusal is not None
    assert refusal.reason == Reason.NOT_AN_ADDRESS
    assert "canary" not in str(refusal)
    assert "canary" not in shown(source)
    assert source_name(source) == "file"


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("/media/a.jpg", "/media/a.jpg"),
        ("https://cdn.example/a.jpg?signature=canary", "https://cdn.example/a.jpg"),
        ("https://user:canary@cdn.example:8443/a.jpg#canary", "https://cdn.example:8443/a.jpg"),
        ("https://user:c@nary:x@cdn.example/a.jpg", "https://cdn.example/a.jpg"),
        ("HTTP:canary", "http:..."),
        ("/media/\x1b[2Ja\u202egpj.exe", "/media/\\x1b[2Ja\\u202egpj.exe"),
    ],
)
def test_one_function_shows_a_source(source: str, seen: str) -> None:
    """Without what signs it, and without what drives a terminal."""
    assert shown(source) == seen


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("args: ['https://u:canary@a.example/x?s=canary', '/b']", "args: ['https://a.example/x '/b']"),
        (r'["https://a.example/gr\u00f6\u00dfe?s=canary"]', r'["https://a.example/gr%5Cu00f6%5Cu00dfe"]'),
        ("""["https://a.example?n=o'n&s=\\u00e9canary", 1]""", '["https://a.example/", 1]'),
        ('{"source": "https://a.example/x?s=canary"}', '{"source": "https://a.example/x"}'),
        ("http:canary and HTTPS://canary:99999/canary.", "http:... and HTTPS:..."),
        ("no address, though https is named", "no address, though https is named"),
        ("https://a.example/x?s=canary\nnext", "https://a.example/x\nnext"),
    ],
)
def test_a_text_loses_what_signs_its_addresses(text: str, clean: str) -> None:
    """Whoever has written it: Celery shows whole messages that it cannot deal with."""
    assert without_secrets(text) == clean


@pytest.mark.parametrize(
    ("hosts", "source", "allowed"),
    [
        ("cdn.example.com", "https://cdn.example.com/a", True),
        ("cdn.example.com", "https://CDN.example.com.:443/a", True),
        ("cdn.example.com", "http://cdn.example.com/a", False),
        ("cdn.example.com", "https://cdn.example.com:8443/a", False),
        ("cdn.example.com", "https://a.cdn.example.com/a", False),
        ("cdn.example.com", "https://cdn.example.com.evil.example/a", False),
        ("cdn.example.com", "https://cdn.example.com@evil.example/a", False),
        ("cdn.example.com", "https://evil.example/cdn.example.com", False),
        ("*.example.com", "https://a.b.example.com/a", True),
        ("*.example.com", "https://example.com/a", False),
        ("*.example.com", "https://evilexample.com/a", False),
        ("http://a.example:8080, https://b.example:*", "http://a.example:8080/a", True),
        ("http://a.example:8080, https://b.example:*", "https://b.example:1/a", True),
        ("http://a.example:8080, https://b.example:*", "http://a.example/a", False),
        ("*", "http://anything.example:81/a", True),
        ("https://*", "http://anything.example/a", False),
        ("bücher.example", "https://xn--bcher-kva.example/a", True),
        ("[2001:db8::1]", "https://[2001:0db8:0::1]/a", True),
    ],
)
def test_a_host_is_allowed_by_scheme_name_and_port(hosts: str, source: str, allowed: bool) -> None:  # noqa: FBT001 - a table's column
    """Nothing else of an address counts."""
    assert bool(matching(parse_hosts(hosts), parse_address(source))) is allowed
    assert (Sources(hosts=parse_hosts(hosts)).refusal(source) is None) is allowed


@pytest.mark.parametrize(
    "entry",
    [
        *(
            "ftp://a.example",
            "a b",
            "https://",
            "a.example/path",
            "user@a.example",
            "a.example:99999",
            "a.example:x",
        ),
        *(
            "*.*",
            "a.*.example",
            "2130706433",
            "0x7f.1",
            "a.example=10.0.0.1/8",
            "a.example=",
            "[::1",
            "=10.0.0.0/8",
        ),
    ],
)
def test_a_host_that_is_none_stops_the_start_with_a_sentence(entry: str) -> None:
    """Which says how to write it."""
    with pytest.raises(ValueError, match=r"which is no host\. Write"):
        parse_hosts(f"cdn.example.com,{entry}")


@pytest.mark.parametrize(
    "ip",
    [
        *(
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",  # noqa: S104 - nothing is bound
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
        ),
        *("169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "203.0.113.1"),
        *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
        *(
            "::",
            "::1",
            "fe80::1",
            "fe80::1%eth0",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
        ),
        *("::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:0:10.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1"),
        *(
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:7f00:1::1",
            "100::1",
        ),
    ],
)
def test_what_is_inside_is_not_public(ip: str) -> None:
    """This machine, private networks, metadata services, all that is many, and IPv4 that hides in IPv6."""
    assert not is_public(parse_ip(ip))


@pytest.mark.parametrize(
    "ip", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]
)
def test_the_open_internet_is_public(ip: str) -> None:
    """Over either protocol."""
    assert is_public(parse_ip(ip))


@pytest.mark.parametrize(
    ("entry", "ip", "allowed"),
    [
        ("a.example", "8.8.8.8", True),
        ("a.example", "10.0.5.1", False),
        ("a.example=10.0.5.0/24", "10.0.5.1", True),
        ("a.example=10.0.5.0/24", "::ffff:10.0.5.1", True),
        ("a.example=10.0.5.0/24", "10.0.6.1", False),
        ("a.example=10.0.5.0/24", "169.254.169.254", False),
        ("a.example=10.0.5.0/24", "8.8.8.8", False),
        ("a.example=fd00::/8", "fd00::1", True),
        ("10.0.5.7", "10.0.5.7", True),
        ("10.0.5.7", "10.0.5.8", False),
        ("*", "127.0.0.1", False),
        ("*=0.0.0.0/0", "127.0.0.1", True),
    ],
)
def test_what_is_inside_is_allowed_where_its_network_is_named(entry: str, ip: str, allowed: bool) -> None:  # noqa: FBT001 - a table's column
    """And there alone: the name may lead elsewhere tomorrow."""
    (host,) = parse_hosts(entry)
    assert host.reaches(parse_ip(ip)) is allowed
    assert parse_hosts(str(host)) == (host,)
