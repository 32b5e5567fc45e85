"""Servers and names that would lead inside: what was checked is asked, and nothing else."""

from __future__ import annotations

import gzip
import io
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from greenroom.errors import FileRejected, GreenroomError, SourceMissing, SourceRefused, SourceUnavailable
from greenroom.rules import LARGEST_FILE, MIB
from greenroom.sources import fetch
from greenroom.sources.fetch import Fetcher
from greenroom.sources.hosts import parse_hosts

HOST = "cdn.example"
HELLO = b"Hello!\n"


class Recorder(ThreadingHTTPServer):
    """A server that knows what it was asked, and answers as its test says."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.asked: list[dict[str, str]] = []
        self.connections = 0
        self.answer: Callable[[BaseHTTPRequestHandler], None] = say(HELLO)
        super().__init__(address, Handler)

    def get_request(self) -> tuple[Any, Any]:
        """Count who connects."""
        self.connections += 1
        return super().get_request()

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients hang up here."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Recorder

    def do_GET(self) -> None:
        """Answer it."""
        self.server.asked.append({"target": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        self.server.answer(self)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def say(body: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Length": str(len(body)), **named}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@contextmanager
def running(server: Recorder) -> Iterator[Recorder]:
    """A server at work."""
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server() -> Iterator[Recorder]:
    """The host that is allowed."""
    with running(Recorder()) as one:
        yield one


@pytest.fixture
def inside() -> Iterator[Recorder]:
    """A server that nobody was allowed to ask."""
    with running(Recorder()) as one:
        yield one
        assert one.connections == 0


class Names:
    """A name server that answers each time with the next of its answers, and counts."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        """Resolve a host, as `socket.getaddrinfo` does."""
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(0, 0, 0, "", (ip, port)) for ip in answer]


def fetched(hosts: str, source: str, names: Names | None = None, **more: Any) -> bytes:
    """What an address has."""
    into = io.BytesIO()
    Fetcher(parse_hosts(hosts), resolve=names or socket.getaddrinfo, **more).fetch(source, into)
    return into.getvalue()


def test_the_address_that_was_checked_is_the_one_connected_to(server: Recorder) -> None:
    """A name server that says something else the second time is not asked a second time."""
    port = server.server_port
    names = Names(["127.0.0.1"], ["127.0.0.2"], ["169.254.169.254"])
    with running(Recorder(("127.0.0.2", port))) as rebound:
        hosts = f"http://{HOST}:{port}=127.0.0.1/32"
        assert fetched(hosts, f"http://{HOST}:{port}/a?b", names) == HELLO
        assert names.asked == [HOST]
        assert server.asked[0]["host"] == f"{HOST}:{port}"
        assert server.asked[0]["target"] == "/a?b"
        # And when the name has moved, it is refused.
        with pytest.raises(SourceRefused, match=r"inside a network \(127\.0\.0\.2\)"):
            fetched(hosts, f"http://{HOST}:{port}/a", names)
        assert rebound.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["10.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%eth0"],
        ["8.8.8.8", "127.0.0.1"],
    ],
)
def test_a_name_that_leads_inside_is_refused_unasked(inside: Recorder, answer: list[str]) -> None:
    """If only one of its addresses does: which one is taken would be left to chance."""
    names = Names(answer)
    with pytest.raises(SourceRefused, match="inside a network"):
        fetched("*", f"http://{HOST}:{inside.server_port}/", names)


@pytest.mark.parametrize(
    "address",
    [
        *("http://127.0.0.1:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://localhost:{port}/"),
        *("http://2130706433:{port}/", "http://0x7f.1:{port}/", "http://127.1:{port}/", "http://0:{port}/"),
    ],
)
def test_what_is_inside_is_refused_however_it_is_written(inside: Recorder, address: str) -> None:
    """Though all of the Internet is allowed; by its letters, or by what the name leads to."""
    with pytest.raises(SourceRefused):
        fetched("*", address.format(port=inside.server_port))


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("http://127.0.0.1:{port}/", SourceRefused),
        ("//127.0.0.1:{port}/", SourceRefused),
        ("http://localhost:{port}/", SourceRefused),
        ("http://2130706433:{port}/", SourceUnavailable),
        ("file:///etc/passwd", SourceUnavailable),
        ("gopher://127.0.0.1:{port}/", SourceUnavailable),
        ("http://[nonsense/", SourceUnavailable),
    ],
)
def test_a_redirect_is_checked_like_an_address_that_was_named(
    server: Recorder, inside: Recorder, location: str, error: type[Exception]
) -> None:
    """And the sentence names no more of it than may be shown."""
    to = location.format(port=inside.server_port)
    server.answer = say(b"", 302, Location=f"{to}?signature=canary")
    with pytest.raises(error) as caught:
        fetched(f"http://127.0.0.1:{server.server_port}", f"http://127.0.0.1:{server.server_port}/?s=canary")
    assert "canary" not in str(caught.value)


def test_a_redirect_to_a_host_whose_name_leads_inside_is_refused(server: Recorder, inside: Recorder) -> None:
    """Its letters are allowed, its address is not."""
    here = f"http://127.0.0.1:{server.server_port}"
    server.answer = say(b"", 307, Location=f"http://other.example:{inside.server_port}/")
    hosts = f"{here},http://other.example:*"

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(0, 0, 0, "", ("127.0.0.1" if host == "127.0.0.1" else "127.0.0.3", port))]

    with pytest.raises(SourceRefused, match="inside a network"):
        Fetcher(parse_hosts(hosts), resolve=resolve).fetch(f"{here}/", io.BytesIO())


def test_redirects_have_an_end(server: Recorder) -> None:
    """Five are followed; round and round, it is given up for now."""
    here = f"http://127.0.0.1:{server.server_port}"
    server.answer = say(b"", 301, Location="/again")
    with pytest.raises(SourceUnavailable, match="more than 5 times"):
        fetched(here, f"{here}/")
    assert len(server.asked) == fetch.MAX_SOURCE_REDIRECTS + 1


def test_a_password_goes_to_its_own_host_alone(server: Recorder) -> None:
    """A redirect within the host keeps it, one to another host loses it."""
    with running(Recorder()) as other:
        here, there = (f"127.0.0.1:{one.server_port}" for one in (server, other))

        def lead_on(handler: BaseHTTPRequestHandler) -> None:
            to = "/second" if handler.path == "/first" else f"http://{there}/"
            say(b"", 302, Location=to)(handler)

        server.answer = lead_on
        assert fetched(f"http://{here},http://{there}", f"http://user:pass%20word@{here}/first") == HELLO
        assert [one.get("authorization") for one in server.asked] == ["Basic dXNlcjpwYXNzIHdvcmQ="] * 2
        assert other.asked[0].get("authorization") is None


def test_nothing_comes_from_the_environment(
    server: Recorder, inside: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No proxy, and no password of a .netrc."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password canary\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{inside.server_port}")
    here = f"http://127.0.0.1:{server.server_port}"
    assert fetched(here, f"{here}/") == HELLO
    assert "authorization" not in server.asked[0]
    assert server.asked[0]["accept-encoding"] == "identity"


class Counting(io.RawIOBase):
    """Takes everything, keeps nothing, and knows the largest piece."""

    def __init__(self) -> None:
        super().__init__()
        self.size = self.largest = 0

    def write(self, piece: Any) -> int:
        """Count."""
        self.size += len(piece)
        self.largest = max(self.largest, len(piece))
        return len(piece)

    def tell(self) -> int:
        """Where a file would be."""
        return self.size


def packed(megabytes: int) -> bytes:
    """So much of nothing, as gzip has it: a thousandth."""
    packer = zlib.compressobj(9, wbits=31)
    piece = bytes(MIB)
    return b"".join(packer.compress(piece) for _ in range(megabytes)) + packer.flush()


def test_what_is_packed_is_bounded_by_what_it_holds(
    server: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some kilobytes that hold more than is taken; and never much of it at a time."""
    monkeypatch.setattr(fetch, "LARGEST_FILE", 4 * MIB)
    server.answer = say(packed(20), Content_Encoding="gzip")
    into = Counting()
    here = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(FileRejected):
        Fetcher(parse_hosts(here)).fetch(f"{here}/", into)  # type: ignore[arg-type] # it takes bytes
    assert into.largest <= 256 * 1024
    assert into.size <= 4 * MIB + 256 * 1024


