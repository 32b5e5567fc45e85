"""An answer belongs to the request before it: no file is ever given the media ID of another one.

Every way of sending passes the same table, over real sockets: each case is what a server writes, and what is
to come of the upload. After it, on whatever connection, the next file gets the ID that is its own.
"""

from __future__ import annotations

import gzip
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace

import pytest

from greenroom.clock import boottime
from greenroom.errors import AnswerLost, GreenroomError, MediaGone, ProviderUnavailable, Throttled
from greenroom.provider import ProviderClient, idle_connections
from greenroom.provider.connection_pool import ConnectionPool, RefusedMidway
from greenroom.provider.http_response import HttpResponse
from greenroom.provider.idle_connections import IDLE_SECONDS, IdleSince
from greenroom.provider.origin import Origin
from greenroom.provider.response_parser import MOST_HEADERS
from tests.provider.conftest import KEY, StartClient, StartStandIn, Way, content_of, upload
from tests.support.stand_in import Request, Script, StandIn, deliver, read_body, reply, write

MINE, NEXT = '{"id": "11"}', '{"id": "22"}'
Start = Callable[..., tuple[StandIn, ProviderClient]]


def answer(*headers: str, body: str | bytes = MINE, first: str = "HTTP/1.1 200 OK") -> bytes:
    """An answer as it stands on the wire."""
    content = body.encode() if isinstance(body, str) else body
    return "\r\n".join([first, *headers, "", ""]).encode() + content


def whole(body: str | bytes = MINE, *headers: str, first: str = "HTTP/1.1 200 OK") -> bytes:
    """The same with its length."""
    return answer(f"Content-Length: {len(body)}", *headers, body=body, first=first)


