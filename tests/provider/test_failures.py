"""Every way in which an upload fails at the provider: what it becomes, and whether it costs an attempt."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from greenroom.errors import (
    AnswerLost,
    GreenroomError,
    KeyRefused,
    ProviderAway,
    ProviderUnavailable,
    RequestRefused,
    Throttled,
    UploadRedirected,
)
from greenroom.provider.error_table import LONGEST_WAIT_SECONDS
from tasks.uploading.completion import _is_charged
from tests.provider.conftest import StartClient, StartStandIn, content_of, upload
from tests.support.stand_in import Request, Script, read_body, reply, write

pytestmark = pytest.mark.usefixtures("each_way")
MOST_ATTEMPTS = 10
LARGE = 200_000


def reset(connection: socket.socket) -> None:
    """Hang up as a server that crashes does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def reset_at_once(connection: socket.socket, _: Request) -> None:
    """When the head of the request is there."""
    reset(connection)


def reset_after_the_body(connection: socket.socket, request: Request) -> None:
    """When the whole request is there."""
    read_body(connection, request)
    reset(connection)


def reset_in_the_answer(connection: socket.socket, request: Request) -> None:
    """When half of the answer is sent."""
    read_body(connection, request)
    write(connection, 200, b'{"id": "1', length=12)
    connection.shutdown(socket.SHUT_WR)


def silent(connection: socket.socket, request: Request) -> None:
    """Say nothing until the client gives up."""
    read_body(connection, request)
    connection.recv(1)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a server does, and what comes of it.

    Attributes:
        name: of the case.
        does: what the server does.
        becomes: the error.
        wait: seconds that it asks for.
        charged: whether that burns one of the file's last attempts.
    """

    name: str
    does: Script | None
    becomes: type[GreenroomError] | tuple[type[GreenroomError], ...]
    wait: float | None = None
    charged: bool


HTML = "<!DOCTYPE html><html><head><title>Away</title></head></html>"
CASES = (
    Case(name="500", does=reply(500), becomes=ProviderUnavailable, charged=True),
    Case(name="500 of HTML", does=reply(500, HTML), becomes=ProviderUnavailable, charged=True),
    Case(name="500 and when", does=reply(500, "", "Retry-After: 7"), becomes=ProviderUnavailable,
         wait=7, charged=True),
    Case(name="502", does=reply(502, HTML), becomes=ProviderAway, charged=False),
    Case(name="503", does=reply(503), becomes=ProviderAway, charged=False),
    Case(name="503 and when", does=reply(503, "", "Retry-After: 120"), becomes=ProviderAway, wait=120,
         charged=False),
    Case(name="a redirect elsewhere", does=reply(302, "", "Location: http://portal.example/"),
         becomes=(ProviderAway, UploadRedirected), charged=False),
    Case(name="504", does=reply(504), becomes=AnswerLost, charged=True),
    Case(name="429", does=reply(429), becomes=Throttled, charged=False),
    Case(name="429 and when", does=reply(429, "", "Retry-After: 3"), becomes=Throttled, wait=3,
         charged=False),
    Case(name="429 and when, absurdly", does=reply(429, "", f"Retry-After: {'9' * 90}"),
         becomes=Throttled, wait=LONGEST_WAIT_SECONDS, charged=False),
    Case(name="429 and a day that no calendar has", becomes=Throttled, charged=False,
         does=reply(429, "", "Retry-After: Wed, 99 Foo 99999 99:99:99 GMT")),
    Case(name="503 and the end of the calendar", becomes=ProviderAway, wait=LONGEST_WAIT_SECONDS,
         does=reply(503, "", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"), charged=False),
    Case(name="429 and a wait without end", does=reply(429, "", f"Retry-After: {'9' * 9000}"),
         becomes=Throttled, charged=False),
    Case(name="401", does=reply(401), becomes=KeyRefused, charged=False),
    Case(name="418", does=reply(418), becomes=RequestRefused, charged=False),
    Case(name="a reset at once", does=reset_at_once, becomes=(ProviderUnavailable, AnswerLost),
         charged=True),
    Case(name="a reset after the body", does=reset_after_the_body, becomes=AnswerLost, charged=True),
    Case(name="a reset in the answer", does=reset_in_the_answer, becomes=AnswerLost, charged=True),
    Case(name="no answer", does=silent, becomes=AnswerLost, charged=True),
    Case(name="an end instead of an answer", does=None, becomes=AnswerLost, charged=True),
    Case(name="HTML for a success", does=reply(200, HTML), becomes=AnswerLost, charged=True),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_failure_is_told_apart(stand_in: StartStandIn, client_of: StartClient, case: Case) -> None:
    """By its type, which says what is done; and what every file would meet is charged to none."""
    with pytest.raises(case.becomes) as caught:
        upload(client_of(stand_in(case.does), read_timeout=1.0), content_of(b"x" * LARGE))
    kinds = case.becomes if isinstance(case.becomes, tuple) else (case.becomes,)
    assert type(caught.value) in kinds
    assert getattr(caught.value, "retry_after", None) == case.wait
    last = MOST_ATTEMPTS - 1
    assert _is_charged(caught.value, last, max_attempts=MOST_ATTEMPTS) is case.charged
    heard = case.name[0].isdigit()
    assert caught.value.answered_by == ("upload" if heard else "")


def _nobody_there(client_of: StartClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        upload(client_of(f"http://127.0.0.1:{unused.getsockname()[1]}"))


def _no_such_name(client_of: StartClient) -> None:
    upload(client_of("https://greenroom.invalid"))


@pytest.mark.parametrize("ask", [_nobody_there, _no_such_name])
def test_no_connection_is_charged_to_no_file(
    client_of: StartClient, ask: Callable[[StartClient], None]
) -> None:
    """Certificates and proxies, which are told apart in `test_tls`, too."""
    with pytest.raises(ProviderAway) as caught:
        ask(client_of)
    assert not _is_charged(caught.value, MOST_ATTEMPTS // 2, max_attempts=MOST_ATTEMPTS)
