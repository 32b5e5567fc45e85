"""Fetching a file from the web, from hosts that the operator allows, and from nowhere that they lead to.

How a host is connected to, and which may be: :mod:`.connections`. A redirect is checked like an address that
somebody named. Where a server says which version it sends (a strong ETag), a download that breaks is resumed.
"""

from __future__ import annotations

import hashlib
import re
import socket
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

import urllib3
from urllib3 import HTTPResponse

from greenroom import __version__
from greenroom.errors import FileRejected, GreenroomError, SourceMissing, SourceRefused, SourceUnavailable
from greenroom.provider.failures import BROKEN_EXCHANGE, why
from greenroom.reasons import Reason
from greenroom.resources import out_of_resources
from greenroom.rules import LARGEST_FILE, MIB
from greenroom.sources.address import Address, NotAnAddress, parse_address
from greenroom.sources.connections import AllowedConnections, Resolve
from greenroom.sources.display import shown
from greenroom.sources.hosts import AllowedHost

#: Seconds without a byte.
READ_SECONDS = 60.0
#: A web source that takes longer altogether is given up for now: it would keep a worker from everything else.
FETCH_SECONDS = 600.0
#: Redirects that are followed; a CDN needs one or two.
MAX_SOURCE_REDIRECTS = 5
#: Times that one download is resumed.
MOST_RESUMED = 3
#: A strong one (RFC 9110, 8.8.3): the same content, byte by byte. Longer ones are not worth keeping.
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
#: Of a length that is looked at; numbers of any length would take time to read.
_MOST_DIGITS = 20
_CHUNK = 64 * 1024
_PARTIAL = 206
_NOT_MODIFIED = 304
_REDIRECTS = (301, 302, 303, 307, 308)
#: The server's, or the moment's, fault: request time-out, too many requests, and all from 500.
_FOR_NOW = (408, 429)
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"greenroom/{__version__}"}
_PACKED = {"gzip": 31, "x-gzip": 31, "deflate": zlib.MAX_WBITS}


