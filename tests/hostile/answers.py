"""Answers of a provider gone mad, over a real socket to the real client."""

# ruff: noqa: E501 - a table: one case a line is easier to read and to sort than four

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from greenroom.errors import GreenroomError
from greenroom.provider import ProviderClient, UploadContent
from greenroom.rules import MIB
from tests.hostile.case import Case

KEY = SecretStr("canary-key-7f3a9")
SMALL, LARGE = b"Hello.\n", b"\x07" * 1_000_000
Answering = Callable[[socket.socket], None]


def head(status: int, *headers: str) -> bytes:
    """The beginning of an answer."""
    return "\r\n".join((f"HTTP/1.1 {status} Whatever", *headers)).encode() + b"\r\n\r\n"


def whole(status: int, body: bytes, *headers: str) -> bytes:
    """An answer with its length."""
    return head(status, f"Content-Length: {len(body)}", *headers) + body


def _endless(start: bytes, piece: bytes) -> Answering:
    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(piece)

    return answer


def _serve(listener: socket.socket, answer: Answering | bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, answer), daemon=True).start()


def _answer(connection: socket.socket, answer: Answering | bytes) -> None:
    with connection:
        try:
            while _read_request(connection):
                if isinstance(answer, bytes):
                    connection.sendall(answer)
                else:
                    answer(connection)
                    return
        except OSError:
            return


def _read_request(connection: socket.socket) -> bool:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return False
        data += more
    start, _, body = data.partition(b"\r\n\r\n")
    length = int(start.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or b"0")
    while len(body) < length:
        body += connection.recv(65_536)
    return True


def sent(client: ProviderClient, content: bytes, times: int) -> str:
    """What comes of uploading a file: a media ID, or a typed error in a printable sentence."""
    said = ""
    for number in range(times):
        given = content + str(number).encode()
        upload = UploadContent(
            open=lambda given=given: io.BytesIO(given),  # type: ignore[misc]  # mypy sees no default
            size=len(given),
            sha256=hashlib.sha256(given).hexdigest(),
        )
        try:
            said = "media ID " + client.upload(KEY, content=upload, mime_type="text/plain", file_name="a.txt")
        except GreenroomError as error:
            said = f"{type(error).__name__}: {error}"
        assert said.isprintable()
        assert len(said) < 1_000
        assert KEY.get_secret_value() not in said
    return said


def of(name: str, answer: Answering | bytes, says: str, *, content: bytes = SMALL, times: int = 1) -> Case:
    """A provider that answers so; a large content goes another way than a small one."""

    def prepare(folder: Path) -> Callable[[], str]:  # noqa: ARG001 - nothing is written
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=_serve, args=(listener, answer), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = ProviderClient(base_url=url, read_timeout=1)
        return lambda: sent(client, content, times)

    return Case(kind="answer", name=name, prepare=prepare, says=says)


ID = b'{"id": "1094408688491179"}'
DEEP = b'{"id": ' + b"[" * 20_000
ERROR = json.dumps(
    {"error": {"message": f"\x1b[2J\u202e{KEY.get_secret_value()} " + "x" * 5_000, "code": 10**30}}
)
_LOST = "AnswerLost: "

CASES_OF_ANSWERS = (
    of("a good one", whole(200, ID), "media ID 1094408688491179"),
    of("102 and 103 before it", head(102) + head(103, "Link: </x>") + whole(200, ID), "media ID 1094408688491179"),
    of("101, another protocol", head(101, "Upgrade: x", "Connection: Upgrade"), _LOST),
    of("interim answers without an end", _endless(b"", head(100)), _LOST),
    of("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n", _LOST),
    of("half an answer", head(200, "Content-Length: 26") + ID[:9], _LOST),
    of("no answer", lambda _: None, _LOST),
    of("an endless head", _endless(b"HTTP/1.1 200 OK\r\n", b"X-Long: " + b"x" * 5_000 + b"\r\n"), _LOST),
    of("an endless body", _endless(head(200), b"x" * 65_536), _LOST),
    of("an endless chunk", _endless(head(200, "Transfer-Encoding: chunked") + b"ffffffff\r\n", b"x" * 65_536), _LOST),
    of("a gzip bomb", whole(200, gzip.compress(bytes(100 * MIB)), "Content-Encoding: gzip"), _LOST),
    of("broken gzip", whole(200, b"\x1f\x8bnothing", "Content-Encoding: gzip"), _LOST),
    of("a web page", whole(200, b"<html>OK</html>", "Content-Type: text/html"), _LOST),
    of("JSON, 20,000 deep", whole(200, DEEP), _LOST),
    of("an empty ID", whole(200, b'{"id": ""}'), _LOST),
    of("an ID that is a path", whole(200, b'{"id": "../../x"}'), _LOST),
    of("an ID that drives a terminal", whole(200, b'{"id": "1\\u001b[2J"}'), _LOST),
    of("an ID of 1 MB", whole(200, b'{"id": "' + b"1" * MIB + b'"}'), _LOST),
    of("an ID that is a number", whole(200, b'{"id": 1094408688491179}'), _LOST),
    of("a list of IDs", whole(200, b"[" + ID + b"]"), _LOST),
    of("two lengths", head(200, "Content-Length: 26", "Content-Length: 3") + ID, _LOST),
    of("a length and chunks", head(200, "Content-Length: 3", "Transfer-Encoding: chunked") + b"0\r\n\r\n", _LOST),
    of("an error that holds the key and drives a terminal", whole(400, ERROR.encode()), "RequestRefused: "),
    of("a redirect elsewhere", whole(307, b"", "Location: http://169.254.169.254/latest"), "UploadRedirected: "),
    of("a redirect to itself", whole(307, b"", "Location: /media"), "UploadRedirected: "),
    of("to wait for 10 to the 300 seconds", whole(429, b"{}", "Retry-After: " + "9" * 300), "Throttled: "),
    of("status 999", whole(999, b""), "ProviderUnavailable: "),
    of("102 before it, a large file", head(102) + whole(200, ID), "media ID 1094408688491179", content=LARGE),
    of("an endless body, a large file", _endless(head(200), b"x" * 65_536), _LOST, content=LARGE),
    of("an ID of 1 MB, a large file", whole(200, b'{"id": "' + b"1" * MIB + b'"}'), _LOST, content=LARGE),
)  # fmt: skip
