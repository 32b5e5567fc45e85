"""Downloads from web servers that break, and files that did not change since they were fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from greenroom.errors import SourceUnavailable
from greenroom.sources import Sources
from greenroom.sources.fetched_files import FetchedFiles
from greenroom.sources.hosts import parse_hosts
from tests.sources.test_hostile_servers import Recorder, running

CONTENT = bytes(range(256)) * 4000
Change = Callable[["Files"], None]


class Files:
    """One file on a web server that keeps conditions and ranges, and breaks as it is told to.

    Attributes:
        content: what it holds.
        etag: its version; None for a server that names none.
        breaks: how many answers are still to end in their middle.
        afterwards: is called when one has.
    """

    def __init__(self) -> None:
        self.content = CONTENT
        self.etag: str | None = '"1"'
        self.breaks = 0
        self.afterwards: Change = lambda _: None
        self.lies = False

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer."""
        if self.etag and handler.headers.get("If-None-Match") == self.etag:
            handler.send_response(304)
            handler.end_headers()
            return
        start = 0
        asked = handler.headers.get("Range", "")
        if asked and handler.headers.get("If-Range") == self.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        rest = self.content[start:]
        handler.send_response(206 if start else 200)
        if start:
            first = start + self.lies
            handler.send_header("Content-Range", f"bytes {first}-{len(self.content) - 1}/{len(self.content)}")
        if self.etag:
            handler.send_header("ETag", self.etag)
        handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        half = len(rest) // 2 if self.breaks else len(rest)
        handler.wfile.write(rest[:half])
        if self.breaks:
            self.breaks -= 1
            self.afterwards(self)
            handler.close_connection = True


@pytest.fixture
def files() -> Files:
    """What the server has."""
    return Files()


@pytest.fixture
def server(files: Files) -> Iterator[Recorder]:
    """A web server."""
    with running(Recorder()) as one:
        one.answer = files
        yield one


@pytest.fixture
def address(server: Recorder) -> str:
    """The file's."""
    return f"http://127.0.0.1:{server.server_port}/hero.jpg"


def sources_of(folder: Path | None = None) -> Sources:
    """An installation that keeps what it fetches, or nothing."""
    kept = FetchedFiles(folder) if folder else None
    return Sources(hosts=parse_hosts("http://127.0.0.1:*"), fetched_files=kept)


def test_what_broke_is_taken_up_where_it_broke(server: Recorder, files: Files, address: str) -> None:
    """By ``Range``, and only of the same version."""
    files.breaks = 2
    with sources_of().copy(address) as path:
        assert path.read_bytes() == CONTENT
    assert [asked.get("range", "") for asked in server.asked] == [
        "",
        f"bytes={len(CONTENT) // 2}-",
        f"bytes={len(CONTENT) // 4 * 3}-",
    ]


def replaced(files: Files) -> None:
    """Another version, of another length."""
    files.content, files.etag = CONTENT[::-1] + b"!", '"2"'


def test_what_was_replaced_meanwhile_is_fetched_whole(files: Files, address: str) -> None:
    """Never the beginning of one and the end of the other."""
    files.breaks, files.afterwards = 1, replaced
    with sources_of().copy(address) as path:
        assert path.read_bytes() == files.content != CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"1"', '"' + "x" * 300 + '"'], ids=["none", "weak", "long"])
def test_without_a_strong_etag_nothing_is_resumed(
    server: Recorder, files: Files, address: str, etag: str | None
) -> None:
    """The rest may be another file's."""
    files.breaks, files.etag = 1, etag
    with pytest.raises(SourceUnavailable), sources_of().copy(address):
        pass
    assert len(server.asked) == 1


def test_a_server_that_always_breaks_is_given_up(server: Recorder, files: Files, address: str) -> None:
    """After some tries; the file is tried again later."""
    files.breaks = 100
    with pytest.raises(SourceUnavailable), sources_of().copy(address):
        pass
    assert len(server.asked) == 4


def test_a_part_that_was_not_asked_for_is_not_taken(files: Files, address: str) -> None:
    """By whatever its server means by it."""
    files.breaks, files.lies = 1, True
    with pytest.raises(SourceUnavailable), sources_of().copy(address):
        pass


def test_what_did_not_change_is_not_fetched_twice(
    server: Recorder, files: Files, address: str, tmp_path: Path
) -> None:
    """Its server is asked whether it did, each time."""
    sources = sources_of(tmp_path)
    for _ in range(3):
        with sources.copy(address) as path:
            assert path.read_bytes() == CONTENT
    assert [asked.get("if-none-match") for asked in server.asked] == [None, '"1"', '"1"']
    replaced(files)
    with sources.copy(address) as path:
        assert path.read_bytes() == files.content


def test_one_version_of_two_addresses_is_two(
    server: Recorder, files: Files, address: str, tmp_path: Path
) -> None:
    """Servers count from 1 for each file: where an address leads elsewhere by now, its file is fetched."""
    sources, leads_to = sources_of(tmp_path), ["/first.jpg"]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path != "/hero.jpg":
            files(handler)
            return
        handler.send_response(302)
        handler.send_header("Location", leads_to[0])
        handler.end_headers()

    server.answer = answer
    for _ in range(2):
        with sources.copy(address) as path:
            assert path.read_bytes() == CONTENT
    assert [asked.get("if-none-match") for asked in server.asked] == [None, None, None, '"1"']
    files.content, leads_to[0] = CONTENT[::-1], "/second.jpg"
    with sources.copy(address) as path:
        assert path.read_bytes() == files.content


def test_a_part_of_one_address_is_not_the_beginning_of_another(
    server: Recorder, files: Files, address: str
) -> None:
    """Asked for the rest, a server may lead elsewhere; what is there is fetched whole."""
    files.breaks = 1

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/hero.jpg":
            handler.send_response(302)
            handler.send_header("Location", "/other.jpg")
            handler.end_headers()
        else:
            files(handler)

    def moved(files: Files) -> None:
        files.content, server.answer = CONTENT[::-1], elsewhere

    files.afterwards = moved
    with sources_of().copy(address) as path:
        assert path.read_bytes() == files.content


def test_what_was_inspected_here_is_not_asked_for_again(
    server: Recorder, files: Files, address: str, tmp_path: Path
) -> None:
    """An upload wants that content, whatever lies there by now; and what is refused by now stays refused."""
    sources = sources_of(tmp_path)
    with sources.copy(address):
        pass
    replaced(files)
    with sources.copy(address, sha256=sha256(CONTENT).hexdigest()) as path:
        assert path.read_bytes() == CONTENT
    assert len(server.asked) == 1
    with sources.copy(address, sha256=sha256(b"never seen").hexdigest()) as path:
        assert path.read_bytes() == files.content
    narrower = Sources(hosts=(), fetched_files=FetchedFiles(tmp_path))
    assert narrower.refusal(address) is not None


def test_a_folder_that_cannot_be_written_to_makes_files_wait(address: str, tmp_path: Path) -> None:
    """And is named."""
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with (
        pytest.raises(SourceUnavailable, match="GREENROOM_SOURCE_CACHE_FOLDER cannot be used"),
        sources_of(tmp_path / "file").copy(address),
    ):
        pass