def chunked(*chunks: str, end: str = "0\r\n\r\n") -> bytes:
    """The same in chunks, each as it stands on the wire."""
    return answer("Transfer-Encoding: chunked", body="".join(chunks) + end)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a server does, and what comes of it.

    Attributes:
        name: of the case.
        says: what it writes when it has the whole request.
        greets: what it writes before it has anything.
        ends: whether it hangs up after that.
        becomes: the media ID, or the error.
        keeps: whether the next upload uses the same connection; None where that does not matter.
    """

    name: str
    says: bytes
    greets: bytes = b""
    ends: bool = False
    becomes: str | type[GreenroomError] = "11"
    keeps: bool | None = False


INTERIM = "HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
CASES = (
    Case(name="whole", says=whole(), keeps=True),
    Case(name="100 before it", says=b"HTTP/1.1 100 Continue\r\n\r\n" + whole(), keeps=True),
    Case(name="102 before it", says=INTERIM[0].encode() + whole(), keeps=True),
    Case(name="103 before it", says=INTERIM[1].encode() + whole(), keeps=True),
    Case(name="many before it", says="".join(INTERIM * 20).encode() + whole(), keeps=True),
    Case(name="interim ones without end", says=INTERIM[1].encode() * 2000, becomes=AnswerLost),
    Case(name="interim one alone", says=INTERIM[0].encode(), ends=True, becomes=AnswerLost),
    Case(name="101", says=b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
         ends=True, becomes=AnswerLost),
    Case(name="429 after 103", says=INTERIM[1].encode() + whole(first="HTTP/1.1 429 Slow"),
         becomes=Throttled, keeps=True),
    Case(name="two in one packet", says=whole() + whole(NEXT), becomes=AnswerLost),
    Case(name="429 and another in one packet", says=whole(first="HTTP/1.1 429 Slow") + whole(),
         becomes=AnswerLost),
    Case(name="bytes left after it", says=whole() + b"<!-- proxy -->", becomes=AnswerLost),
    Case(name="an answer before the request", greets=whole(), says=whole(), keeps=True),
    Case(name="half an answer before it", greets=whole()[:20], says=whole(), keeps=True),
    Case(name="length too short", says=answer("Content-Length: 5"), becomes=AnswerLost),
    Case(name="length too long", says=answer("Content-Length: 99"), ends=True, becomes=AnswerLost),
    Case(name="length that is none", says=answer("Content-Length: -12"), becomes=AnswerLost),
    Case(name="two lengths", says=answer("Content-Length: 12", "Content-Length: 13"), becomes=AnswerLost),
    Case(name="no length", says=answer(), ends=True),
    Case(name="nothing", says=b"", ends=True, becomes=AnswerLost),
    Case(name="half a head", says=b"HTTP/1.1 200 OK\r\nConte", ends=True, becomes=AnswerLost),
    Case(name="half a body", says=whole()[:-3], ends=True, becomes=AnswerLost),
    Case(name="half a body of an error", says=whole(first="HTTP/1.1 429 Slow")[:-3], ends=True,
         becomes=Throttled),
    Case(name="204", says=b"HTTP/1.1 204 No Content\r\n\r\n", becomes=AnswerLost, keeps=True),
    Case(name="204 with a body", says=whole(first="HTTP/1.1 204 No"), becomes=AnswerLost),
    Case(name="close", says=whole(MINE, "Connection: close"), ends=True),
    Case(name="close, and it stays", says=whole(MINE, "Connection: close")),
    Case(name="HTTP/1.0", says=whole(first="HTTP/1.0 200 OK")),
    Case(name="HTTP/1.0 without a length", says=answer(first="HTTP/1.0 200 OK"), ends=True),
    Case(name="HTTP/2", says=whole(first="HTTP/2 200 OK"), becomes=AnswerLost),
    Case(name="no HTTP at all", says=b"SSH-2.0-OpenSSH_9.6\r\n" + whole(), becomes=AnswerLost),
    Case(name="chunks", says=chunked('5\r\n{"id"\r\n', '7\r\n: "11"}\r\n'), keeps=True),
    Case(name="chunks with extensions and trailers", keeps=True,
         says=chunked('C;a=b\r\n{"id": "11"}\r\n', end="0\r\nContent-Encoding: br\r\nX: y\r\n\r\n")),
    Case(name="a chunk below zero", says=chunked('-1\r\n{"id": "11"}\r\n'), becomes=AnswerLost),
    Case(name="a chunk of no number", says=chunked('0xC\r\n{"id": "11"}\r\n'), becomes=AnswerLost),
    Case(name="a chunk without end", says=chunked("F" * 17 + "\r\n"), becomes=AnswerLost),
    Case(name="a last chunk that is missing", says=chunked('C\r\n{"id": "11"}\r\n', end=""), ends=True,
         becomes=AnswerLost),
    Case(name="chunks and a length", becomes=AnswerLost,
         says=answer("Transfer-Encoding: chunked", "Content-Length: 12", body="0\r\n\r\n")),
    Case(name="a head without end", says=answer("X: " + "x" * 70_000), becomes=AnswerLost),
    Case(name="headers without end", says=whole(MINE, *["X: y"] * (MOST_HEADERS + 1)), becomes=AnswerLost),
    Case(name="as many headers as may be", says=whole(MINE, *["X: y"] * (MOST_HEADERS - 1)), keeps=True),
    Case(name="compressed", says=whole(gzip.compress(MINE.encode()), "Content-Encoding: gzip"), keeps=True),
    Case(name="a compressed bomb", becomes=AnswerLost, keeps=True,
         says=whole(gzip.compress(b" " * 3_000_000), "Content-Encoding: gzip")),
    Case(name="compressed by nobody knows what", becomes=AnswerLost, keeps=None,
         says=whole(MINE, "Content-Encoding: br")),
    Case(name="NUL in the ID", says=whole('{"id": "1\\u0000"}'), becomes=AnswerLost, keeps=True),
    Case(name="a number of 60,000 digits", says=whole('{"id": %s}' % ("1" * 60_000)), becomes=AnswerLost,
         keeps=True),
    Case(name="deep JSON", says=whole("[" * 60_000), becomes=AnswerLost, keeps=True),
)  # fmt: skip


@pytest.fixture(params=["at once", "streamed", "through a proxy"])
def start(request: pytest.FixtureRequest, stand_in: StartStandIn, client_of: StartClient) -> Iterator[Start]:
    """Starts a server with scripts and its client, which sends one way or the other."""
    Way.later = request.param == "at once"

    def begin(*scripts: Script, greets: bytes = b"") -> tuple[StandIn, ProviderClient]:
        server = stand_in(*scripts)
        server.greets = greets
        if request.param == "through a proxy":
            return server, client_of("http://127.0.0.1:9", proxy=server.url)
        return server, client_of(server)

    yield begin
    Way.later = False


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_next_file_gets_its_own_id(start: Start, case: Case) -> None:
    """Whatever came of the one before."""

    def say(connection: socket.socket, request: Request) -> None:
        read_body(connection, request)
        connection.sendall(case.says)
        if case.ends:
            connection.shutdown(socket.SHUT_RDWR)

    server, client = start(say, reply(200, NEXT), greets=case.greets)
    if isinstance(case.becomes, str):
        assert upload(client, before_sending=server.has_greeted) == case.becomes
    else:
        with pytest.raises(case.becomes) as caught:
            upload(client)
        assert type(caught.value) is case.becomes
    assert upload(client) == "22"
    if case.keeps is not None:
        assert server.connections == (1 if case.keeps else 2) + bool(case.greets)


def test_what_comes_while_a_slot_is_waited_for_is_not_taken(start: Start) -> None:
    """Half a minute may pass between taking a connection and sending on it."""
    speaks, spoke = threading.Event(), threading.Event()

    def say_twice(connection: socket.socket, request: Request) -> None:
        reply(200, MINE)(connection, request)
        speaks.wait(10)
        deliver(connection, whole('{"id": "99"}'))
        spoke.set()

    def wait_for_slot() -> None:
        speaks.set()
        assert spoke.wait(10)

    server, client = start(say_twice, reply(200, NEXT))
    assert upload(client) == "11"
    assert upload(client, before_sending=wait_for_slot) == "22"
    assert server.connections == 2


def test_a_connection_that_ended_while_a_slot_was_waited_for(start: Start) -> None:
    """Nothing is written to it; the file goes out on a new one, in the same slot."""
    ends, ended = threading.Event(), threading.Event()
    sent: list[str] = []

    def cut_off(connection: socket.socket, request: Request) -> None:
        reply(200, MINE)(connection, request)
        ends.wait(10)
        deliver(connection, end=True)
        ended.set()

    def wait_for_slot() -> None:
        ends.set()
        assert ended.wait(10)

    _, client = start(cut_off, reply(200, NEXT))
    assert upload(client) == "11"
    later = upload(client, before_sending=wait_for_slot, after_sending=lambda _late: sent.append("sent"))
    assert later == "22"
    assert sent == ["sent"]


def test_the_first_request_on_a_connection_may_arrive_as_late_as_connecting_took(start: Start) -> None:
    """The other side was as slow a moment before; whoever keeps the pace is told."""
    late: list[float] = []
    _, client = start(reply(200, MINE))
    for _ in range(2):
        upload(client, after_sending=late.append)
    first, second = late
    assert first > 0
    assert second == 0


def test_what_stood_idle_for_long_is_not_written_to(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept, or a process that was stopped, wakes with connections that nobody else knows."""
    server, client = start(reply(200, MINE))
    upload(client)
    upload(client)
    assert server.connections == 1
    later = boottime() + IDLE_SECONDS + 1
    monkeypatch.setattr(idle_connections, "boottime", lambda: later)
    upload(client)
    assert server.connections == 2


