"""A plain HTTP caller for the sandbox's tests: the page's curl examples, nothing of our client."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests

JPEG = "image/jpeg"
BOUNDARY = "a-boundary-that-no-file-holds"
_PIECE = 256 * 1024


class ZeroBody:
    """A multipart body around a file of zero bytes, streamed with a known length."""

    def __init__(self, size: int, mime_type: str, *, head: bytes = b"") -> None:
        self._before = form_field("messaging_product", "whatsapp") + file_head(mime_type) + head
        self._zeros = size - len(head)
        self._after = f"\r\n--{BOUNDARY}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._before) + self._zeros + len(self._after)

    def __iter__(self) -> Iterator[bytes]:
        yield self._before
        for start in range(0, self._zeros, _PIECE):
            yield bytes(min(_PIECE, self._zeros - start))
        yield self._after


class Caller:
    """One phone number's caller."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.api_key = api_key
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["D360-API-KEY"] = api_key

    def upload(
        self,
        content: bytes = b"some bytes",
        mime_type: str = JPEG,
        *,
        fields: dict[str, str] | None = None,
    ) -> requests.Response:
        """The page's request example for an upload."""
        return self.session.post(
            self.url + "/media",
            data={"messaging_product": "whatsapp"} if fields is None else fields,
            files={"file": ("file.bin", content, mime_type)},
            timeout=30,
        )

    def uploaded(self, content: bytes = b"some bytes", mime_type: str = JPEG) -> str:
        """The media ID of an upload that must succeed."""
        answer = self.upload(content, mime_type)
        assert answer.status_code == 200, answer.text
        media_id: str = answer.json()["id"]
        return media_id

    def upload_zeros(self, size: int, mime_type: str, *, head: bytes = b"") -> requests.Response:
        """Upload that many bytes, nearly all zero, without holding them."""
        return self.session.post(
            self.url + "/media",
            data=ZeroBody(size, mime_type, head=head),
            headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
            timeout=30,
        )

    def media_url(self, media_id: str) -> requests.Response:
        """GET /{media-id}."""
        return self.session.get(f"{self.url}/{media_id}", timeout=30)

    def link(self, media_id: str) -> str:
        """A media URL whose root was replaced by the API's, as the page tells people to."""
        link: str = self.media_url(media_id).json()["url"]
        return link.replace("https://lookaside.fbsbx.com", self.url)

    def get(self, url: str) -> requests.Response:
        """GET any URL with the key."""
        return self.session.get(url, timeout=30)

    def delete(self, media_id: str) -> requests.Response:
        """DELETE /{media-id}."""
        return self.session.delete(f"{self.url}/{media_id}", timeout=30)

    def control(self, name: str, body: Any = None) -> requests.Response:
        """Ask or command one of the sandbox's own endpoints."""
        if body is None:
            return self.session.get(f"{self.url}/_sandbox/{name}", timeout=30)
        return self.session.post(f"{self.url}/_sandbox/{name}", json=body, timeout=30)

    def stats(self) -> dict[str, Any]:
        """This number's counts."""
        counts: dict[str, Any] = self.control("stats").json()[self.api_key]
        return counts


def form_field(name: str, value: str) -> bytes:
    """One part of a form with its leading boundary."""
    return (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n').encode()


def file_head(mime_type: str | None) -> bytes:
    """The head of the file part."""
    type_line = "" if mime_type is None else f"Content-Type: {mime_type}\r\n"
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n{type_line}\r\n'
    ).encode()


def raw_upload(api_key: str, *, content: bytes = b"x", last: bool = True, more_headers: str = "") -> bytes:
    """A whole upload request as bytes, for raw sockets."""
    body = form_field("messaging_product", "whatsapp") + file_head(JPEG) + content
    body += f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST /media HTTP/1.1\r\nHost: sandbox\r\nD360-API-KEY: {api_key}\r\n{more_headers}"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n"
        + ("Connection: close\r\n\r\n" if last else "\r\n")
    )
    return head.encode() + body


def connect(url: str) -> socket.socket:
    """A raw connection to the sandbox."""
    address = urlsplit(url)
    assert address.hostname is not None
    return socket.create_connection((address.hostname, address.port or 80), timeout=30)


def read_all(connection: socket.socket) -> bytes:
    """All bytes until the other side closes."""
    found = b""
    while piece := connection.recv(65536):
        found += piece
    return found


def burst(url: str, api_key: str, count: int) -> list[int]:
    """The statuses of so many uploads, sent in one go on one connection."""
    requests_ = b"".join(raw_upload(api_key, last=number == count - 1) for number in range(count))
    with connect(url) as connection:
        connection.sendall(requests_)
        answers = read_all(connection)
    return [int(piece[:3]) for piece in answers.split(b"HTTP/1.1 ")[1:]]


def error_of(answer: requests.Response) -> dict[str, Any]:
    """The error object of an answer, checked for Meta's documented format."""
    body = answer.json()
    assert body.keys() == {"error"}
    error: dict[str, Any] = body["error"]
    assert {"message", "type", "code", "fbtrace_id"} <= error.keys()
    return error
