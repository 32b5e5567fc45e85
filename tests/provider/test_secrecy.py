"""Neither key nor media URL is found in any error, log or representation, whatever goes wrong."""

from __future__ import annotations

import io
import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from greenroom.clock import ManualClock
from greenroom.errors import GreenroomError
from greenroom.provider import MediaLocation, ProviderClient
from greenroom.provider.secrecy import WATCHED_LOGGERS, guard_logs
from tests.provider.conftest import KEY, QUERY, StartClient, StartStandIn, upload
from tests.support.stand_in import Request, StandIn, reply, write

pytestmark = pytest.mark.usefixtures("each_way")

ECHO = (
    f"bad key {KEY.get_secret_value()} at https://lookaside.fbsbx.com/whatsapp_business/attachments/?{QUERY}"
)


def _cut(connection: socket.socket, _: Request) -> None:
    write(connection, 200, b"half", length=8)
    connection.shutdown(socket.SHUT_RDWR)


def _malformed_headers(connection: socket.socket, _: Request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon here\r\nA: b\r\n\r\nno")


def _not_http(connection: socket.socket, _: Request) -> None:
    connection.sendall(b"%b\r\n\r\n" % ECHO.encode())


def _silent(connection: socket.socket, _: Request) -> None:
    while connection.recv(1 << 16):
        pass


SCRIPTS = {
    "hangs up": None,
    "is silent": _silent,
    "cuts short": _cut,
    "malforms headers": _malformed_headers,
    "is not HTTP": _not_http,
    "repeats secrets": reply(400, ECHO),
    "repeats secrets in JSON": reply(401, f'{{"meta": {{"developer_message": "{ECHO}"}}}}'),
    "repeats secrets in a success": reply(200, f'{{"url": "{ECHO}", "id": "{ECHO}", "success": false}}'),
    "redirects with secrets": reply(
        308, "", f"Location: https://evil.example/{KEY.get_secret_value()}?{QUERY}"
    ),
    "redirects for ever": reply(308, "", f"Location: /whatsapp_business/attachments/?{QUERY}"),
    "breaks compression": reply(200, b"x", "Content-Encoding: gzip"),
    "asks to wait a secret": reply(429, ECHO, f"Retry-After: {KEY.get_secret_value()}"),
}


def _location(clock: ManualClock) -> MediaLocation:
    return MediaLocation(
        path_and_query=SecretStr(f"/whatsapp_business/attachments/?{QUERY}"),
        mime_type="image/jpeg",
        sha256="0" * 64,
        size=5,
        valid_until=clock.now() + timedelta(minutes=1),
    )


CALLS: dict[str, Callable[[ProviderClient, ManualClock], object]] = {
    "upload": lambda client, _: upload(client),
    "look-up": lambda client, _: client.media_url(KEY, "12"),
    "download": lambda client, clock: client.download(KEY, _location(clock), io.BytesIO()),
    "delete": lambda client, _: client.delete(KEY, "12"),
}


def everything_in(error: BaseException) -> Iterator[str]:
    """All text that an exception holds, through causes and contexts, however it is printed."""
    yield "".join(traceback.format_exception(error))
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None:
            yield from (str(one), repr(one), repr(one.args), repr(vars(one)))
            waiting += [one.__cause__, one.__context__]


def assert_no_secret(text: str) -> None:
    """Neither of the canaries, in whatever case."""
    assert "canary" not in text.lower()


def assert_bare(error: GreenroomError) -> None:
    """No foreign exception hangs on ours, and no secret is in it."""
    assert error.__cause__ is None
    assert error.__context__ is None
    for text in everything_in(error):
        assert_no_secret(text)


def _failure(call: Callable[[], object]) -> GreenroomError | None:
    try:
        call()
    except GreenroomError as error:
        return error
    return None


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_failure_shows_a_secret(  # noqa: PLR0917  # pytest passes fixtures and cases by name
    stand_in: StartStandIn,
    client_of: StartClient,
    provider_clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    call: str,
    script: str,
) -> None:
    """Each call against each misbehaviour, with all logging on; the error holds no foreign exception."""
    server: StandIn = stand_in(SCRIPTS[script])
    client = client_of(server, read_timeout=0.1)
    with caplog.at_level(logging.DEBUG):
        error = _failure(lambda: CALLS[call](client, provider_clock))
    if error is None:
        assert call == "delete"  # which takes any success for one, even half of its answer
    else:
        assert_bare(error)
    assert_no_secret(caplog.text)
    assert_no_secret(repr(client))


def test_nobody_there(client_of: StartClient, provider_clock: ManualClock) -> None:
    """The exception for a refused connection holds the request in ``requests``; ours does not."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = client_of(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(GreenroomError) as caught:
            client.download(KEY, _location(provider_clock), io.BytesIO())
    assert_bare(caught.value)


def test_debug_logs_stay_useful(
    stand_in: StartStandIn,
    client_of: StartClient,
    provider_clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """urllib3 writes each request's path; the media path remains, its query does not."""
    # The library's own logger: a worker that another test has started in this process quiets it.
    with caplog.at_level(logging.DEBUG, logger="urllib3"), pytest.raises(GreenroomError):
        client_of(stand_in(reply(500))).download(KEY, _location(provider_clock), io.BytesIO())
    assert '"GET /whatsapp_business/attachments/?[redacted] HTTP/1.1" 500' in caplog.text


def test_the_guard_is_put_up_once() -> None:
    """However many clients are made, there is one filter a logger."""
    guard_logs()
    before = [len(logging.getLogger(name).filters) for name in WATCHED_LOGGERS]
    guard_logs()
    assert [len(logging.getLogger(name).filters) for name in WATCHED_LOGGERS] == before