@pytest.mark.parametrize(("boot", "wall"), [(1.0, 0.0), (0.0, 1.0)])
def test_how_long_is_seen_on_either_clock(boot: float, wall: float) -> None:
    """A virtual machine that was paused sees by its wall clock alone that time has passed."""
    since = IdleSince()
    assert not since.too_long
    aged = IdleSince(since.boot - boot * IDLE_SECONDS - 1, since.wall - wall * IDLE_SECONDS - 1)
    assert aged.too_long


@pytest.mark.parametrize(
    ("early", "becomes"), [(INTERIM[0].encode(), "22"), (whole(), AnswerLost), (whole()[:17], AnswerLost)]
)
def test_an_answer_cannot_come_before_the_files_end(
    stand_in: StartStandIn, client_of: StartClient, early: bytes, becomes: str | type[GreenroomError]
) -> None:
    """A success for half a file is another file's; an interim answer is none yet."""
    said = threading.Event()

    def say_early(connection: socket.socket, request: Request) -> None:
        deliver(connection, early)
        said.set()
        if becomes != "22":
            connection.sendall(whole()[len(early) :])
        read_body(connection, request)
        connection.sendall(whole(NEXT))

    class Slow(io.BytesIO):
        """Gives the last piece when the server has spoken."""

        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            assert self.tell() < len(data) or said.wait(10)
            return piece

    data = b"x" * 600_000
    server = stand_in(say_early, reply(200, NEXT))
    client = client_of(server)
    content = replace(content_of(data), open=lambda: Slow(data))
    if isinstance(becomes, str):
        assert upload(client, content) == becomes
    else:
        with pytest.raises(becomes):
            upload(client, content)
        assert upload(client) == "22"
        assert server.connections == 2


