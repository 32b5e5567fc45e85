"""A gate before the sandbox that speaks TLS, and that may be cut, closed, or show a wrong certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PIECE = 1 << 16
_PATIENCE = 10.0


class Trust(Enum):
    """What the gate shows."""

    GOOD = "good"
    UNKNOWN = "of an authority that nobody knows"
    EXPIRED = "expired"
    OTHER_HOST = "of another host"
    NONE = "plain text"


class Authority:
    """Issues certificates."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            _builder(self._name, self._name, self._key, days=30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_USAGE, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def context(self, folder: Path, host: str, *, days: int = 30) -> ssl.SSLContext:
        """A server's, with a certificate for a host that lasts so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(name, self._name, key, days=days)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(authority_key, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = folder / f"{host}{days}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int
) -> x509.CertificateBuilder:
    ends = datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=60))
        .not_valid_after(ends)
    )


class Gate:
    """Passes on what comes by TLS to a port on this machine, in a thread of its own.

    Attributes:
        url: where it is.
        authority: the file with the certificate of who vouches for it.
        heard_while_distrusted: whether a client sent anything though it was shown something wrong.
    """

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir()
        self._target = port
        authority, stranger = Authority("Chaos"), Authority("Stranger")
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
        self._contexts = {
            Trust.GOOD: authority.context(folder, "localhost"),
            Trust.UNKNOWN: stranger.context(folder, "localhost", days=29),
            Trust.EXPIRED: authority.context(folder, "localhost", days=-1),
            Trust.OTHER_HOST: authority.context(folder, "other.example"),
        }
        self._trust = Trust.GOOD
        self.heard_while_distrusted = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port: int = probe.getsockname()[1]
        self.url = f"https://localhost:{self._port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        self._thread.start()
        self.open()

    def present(self, trust: Trust) -> None:
        """Show this to whoever connects from now on."""
        self.close()
        self._trust = trust
        self.open()

    def cut(self) -> None:
        """End all connections that stand."""
        self._run(self._cut())

    def open(self) -> None:
        """Listen."""
        self._run(self._open())

    def close(self) -> None:
        """Refuse new connections; those that stand go on."""
        self._run(self._close())

    def stop(self) -> None:
        """End it."""
        self.close()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    async def _open(self) -> None:
        context = self._contexts.get(self._trust)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, ssl=context)

    async def _close(self) -> None:
        if self._server is not None:
            # Not its connections, for which newer versions of Python would wait.
            self._server.close()
            self._server = None

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trust = self._trust
        self._writers.add(writer)
        try:
            if trust is not Trust.GOOD:
                # In plain text the client's hello comes, and nothing else.
                told = await reader.read(_PIECE)
                self.heard_while_distrusted |= bool(told) and trust is not Trust.NONE
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(back)
            try:
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            finally:
                self._writers.discard(back)
                back.close()
        except (OSError, ssl.SSLError):
            return
        finally:
            self._writers.discard(writer)
            with suppress(OSError, RuntimeError):
                writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ssl.SSLError):
            while piece := await reader.read(_PIECE):
                writer.write(piece)
                await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.close()
