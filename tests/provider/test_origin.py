"""The one place that the key goes to: which base URLs are taken, over which TLS, past which environment."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from greenroom.errors import ProviderUnavailable, SettingsError
from greenroom.provider import ProviderClient
from tests.provider.conftest import KEY, StartClient, StartStandIn, upload
from tests.support.stand_in import Request, read_body, reply, write

STORED = reply(200, '{"id": "1"}')


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://waba-v2.360dialog.io", "https://waba-v2.360dialog.io"),
        ("https://waba-v2.360dialog.io/", "https://waba-v2.360dialog.io"),
        ("https://host:8443/api", "https://host:8443/api"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_base_urls(url: str, base: str) -> None:
    """HTTPS anywhere, plain HTTP to this machine."""
    client = ProviderClient(base_url=url)
    assert client._origin.base == base
    client.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "waba-v2.360dialog.io",
        "ftp://host",
        "https://",
        "https://host:port",
        "https://host:99999",
        "https://[host",
        "https://user:pass@host",
        "https://host?key=1",
        "https://host#x",
        "https://ho st",
        "https://host\r\n",
        "https://host\\x",
        "http://waba-v2.360dialog.io",
        "http://10.0.0.1",
        "http://localhost.example",
        "http://127.0.0.1.example",
    ],
)
def test_base_urls_refused(url: str) -> None:
    """What is no plain base URL, or would send keys unencrypted, stops the start with a sentence."""
    with pytest.raises(SettingsError, match="GREENROOM_API_BASE_URL"):
        ProviderClient(base_url=url)


def test_plain_http_can_be_asked_for() -> None:
    """A sandbox on another machine of a closed network is a deliberate choice."""
    ProviderClient(base_url="http://sandbox:8080", allow_plain_http=True).close()


@pytest.mark.parametrize("proxy", ["nonsense://x", "http://[", "socks9://secret@host"])
def test_a_proxy_that_is_none(proxy: str) -> None:
    """It is refused at the start, and not quoted: it may hold a password."""
    with pytest.raises(SettingsError, match="GREENROOM_HTTPS_PROXY") as caught:
        ProviderClient(base_url="https://host", proxy=proxy)
    assert "secret" not in str(caught.value)


def test_a_ca_bundle_that_is_none(tmp_path: Path) -> None:
    """A wrong path or file is refused at the start, not at the first upload."""
    (tmp_path / "empty.pem").write_text("")
    for place in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        with pytest.raises(SettingsError, match="GREENROOM_CA_BUNDLE"):
            ProviderClient(base_url="https://host", ca_bundle=place)


def test_the_environment_is_not_asked(
    stand_in: StartStandIn, client_of: StartClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither its proxies nor its netrc nor its CA bundles count."""
    other, server = stand_in(STORED), stand_in(STORED)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, other.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    (tmp_path / "netrc").write_text("default login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    upload(client_of(server))
    assert other.connections == 0
    assert "authorization" not in server.requests[0].headers


def test_a_given_proxy_is_used(stand_in: StartStandIn, client_of: StartClient) -> None:
    """Plain HTTP is forwarded by the proxy; the API itself is not connected to."""
    proxy, server = stand_in(STORED), stand_in(STORED)
    upload(client_of(server, proxy=proxy.url))
    assert server.connections == 0
    assert proxy.requests[0].target == f"{server.url}/media"


def test_https_goes_through_a_tunnel(stand_in: StartStandIn, client_of: StartClient) -> None:
    """A proxy of HTTPS is asked for a tunnel and sees neither key nor body."""
    proxy = stand_in(reply(502))
    with pytest.raises(ProviderUnavailable):
        upload(client_of("https://waba-v2.360dialog.io", proxy=proxy.url))
    (request,) = proxy.requests
    assert (request.method, request.target) == ("CONNECT", "waba-v2.360dialog.io:443")
    assert "d360-api-key" not in request.headers


# --- TLS


@dataclass(frozen=True, kw_only=True)
class TLSStandIn:
    """An HTTPS server with a certificate of its own authority, for 127.0.0.1 alone."""

    port: int
    authority: Path
    requests: list[Request]


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Greenroom tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    shown, hidden = folder / "authority.pem", folder / "key.pem"
    shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    hidden.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return shown, hidden


@pytest.fixture
def tls_stand_in(tmp_path: Path) -> Iterator[TLSStandIn]:
    """The server, for the length of a test."""
    authority, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    listener = socket.create_server(("127.0.0.1", 0))
    requests: list[Request] = []

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            raw.settimeout(5)
            try:
                with context.wrap_socket(raw, server_side=True) as connection:
                    head, _, rest = connection.recv(1 << 16).partition(b"\r\n\r\n")
                    lines = head.decode().split("\r\n")
                    fields = (line.partition(":") for line in lines[1:])
                    request = Request(
                        method="POST",
                        target=lines[0].split(" ")[1],
                        headers={name.lower(): value.strip() for name, _, value in fields},
                        body=rest,
                    )
                    read_body(connection, request)
                    requests.append(request)
                    write(connection, 200, b'{"id": "1"}', "Connection: close")
            except OSError:
                raw.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield TLSStandIn(port=listener.getsockname()[1], authority=authority, requests=requests)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_tls_with_a_given_authority(tls_stand_in: TLSStandIn, client_of: StartClient) -> None:
    """A file or folder of authorities takes the place of the built-in ones."""
    url = f"https://127.0.0.1:{tls_stand_in.port}"
    assert upload(client_of(url, ca_bundle=tls_stand_in.authority), b"x" * 500_000) == "1"
    assert tls_stand_in.requests[0].headers["d360-api-key"] == KEY.get_secret_value()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_verifies_certificate_and_host(
    tls_stand_in: TLSStandIn, client_of: StartClient, host: str
) -> None:
    """An unknown authority and a wrong host are refused, in words that help; the key is not sent."""
    bundle = tls_stand_in.authority if host == "localhost" else None
    with pytest.raises(ProviderUnavailable, match="certificate"):
        upload(client_of(f"https://{host}:{tls_stand_in.port}", ca_bundle=bundle))
    assert tls_stand_in.requests == []
