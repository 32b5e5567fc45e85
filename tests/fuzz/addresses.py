"""What is fuzzed of addresses: in manifests, in settings, and where a redirect leads."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from greenroom.is_url import is_remote, is_store
from greenroom.sources.address import NotAnAddress, parse_address
from greenroom.sources.allowed_stores import parse_stores, store_of
from greenroom.sources.display import shown, unsigned, without_secrets
from greenroom.sources.hosts import matching, parse_hosts
from greenroom.sources.store_address import parse_store_address
from tests.fuzz.spoiling import ODD_TEXTS, spoiled
from tests.fuzz.target import Target

SECRET: Final = "canary-password-1b7e"


class Addresses(Target):
    """Addresses of web servers and stores, and what allows them: taken apart in one way, or refused."""

    _SEEDS: Final = (
        f"https://user:{SECRET}@cdn.example.com:8443/a%20b/c.jpg?signature={SECRET}",
        f"http://[2001:db8::1]:8080/x?{SECRET}",
        "https://m\u00fcnchen.example/\u00e9.png",
        "s3://campaigns/spring/hero.jpg",
        "gs://legal-documents/terms 2026.pdf",
        "az://leaflets/spring/leaflet.pdf",
        "sftp://greenroom@example.com:2222/out/voice.ogg",
    )
    _SETTINGS: Final = (
        "*.example.com,https://example.com:8443,http://example.com:8080=10.0.5.0/24,[2001:db8::1]:*",
        "s3://campaigns/=https://example.com:9000,gs://legal-documents/,sftp://example.com/out/",
    )
    _WORDS: Final = (
        *(b"@", b"//", b"..", b"%2f", b"%00", b"#", b"?", b"\\", b":", b"[", b"]", b"=", b",", b"*", b"/../"),
        *(b"0x7f.1", b"2130706433", b"127.0.0.1", b":99999", b"xn--", b"file://", b"http:", b"\r\nHost: x"),
        *(text.encode("utf-8", "surrogatepass") for text in ODD_TEXTS),
    )

    def make(self, chance: random.Random) -> Any:
        """An address that is spoiled, one that it leads to, and a setting."""
        seeds = [seed.encode() for seed in (*self._SEEDS, *self._SETTINGS)]
        given = [
            spoiled(chance, chance.choice(texts).encode(), seeds, self._WORDS).decode("utf-8", "replace")
            for texts in (self._SEEDS, self._SEEDS, self._SETTINGS)
        ]
        # Surrogates are none in UTF-8, and may be in JSON.
        return [text.replace("\ufffd", "\ud800") if chance.random() < 0.1 else text for text in given]

    def judge(self, given: Any) -> str:
        """Whether it is taken, and whether what is shown of it may be."""
        source, leads_to, setting = given
        hosts, stores = _parsed(parse_hosts, setting), _parsed(parse_stores, setting)
        assert shown(source).isprintable()
        # Each character in UTF-8, and each byte of it as three characters.
        assert len(without_secrets(source)) <= 12 * len(source) + 100
        if not is_remote(source):
            return "a path"
        assert "?" not in unsigned(source)
        if is_store(source):
            store = _parsed(parse_store_address, source)
            if store is None:
                return "refused"
            assert parse_store_address(store.shown) == store, "what is shown is another file"
            store_of(stores or (), store)
            return "a store's"
        address = _parsed(parse_address, source)
        if address is None:
            return "refused"
        assert SECRET not in repr(address)
        assert address.target.startswith("/")
        assert not {"\r", "\n", " "} & set(address.target + address.netloc), "a request that is two"
        matching(hosts or (), address)
        with suppress(NotAnAddress):
            followed = address.follow(leads_to)
            assert "@" in leads_to or not followed.authorization or followed.origin == address.origin
        return "a web server's"


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    """None where it is refused, in a clause."""
    try:
        return parse(text)
    except ValueError as error:
        said = str(error)
    assert said, "a refusal without a word"
    return None