@pytest.mark.parametrize(
    "answer",
    [
        say(b"no gzip at all", Content_Encoding="gzip"),
        say(gzip.compress(HELLO * 1_000)[:-20], Content_Encoding="gzip"),
        say(gzip.compress(HELLO) + b"and more", Content_Encoding="gzip"),
        say(HELLO, Content_Encoding="br"),
        say(HELLO, Content_Encoding="gzip, gzip"),
        say(HELLO, Content_Length="8"),
        say(HELLO, Transfer_Encoding="chunked"),
        say(b"ffffffffffffffff\r\n", Transfer_Encoding="chunked"),
        lambda handler: handler.wfile.write(b"\x00" * 100_000),
        lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000),
        lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000),
        lambda handler: handler.wfile.write(b"HTTP/1.1 abc OK\r\n\r\n"),
        lambda _handler: None,
    ],
)
def test_an_answer_that_cannot_be_read_is_the_moments_fault(
    server: Recorder, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    """Whatever it is that came: an error by type, and nothing that hangs or grows."""
    server.answer = answer
    here = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(SourceUnavailable, match="could not be fetched"):
        fetched(here, f"{here}/?signature=canary")


def test_a_file_that_is_said_to_be_too_large_is_not_read(server: Recorder) -> None:
    """The file's fault, and final."""
    server.answer = say(b"x", Content_Length=str(LARGEST_FILE + 1))
    here = f"http://127.0.0.1:{server.server_port}"
    into = Counting()
    with pytest.raises(FileRejected):
        Fetcher(parse_hosts(here)).fetch(f"{here}/", into)  # type: ignore[arg-type] # it takes bytes
    assert into.size == 0


@pytest.mark.parametrize("drop", [b"X: y\r\n", b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_trickle_of_headers_has_an_end(
    server: Recorder, monkeypatch: pytest.MonkeyPatch, drop: bytes
) -> None:
    """Each byte in time, and never all of them; or none at all."""
    stop = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        while not stop.wait(0.01):
            handler.wfile.write(drop)

    server.answer = trickle
    monkeypatch.setattr(fetch, "FETCH_SECONDS", 0.3)
    here = f"http://127.0.0.1:{server.server_port}"
    try:
        with pytest.raises(SourceUnavailable):
            fetched(here, f"{here}/")
    finally:
        stop.set()


def certificate(folder: Path, name: str) -> Path:
    """A certificate for a name, its own authority, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Greenroom tests")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


def test_a_certificate_is_checked_for_the_name_and_not_for_the_address(
    server: Recorder, tmp_path: Path
) -> None:
    """The connection goes to an IP address; TLS is with the host that was named."""
    bundle = certificate(tmp_path, HOST)
    asked_for: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port, names = server.server_port, Names(["127.0.0.1"])

    def ask(host: str, ca_bundle: Path | None) -> bytes:
        hosts = f"https://{host}:{port}=127.0.0.1/32"
        return fetched(hosts, f"https://{host}:{port}/", names, ca_bundle=ca_bundle)

    assert ask(HOST, bundle) == HELLO
    assert asked_for == [HOST]
    for host, authority in (("other.example", bundle), (HOST, None)):
        with pytest.raises(SourceUnavailable, match="certificate"):
            ask(host, authority)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(404, SourceMissing), (304, SourceMissing), (503, SourceUnavailable)]
)
def test_a_status_says_whose_fault_it_is(server: Recorder, status: int, error: type[GreenroomError]) -> None:
    """A redirect without a place to go to is no file either."""
    server.answer = say(b"", status)
    here = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(error, match=f"answered {status}"):
        fetched(here, f"{here}/")