class Fetcher:
    """Fetches files from the hosts that it is given."""

    def __init__(
        self,
        hosts: Sequence[AllowedHost],
        *,
        ca_bundle: Path | None = None,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            hosts: who may be asked.
            ca_bundle: authorities that are trusted besides the usual ones.
            resolve: finds the IP addresses of a host.
        """
        self._connections = AllowedConnections(
            hosts, setting="GREENROOM_SOURCE_HOSTS", verb="fetched", ca_bundle=ca_bundle, resolve=resolve
        )

    def refusal(self, source: str) -> SourceRefused | None:
        """Why an address is never asked, as far as its letters tell."""
        try:
            self._connections.require_named(parse_address(source))
        except NotAnAddress as error:
            return SourceRefused(
                f"{shown(source)} can be no address: it {error}.", reason=Reason.NOT_AN_ADDRESS
            )
        except SourceRefused as error:
            return error
        return None

    def fetch(self, source: str, into: IO[bytes], *, known: str = "") -> str | None:
        """Write what an address has into a file.

        Args:
            source: the address.
            into: an empty file.
            known: the version that need not be sent again.

        Returns:
            The version that was sent, empty where its server names none; None where it is the known one, and
            nothing was written.

        Raises:
            SourceRefused: it may not be asked, or leads to one that may not.
            SourceMissing: its server says that there is no such file.
            SourceUnavailable: it cannot be had just now.
            FileRejected: the server sends more than WhatsApp ever takes.
        """
        if refused := self.refusal(source):
            raise refused
        address, give_up_at = parse_address(source), time.monotonic() + FETCH_SECONDS
        for _ in range(MAX_SOURCE_REDIRECTS + 1):
            # Anew at each address: what one calls a version, another one may call something else.
            download = _Download(into=into, place=_place(address), known=known)
            following = self._fetch(address, download, give_up_at)
            if following is None:
                return None if download.unchanged else download.version
            _empty(into)
            address = self._followed(address, following)
        raise SourceUnavailable(f"{shown(source)} was redirected more than {MAX_SOURCE_REDIRECTS} times.")

    def _fetch(self, address: Address, download: _Download, give_up_at: float) -> str | None:
        """Ask one address; returns where it redirects to, if it does. Errors name it without its query."""
        name = address.shown
        try:
            return self._ask(address, download, give_up_at)
        except GreenroomError:
            raise
        except (*BROKEN_EXCHANGE, ValueError, zlib.error) as error:
            if download.may_resume and time.monotonic() < give_up_at and out_of_resources(error) is None:
                download.resumed += 1
                return self._fetch(address, download, give_up_at)
            # Not `from error`: its text has the whole address.
            if (short := out_of_resources(error)) is not None:
                raise short from None
            if time.monotonic() > give_up_at:
                reason = f"{name} sends too slowly: not done in {FETCH_SECONDS:.0f} s."
            else:
                reason = f"{name} could not be fetched: {_why(error)}."
            raise SourceUnavailable(reason) from None

    def _ask(self, address: Address, download: _Download, give_up_at: float) -> str | None:
        conditions = download.conditions
        with self._connections.asked(
            address,
            method="GET",
            headers={**_HEADERS, **conditions},
            give_up_at=give_up_at,
            patience=READ_SECONDS,
        ) as answer:
            if answer.status in _REDIRECTS and (location := answer.headers.get("Location")):
                return str(location)
            if answer.status == _NOT_MODIFIED and "If-None-Match" in conditions:
                download.unchanged = True
                return None
            _require_file(answer, address.shown)
            download.begin(answer)
            for piece in _pieces(answer):
                download.into.write(piece)
                if time.monotonic() > give_up_at:
                    raise TimeoutError
                _require_size(download.into.tell())
        return None

    def _followed(self, address: Address, location: str) -> Address:
        try:
            following = address.follow(location)
        except NotAnAddress as error:
            raise SourceUnavailable(f"{address.shown} redirects to what {error}.") from None
        try:
            self._connections.require_named(following)
        except SourceRefused as error:
            raise SourceRefused(f"{address.shown} redirects elsewhere: {error}") from None
        return following


def _place(address: Address) -> str:
    """Tells addresses apart, and shows nothing of them: their queries may be what signs them."""
    parts = "\n".join((*map(str, address.origin), address.target, address.authorization))
    return hashlib.sha256(parts.encode()).hexdigest()


def _empty(into: IO[bytes]) -> None:
    into.seek(0)
    into.truncate()


@dataclass(kw_only=True)
class _Download:
    """One file on its way from one address.

    Attributes:
        into: what has come of it so far.
        place: where it comes from.
        known: the version that need not be sent again; whatever comes from elsewhere is another one.
        etag: of what is sent, if it is a strong one; else empty.
        unchanged: whether the server said that it has the known one.
        resumed: how often it was asked for the rest.
    """

    into: IO[bytes]
    place: str
    known: str = ""
    etag: str = ""
    unchanged: bool = False
    resumed: int = 0

    @property
    def version(self) -> str:
        """Which is sent; empty where its server does not say."""
        return f"{self.place} {self.etag}" if self.etag else ""

    @property
    def may_resume(self) -> bool:
        """Whether the server can be asked for the rest of the same version."""
        return bool(self.etag) and self.into.tell() > 0 and self.resumed < MOST_RESUMED

    @property
    def conditions(self) -> dict[str, str]:
        """Headers: only what is not known, or the rest of what was begun."""
        if self.resumed:
            return {"Range": f"bytes={self.into.tell()}-", "If-Range": self.etag}
        place, _, etag = self.known.partition(" ")
        return {"If-None-Match": etag} if etag and place == self.place else {}

    def begin(self, answer: HTTPResponse) -> None:
        """Take note of what an answer holds: the rest, or all of it.

        Raises:
            ValueError: it holds a part that was not asked for.
        """
        etag = answer.headers.get("ETag", "")
        if answer.status == _PARTIAL:
            start = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
            if not self.resumed or start != str(self.into.tell()) or etag not in ("", self.etag):
                raise ValueError
            return
        if self.into.tell():
            _empty(self.into)
        # What is packed on its way is counted otherwise than what is unpacked here.
        plain = answer.headers.get("Content-Encoding", "identity").strip().lower() in ("", "identity")
        self.etag = etag if plain and _STRONG_ETAG.fullmatch(etag) else ""


def _require_file(answer: HTTPResponse, name: str) -> None:
    if answer.status >= 500 or answer.status in _FOR_NOW:  # noqa: PLR2004 - server errors
        raise SourceUnavailable(f"{name} answered {answer.status}.")
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - success
        raise SourceMissing(f"{name} answered {answer.status}.")
    length = answer.headers.get("Content-Length", "")
    if length.isdecimal() and len(length) <= _MOST_DIGITS:
        _require_size(int(length))


def _require_size(size: int) -> None:
    if size > LARGEST_FILE:
        raise FileRejected(
            Reason.TOO_LARGE,
            f"The file is larger than {LARGEST_FILE // MIB} MB, the most that WhatsApp takes of any file.",
        )


def _pieces(answer: HTTPResponse) -> Iterator[bytes]:
    """The content, unpacked where its server packs it although it was not asked to."""
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        yield from _raw(answer)
    elif coding in _PACKED:
        yield from _unpacked(_raw(answer), zlib.decompressobj(_PACKED[coding]))
    else:
        raise urllib3.exceptions.DecodeError


def _raw(answer: HTTPResponse) -> Iterator[bytes]:
    size = 0
    # What has come in so far, and not a full chunk: a trickle must not hide from the clock.
    while piece := answer.read1(_CHUNK, decode_content=False):
        size += len(piece)
        _require_size(size)
        yield piece


def _unpacked(pieces: Iterator[bytes], unpacker: Any) -> Iterator[bytes]:
    """Never more at a time than a chunk, however much a piece holds."""
    for piece in pieces:
        rest = piece
        while rest and not unpacker.eof:
            yield unpacker.decompress(rest, _CHUNK)
            rest = unpacker.unconsumed_tail
        if unpacker.eof and (rest or unpacker.unused_data):
            raise urllib3.exceptions.DecodeError
    while not unpacker.eof:
        more = unpacker.decompress(unpacker.unconsumed_tail, _CHUNK)
        if not more:
            raise urllib3.exceptions.DecodeError
        yield more


def _why(error: BaseException) -> str:
    if isinstance(error, (zlib.error, urllib3.exceptions.DecodeError)):
        return "it is packed in a way that cannot be undone"
    if isinstance(error, OSError) and not isinstance(error, (urllib3.exceptions.HTTPError, HTTPException)):
        return error.strerror or why(error)
    return why(error)