def test_a_small_file_that_is_answered_before_its_end() -> None:
    """As above, where the system does not take all of it at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        # Little room and a slow reader: else the system takes 50 MB in one call, and nobody looks in between.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        port = server.getsockname()[1]
        lines = ConnectionPool(Origin.parse(f"http://127.0.0.1:{port}"), tls=None, timeout=(10, 10))
        line = lines.connect()
        theirs, _ = server.accept()

        def answer_early() -> None:
            theirs.recv(1)
            theirs.sendall(whole())
            while theirs.recv(1 << 16):
                time.sleep(0.001)

        thread = threading.Thread(target=answer_early)
        with theirs:
            thread.start()
            with pytest.raises(RefusedMidway) as refused:
                lines.send(line, b"x" * 50_000_000)
            result: Future[HttpResponse] = Future()
            lines.wait_for_answer(refused.value.line, result.set_result)
            assert result.result(timeout=10).status == 200
            lines.close()
            thread.join()


def test_a_look_up_is_never_answered_by_another(stand_in: StartStandIn, client_of: StartClient) -> None:
    """A dead ID would be taken for a living one."""
    found = json.dumps({"url": "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1"})

    def hint(connection: socket.socket, _: Request) -> None:
        connection.sendall(INTERIM[1].encode())
        write(connection, 200, found.encode())

    client = client_of(stand_in(hint, reply(404)))
    client.media_url(KEY, "1")
    with pytest.raises(MediaGone):
        client.media_url(KEY, "2")


@pytest.mark.parametrize("says", [whole(json.dumps({"url": "x"}))[:-1], answer("Content-Length: 99")])
def test_half_a_look_up_says_nothing(stand_in: StartStandIn, client_of: StartClient, says: bytes) -> None:
    """It is asked again."""

    def cut(connection: socket.socket, _: Request) -> None:
        connection.sendall(says)
        connection.shutdown(socket.SHUT_RDWR)

    with pytest.raises(ProviderUnavailable):
        client_of(stand_in(cut)).media_url(KEY, "1")


def test_two_answers_to_a_deletion_prove_nothing(stand_in: StartStandIn, client_of: StartClient) -> None:
    """One of them belongs to another request; deleting again is safe."""

    def say_two(connection: socket.socket, _: Request) -> None:
        deliver(connection, whole("{}")[:-2])
        time.sleep(0.1)  # by now the head has been read alone; if it has not, nothing else comes of it
        connection.sendall(b"{}" + whole("{}"))

    with pytest.raises(ProviderUnavailable):
        client_of(stand_in(say_two)).delete(KEY, "1")
