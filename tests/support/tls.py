"""An authority of our own, its certificates, and a proxy that makes tunnels: for what happens over TLS."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import select
import socket
import ssl
import stat
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_CN_OID = bytes.fromhex("0603550403")


class Authority:
    """Signs certificates for 127.0.0.1.

    Attributes:
        bundle: a file with its certificate.
        folder: a folder with it, under the name by which OpenSSL looks for it.
        context: of a server that has a certificate of this authority.
    """

    def __init__(self, place: Path, name: str = "greenroom tests") -> None:
        """Make all files in a folder that is empty."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        authority = _builder(issuer, issuer, key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        pem = authority.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        self.bundle = place / "authority.pem"
        self.bundle.write_bytes(pem)
        self.folder = place / "authorities"
        self.folder.mkdir()
        (self.folder / f"{_hash_of(name)}.0").write_bytes(pem)
        self.context = self._server(place, key, issuer)

    @staticmethod
    def _server(place: Path, issuer_key: ec.EllipticCurvePrivateKey, issuer: x509.Name) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        certificate = (
            _builder(subject, issuer, key.public_key())
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(issuer_key, hashes.SHA256())
        )
        both = place / "server.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        both.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _hash_of(common_name: str) -> str:
    """What OpenSSL calls the hash of a name that is a common name alone (X509_NAME_hash)."""

    def tagged(tag: int, content: bytes) -> bytes:
        return bytes([tag, len(content)]) + content

    canonical = " ".join(common_name.lower().split()).encode()
    of_set = tagged(0x31, tagged(0x30, _CN_OID + tagged(0x0C, canonical)))
    digest = hashlib.sha1(of_set).digest()  # noqa: S324 - OpenSSL's own choice
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


class TunnelProxy:
    """A proxy that connects to wherever CONNECT names.

    Attributes:
        url: its address.
        asked: the first lines of what it was asked.
    """

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.asked: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1 << 16)
        first = head.split(b"\r\n")[0].decode()
        self.asked.append(first)
        host, _, port = first.split()[1].partition(":")
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()
        client.close()
        server.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # either side hung up


def await_arrival(url: str, *, seconds: float = 10) -> None:
    """Wait until there is something to be read on a connection of this process to an address.

    What was sent has not arrived yet, not even within one machine.
    """
    give_up_at, port = time.monotonic() + seconds, urlsplit(url).port
    while time.monotonic() < give_up_at:
        if any(_has_come(port, int(each.name)) for each in Path("/proc/self/fd").iterdir()):
            return
        time.sleep(0.001)
    raise TimeoutError(f"nothing came from {url}")


def _has_come(port: int | None, handle: int) -> bool:
    with suppress(OSError, IndexError):  # gone by now; a listening one; not of the internet
        if stat.S_ISSOCK(os.fstat(handle).st_mode):
            with socket.socket(fileno=os.dup(handle)) as connection:
                ours = connection.getpeername()[1] == port
                return ours and bool(select.select([connection], [], [], 0)[0])
    return False
