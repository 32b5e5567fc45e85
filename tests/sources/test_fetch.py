"""Web sources: whatever a server does, its file is there, missing, too large, or away for now."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from greenroom.errors import FileRejected, OutOfResources, SourceMissing, SourceUnavailable
from greenroom.sources import Sources, fetch
from greenroom.sources.hosts import parse_hosts

ALLOWED = Sources(hosts=parse_hosts("http://127.0.0.1:*"))


class _Handler(BaseHTTPRequestHandler):
    """Answers by the path that is asked for."""

    def do_GET(self) -> None:
        """Misbehave as asked."""
        what = self.path.split("?")[0].strip("/")
        if what.isdigit():
            self.send_error(int(what))
            return
        if what == "nonsense":
            self.send_response(302)
            self.send_header("Location", "http://[nonsense/")
            self.end_headers()
            return
        body = gzip.compress(b"Hello!\n") if what == "gzip" else b"Hello!\n"
        self.send_response(200)
        if what == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) + (what == "short")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A web server's address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no /proc")
def test_what_is_fetched_has_no_name(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process leaves nothing behind, and nobody who tidies up takes the file away."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ALLOWED.copy(f"{server}/plain") as path:
        assert list(tmp_path.iterdir()) == []
        assert path.read_bytes() == b"Hello!\n"


@pytest.mark.parametrize("what", ["plain", "gzip"])
def test_a_web_source_is_a_local_file_for_a_while(server: str, what: str) -> None:
    """With what its server compressed undone."""
    with ALLOWED.copy(f"{server}/{what}") as path:
        assert path.read_bytes() == b"Hello!\n"
    assert not path.exists()


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("404", SourceMissing),
        ("403", SourceMissing),
        ("429", SourceUnavailable),
        ("503", SourceUnavailable),
        ("short", SourceUnavailable),
        ("nonsense", SourceUnavailable),
    ],
)
def test_what_a_server_does_is_told_by_type(server: str, what: str, error: type[Exception]) -> None:
    """And never with the query, which may be what signs the address."""
    with pytest.raises(error) as caught, ALLOWED.copy(f"{server}/{what}?signature=canary"):
        pass
    assert "canary" not in str(caught.value)


def test_a_trickle_is_given_up_for_now(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep a worker from everything else."""
    monkeypatch.setattr(fetch, "FETCH_SECONDS", 0.0)
    with pytest.raises(SourceUnavailable, match="too slowly"), ALLOWED.copy(f"{server}/plain"):
        pass


def test_more_than_whatsapp_ever_takes_is_not_read_to_its_end(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's fault, and final."""
    monkeypatch.setattr(fetch, "LARGEST_FILE", 3)
    with pytest.raises(FileRejected), ALLOWED.copy(f"{server}/plain"):
        pass


def test_a_full_disk_is_the_moments_fault(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this worker's machine, and not the file's."""

    class Full(BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    @contextmanager
    def spooled() -> Iterator[tuple[BytesIO, Path]]:
        yield Full(), Path("/nowhere")

    monkeypatch.setattr("greenroom.sources.opening.spooled", spooled)
    with pytest.raises(OutOfResources), ALLOWED.copy(f"{server}/plain"):
        pass
