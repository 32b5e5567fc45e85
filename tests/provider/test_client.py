"""The four endpoints over real sockets, and every way in which an exchange breaks."""

from __future__ import annotations

import gc
import gzip
import hashlib
import io
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from greenroom.clock import ManualClock, boottime
from greenroom.errors import (
    AnswerLost,
    ChannelError,
    FileRejected,
    GreenroomError,
    KeyRefused,
    LookupBlocked,
    MediaGone,
    NoSlotInTime,
    ProviderUnavailable,
    RedirectRefused,
    RequestRefused,
    SourceChanged,
    Throttled,
    TransientError,
    UploadRedirected,
)
from greenroom.provider import MediaLocation
from greenroom.provider.redirects import REDIRECTED_SECONDS
from greenroom.provider.response_parser import ResponseParser
from tests.provider.conftest import KEY, QUERY, StartClient, StartStandIn, Way, content_of, stream, upload
from tests.support.stand_in import Request, read_body, reply, write

pytestmark = pytest.mark.usefixtures("each_way")

LARGE = b"\x07" * 30_000_000
STORED = reply(200, '{"id": "1094408688491179"}')
PATH = "/whatsapp_business/attachments/"


def looked_up(**changes: object) -> str:
    """The page's own example of an answer, its slashes escaped as there."""
    body: dict[str, object] = {
        "url": f"https://lookaside.fbsbx.com{PATH}?{QUERY}",
        "mime_type": "image/jpeg",
        "sha256": "417c9a0755aa29d0292178af25ce2dff586cc21c4ef098b3650f1f051fd39f00",
        "file_size": 5848,
        "id": "media_id",
        "messaging_product": "whatsapp",
    }
    return json.dumps(body | changes).replace("/", "\\/")


def location_of(content: bytes | None, clock: ManualClock) -> MediaLocation:
    """Where some content is; without, where nothing is announced."""
    return MediaLocation(
        path_and_query=SecretStr(f"{PATH}?{QUERY}"),
        mime_type="image/jpeg",
        sha256=None if content is None else hashlib.sha256(content).hexdigest(),
        size=None if content is None else len(content),
        valid_until=clock.now() + timedelta(minutes=4),
    )


# --- upload


def test_an_upload_is_the_pages_request(stand_in: StartStandIn, client_of: StartClient) -> None:
    """POST /media with the key, a length and the form; the answer's ID comes back."""
    server = stand_in(STORED)
    assert upload(client_of(server), b"the bytes") == "1094408688491179"
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/media")
    assert request.headers["d360-api-key"] == KEY.get_secret_value()
    assert request.headers["content-length"] == str(len(request.body))
    assert "transfer-encoding" not in request.headers
    assert "cookie" not in request.headers
    assert b"\r\n\r\nwhatsapp\r\n" in request.body
    assert b"\r\n\r\nthe bytes\r\n--" in request.body


@pytest.mark.parametrize(
    ("mime_type", "chosen", "declared"),
    [
        ("audio/ogg", {}, b"audio/ogg; codecs=opus"),
        ("audio/ogg", {"audio/ogg": "audio/ogg"}, b"audio/ogg"),
        ("image/jpeg", {"audio/ogg": "audio/ogg"}, b"image/jpeg"),
        ("video/3gpp", {}, b"video/3gpp"),
    ],
)
@pytest.mark.usefixtures("each_way")
def test_the_exact_type_is_declared(
    stand_in: StartStandIn, client_of: StartClient, mime_type: str, chosen: dict[str, str], declared: bytes
) -> None:
    """Of the part and of the field ``type``: the table's own, or the one that was chosen."""
    server = stand_in(STORED)
    upload(client_of(server, content_types=chosen), mime_type=mime_type)
    body = server.requests[0].body
    assert b"\r\nContent-Type: " + declared + b"\r\n\r\n" in body
    assert b'name="type"\r\n\r\n' + declared + b"\r\n" in body


def test_a_base_url_may_have_a_path(stand_in: StartStandIn, client_of: StartClient) -> None:
    """An API behind a gateway's path is asked there."""
    server = stand_in(STORED)
    upload(client_of(server.url + "/gateway/"))
    assert server.requests[0].target == "/gateway/media"


def test_created_is_a_success_too(stand_in: StartStandIn, client_of: StartClient) -> None:
    """201 is met in the wild."""
    assert upload(client_of(stand_in(reply(201, '{"id": "a-B_9"}')))) == "a-B_9"


def test_the_connection_is_kept(stand_in: StartStandIn, client_of: StartClient) -> None:
    """Uploads one after the other use one connection, after refusals too; no cookie is kept."""
    server = stand_in(STORED, reply(429, "slow down", "Set-Cookie: a=b"), reply(500), STORED)
    client = client_of(server)
    upload(client)
    for error in (Throttled, ProviderUnavailable):
        with pytest.raises(error):
            upload(client)
    upload(client)
    assert server.connections == 1
    assert "cookie" not in server.requests[-1].headers


def test_threads_share_a_client(stand_in: StartStandIn, client_of: StartClient) -> None:
    """Each upload gets its own answer, over no more connections than threads, also from new threads."""

    def echo(connection: socket.socket, request: Request) -> None:
        read_body(connection, request)
        name = request.body.split(b'filename="')[1].split(b'"')[0]
        write(connection, 200, b'{"id": "%b"}' % name)

    server = stand_in(echo)
    client = client_of(server)
    for _ in range(3):
        with ThreadPoolExecutor(4) as threads:
            names = [f"name{number}" for number in range(40)]
            assert list(threads.map(lambda name: upload(client, file_name=name), names)) == names
    assert server.connections <= 5


def test_another_process_gets_its_own_connections(
    stand_in: StartStandIn, client_of: StartClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a fork, which another process number shows, the parent's connections are left alone."""
    server = stand_in(STORED)
    client = client_of(server)
    upload(client)
    sessions, lines = client._streamed._sessions._idle, client._whole._pool._idle
    monkeypatch.setattr("os.getpid", lambda: -1)
    upload(client)
    assert server.connections == 2
    for session, _ in sessions:
        session.close()
    for line in lines:
        line.connection.close()


def test_closing_closes_connections(stand_in: StartStandIn, client_of: StartClient) -> None:
    """After close() the server sees the end of every connection."""
    ends: list[bytes] = []

    def wait_for_end(connection: socket.socket, request: Request) -> None:
        STORED(connection, request)
        ends.append(connection.recv(1))

    server = stand_in(wait_for_end)
    client = client_of(server)
    upload(client)
    client.close()
    server.close()
    assert ends == [b""]


def test_the_slot_is_waited_for_on_a_standing_connection(
    stand_in: StartStandIn, client_of: StartClient
) -> None:
    """When the hook is called the connection stands, and nothing of the request has been sent."""
    server = stand_in(STORED)
    seen: list[tuple[int, int]] = []

    def hook() -> None:
        ready = server.accepted.wait(5)
        seen.append((ready, len(server.requests)))

    upload(client_of(server), before_sending=hook)
    assert seen == [(True, 0)]


def test_without_a_slot_nothing_is_sent(stand_in: StartStandIn, client_of: StartClient) -> None:
    """What the hook raises is passed on, and no byte leaves."""

    def hook() -> None:
        raise NoSlotInTime("far away", retry_after=9)

    server = stand_in(STORED)
    with pytest.raises(NoSlotInTime):
        upload(client_of(server), before_sending=hook)
    assert server.requests == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "OK",
        "{}",
        "[]",
        "null",
        '{"id": null}',
        '{"id": ""}',
        '{"id": 123}',
        '{"id": "a/b"}',
        '{"id": "a b"}',
        '{"id": "../x"}',
        '{"id": "\\u0661"}',
        '{"id": "1\\n"}',
        '{"id": "%s"}' % ("1" * 129),
        '{"id": "1", "pad": "%s"}' % ("x" * 70_000),
        "[" * 60_000,
        "<html></html>",
    ],
)
def test_a_success_without_an_id_is_a_lost_answer(
    stand_in: StartStandIn, client_of: StartClient, body: str
) -> None:
    """The file may have been stored, so it is neither a success nor a plain failure."""
    with pytest.raises(AnswerLost, match="may have been stored"):
        upload(client_of(stand_in(reply(200, body))))


def test_a_lost_answer(stand_in: StartStandIn, client_of: StartClient) -> None:
    """The whole body was sent and the server hung up: it may have been stored."""
    with pytest.raises(AnswerLost, match="may have been stored"):
        upload(client_of(stand_in(None)))


def test_an_answer_cut_short(stand_in: StartStandIn, client_of: StartClient) -> None:
    """The status came and the ID did not."""

    def cut(connection: socket.socket, request: Request) -> None:
        read_body(connection, request)
        write(connection, 200, b'{"id": "12', length=20)
        connection.shutdown(socket.SHUT_RDWR)

    with pytest.raises(AnswerLost):
        upload(client_of(stand_in(cut)))


def test_rubbish_for_an_answer(stand_in: StartStandIn, client_of: StartClient) -> None:
    """Something that is not HTTP may stand for a stored file as well."""

    def rubbish(connection: socket.socket, request: Request) -> None:
        read_body(connection, request)
        connection.sendall(b"\x00\x01\x02 what\r\n\r\n")

    with pytest.raises(AnswerLost):
        upload(client_of(stand_in(rubbish)))


def test_an_answer_in_another_protocol(stand_in: StartStandIn, client_of: StartClient) -> None:
    """Nobody asked for that; and whoever reads answers goes on to read the next one."""

    def switch(connection: socket.socket, request: Request) -> None:
        read_body(connection, request)
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        connection.shutdown(socket.SHUT_RDWR)

    client = client_of(stand_in(switch, reply(200, '{"id": "12"}')))
    with pytest.raises(AnswerLost):
        upload(client)
    assert upload(client) == "12"


def test_a_fault_at_one_answer_costs_no_other(
    stand_in: StartStandIn, client_of: StartClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread reads all answers."""
    if not Way.later:
        pytest.skip("each thread reads its own answer")
    client = client_of(stand_in(reply(200, '{"id": "12"}')))

    def fail(*_: object) -> None:
        monkeypatch.undo()
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr(ResponseParser, "feed", fail)
    with pytest.raises(AnswerLost):
        upload(client)
    assert upload(client) == "12"


def test_an_answer_is_no_work_for_the_garbage_collector(
    stand_in: StartStandIn, client_of: StartClient
) -> None:
    """What has read it goes with it: at 1,000 uploads a second much would pile up."""
    client = client_of(stand_in(reply(200, '{"id": "12"}')))
    upload(client)
    gc.collect()
    gc.disable()
    try:
        upload(client)
        assert not [one for one in gc.get_objects() if isinstance(one, ResponseParser)]
    finally:
        gc.enable()


def test_a_late_answer(stand_in: StartStandIn, client_of: StartClient) -> None:
    """A time-out after the whole body was sent is a lost answer."""

    def silent(connection: socket.socket, request: Request) -> None:
        read_body(connection, request)
        connection.recv(1)  # until the client gives up

    with pytest.raises(AnswerLost, match="in time"):
        upload(client_of(stand_in(silent), read_timeout=0.1))


def test_a_dripping_answer_is_given_up(stand_in: StartStandIn, client_of: StartClient) -> None:
    """An error body that never ends holds nobody up beyond the time-out; its status counts."""

    def drip(connection: socket.socket, request: Request) -> None:
        read_body(connection, request)
        write(connection, 500, b"x", length=60_000)
        while True:
            connection.sendall(b"x")
            connection.settimeout(0.02)
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    with pytest.raises(ProviderUnavailable, match="500"):
        upload(client_of(stand_in(drip), read_timeout=0.1))


def test_nobody_there(client_of: StartClient) -> None:
    """Nothing was sent, so nothing was stored."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = client_of(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(ProviderUnavailable, match="refused"):
            upload(client)


def test_a_name_that_is_none(client_of: StartClient) -> None:
    """A host that cannot be resolved is the moment's fault."""
    with pytest.raises(ProviderUnavailable):
        upload(client_of("https://greenroom.invalid"))


def test_hung_up_in_mid_body(stand_in: StartStandIn, client_of: StartClient) -> None:
    """The server left before it had the whole file: nothing was stored."""

    def cut_off(connection: socket.socket, _: Request) -> None:
        connection.recv(1000)

    with pytest.raises(ProviderUnavailable):
        upload(client_of(stand_in(cut_off)), LARGE)


def test_a_server_that_stops_reading(stand_in: StartStandIn, client_of: StartClient) -> None:
    """A body that nobody takes is given up after the read time-out: nothing was stored."""

    def stall(connection: socket.socket, _: Request) -> None:
        server.hold.wait(10)
        connection.recv(1)

    server = stand_in(stall)
    with pytest.raises(ProviderUnavailable, match="in time"):
        upload(client_of(server, read_timeout=0.2, connect_timeout=60.0), LARGE)
    server.hold.set()


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, KeyRefused), (413, FileRejected), (429, Throttled), (503, ProviderUnavailable)],
)
def test_an_early_answer_counts(
    stand_in: StartStandIn, client_of: StartClient, status: int, error: type[GreenroomError]
) -> None:
    """A server may answer and hang up while a large file is still being sent; its answer is what counts."""

    def early(connection: socket.socket, _: Request) -> None:
        write(connection, status, b"{}", "Retry-After: 7", "Connection: close")
        connection.shutdown(socket.SHUT_RDWR)

    with pytest.raises(error) as caught:
        upload(client_of(stand_in(early)), LARGE)
    assert str(status) in str(caught.value)
    if isinstance(caught.value, TransientError):
        assert caught.value.retry_after == 7


def test_after_an_early_answer_the_connection_is_not_used(
    stand_in: StartStandIn, client_of: StartClient
) -> None:
    """Half a body was sent: what follows would be taken for the other half."""

    def early(connection: socket.socket, _: Request) -> None:
        write(connection, 429, b"{}")
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1 << 20)

    server = stand_in(early, STORED)
    client = client_of(server)
    with pytest.raises(Throttled):
        upload(client, LARGE)
    assert upload(client) == "1094408688491179"
    assert server.connections == 2


def test_a_changed_file_is_never_uploaded(stand_in: StartStandIn, client_of: StartClient) -> None:
    """The server gets less than was announced, hangs up, and the next upload works."""
    ended = threading.Event()

    def read_to_the_end(connection: socket.socket, request: Request) -> None:
        read_body(connection, request)
        ended.set()

    server = stand_in(read_to_the_end, STORED)
    client = client_of(server)
    content = content_of(b"a" * 500_000)
    with pytest.raises(SourceChanged):
        upload(client, replace(content, open=lambda: io.BytesIO(b"b" * 500_000)))
    assert ended.wait(5)
    (request,) = server.requests
    assert 0 < len(request.body) < int(request.headers["content-length"])
    assert upload(client) == "1094408688491179"


# --- redirects


def test_a_permanent_redirect_keeps_method_and_body(stand_in: StartStandIn, client_of: StartClient) -> None:
    """The page mentions 308; within the API the same upload is sent again, and takes a slot again."""
    server = stand_in(reply(308, "", "Location: /v2/media"), STORED)
    slots: list[int] = []
    assert stream(client_of(server), b"the bytes", before_sending=lambda: slots.append(1))
    first, second = server.requests
    assert (second.method, second.target) == ("POST", "/v2/media")
    assert second.body == first.body
    assert second.headers["d360-api-key"] == KEY.get_secret_value()
    assert len(slots) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_look_up_follows_any_redirect_to_its_own_host(
    stand_in: StartStandIn, client_of: StartClient, status: int
) -> None:
    """A GET stays a GET, so it can follow them all."""
    server = stand_in(reply(status, "", "Location: /v2/12"), reply(200, looked_up()))
    assert client_of(server).media_url(KEY, "12").mime_type == "image/jpeg"
    assert server.requests[1].target == "/v2/12"


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_changes_the_method(
    stand_in: StartStandIn, client_of: StartClient, status: int
) -> None:
    """An upload or a deletion must not turn into something else."""
    server = stand_in(reply(status, "", "Location: /v2"))
    with pytest.raises(UploadRedirected):
        stream(client_of(server))
    with pytest.raises(RedirectRefused):
        client_of(server).delete(KEY, "12")
    assert [request.target for request in server.requests] == ["/media", "/12"]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{other}/media",
        "//127.0.0.1:{other}/media",
        "http://localhost:{home}/media",
        "https://127.0.0.1:{home}/media",
        "http://127.0.0.1:{home}@127.0.0.1:{other}/media",
        "http://127.0.0.1:{other}\\@127.0.0.1:{home}/media",
        "http://user@127.0.0.1:{home}/media",
        "HTTP://127.0.0.1:{other}/",
        "http://127.0.0.1:{other}#@127.0.0.1:{home}/",
        "http://[::1]:{home}/media",
        "http://127.0.0.1:99999/",
        "http://[/",
        "file:///etc/passwd",
        "",
    ],
)
@pytest.mark.parametrize("status", [302, 308])
def test_the_key_never_goes_elsewhere(
    stand_in: StartStandIn, client_of: StartClient, location: str, status: int
) -> None:
    """A redirect to another host, port, scheme or user is refused; the other server hears nothing."""
    other = stand_in(STORED)
    header = location.format(other=other.port, home="{home}")
    home = stand_in(STORED)
    header = header.format(home=home.port)
    home.scripts = [reply(status, "", f"Location: {header}" if header else "X-Nothing: x")]
    client = client_of(home)
    if status == 308:
        with pytest.raises(UploadRedirected):
            stream(client)
    with pytest.raises(RedirectRefused):
        client.media_url(KEY, "12")
    assert other.connections == 0
    assert len(home.requests) <= 2


def test_a_file_sent_at_once_is_sent_the_other_way_when_it_is_redirected(
    stand_in: StartStandIn, client_of: StartClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way follows redirects, which take a slot of their own; further files take it for a while."""
    server = stand_in(reply(308, "", "Location: /v2/media"), STORED)
    client = client_of(server)
    assert client.sends_at_once(10)
    assert upload(client) == "1094408688491179"
    upload(client)
    assert not client.sends_at_once(10)
    later = boottime() + REDIRECTED_SECONDS
    monkeypatch.setattr("greenroom.provider.client.boottime", lambda: later)
    assert client.sends_at_once(10)


def test_for_as_long_as_uploads_are_redirected_they_go_the_way_that_follows(
    stand_in: StartStandIn, client_of: StartClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each redirect counts anew, so that no file is sent in vain while they last."""
    moved = reply(308, "", "Location: /v2/media")
    client = client_of(stand_in(moved, STORED, moved, STORED, STORED))
    now = boottime()
    monkeypatch.setattr("greenroom.provider.client.boottime", lambda: now)
    for _ in range(2):
        stream(client)
        now += REDIRECTED_SECONDS - 1
        assert not client.sends_at_once(10)
    stream(client)
    now += 2
    assert client.sends_at_once(10)


def test_redirects_end(stand_in: StartStandIn, client_of: StartClient) -> None:
    """Three are followed, no more."""
    server = stand_in(reply(308, "", "Location: /media"))
    with pytest.raises(UploadRedirected, match="more than 3"):
        stream(client_of(server))
    assert len(server.requests) == 4


def test_after_a_redirect_it_is_known_what_was_sent(stand_in: StartStandIn, client_of: StartClient) -> None:
    """A first request sent whole does not make the second one, cut off, a lost answer."""

    def redirect_and_leave(connection: socket.socket, request: Request) -> None:
        read_body(connection, request)
        server.stop_accepting()
        write(connection, 308, b"", "Location: /v2", "Connection: close")

    server = stand_in(redirect_and_leave)
    with pytest.raises(ProviderUnavailable):
        upload(client_of(server))


# --- look-up


def test_a_location(stand_in: StartStandIn, client_of: StartClient, provider_clock: ManualClock) -> None:
    """GET /{media-id}; the page's own example is understood, and is valid for less than 5 minutes."""
    server = stand_in(reply(200, looked_up()))
    location = client_of(server).media_url(KEY, "1892054061371916")
    (request,) = server.requests
    assert (request.method, request.target) == ("GET", "/1892054061371916")
    assert request.headers["d360-api-key"] == KEY.get_secret_value()
    assert location.path_and_query.get_secret_value() == f"{PATH}?{QUERY}"
    assert location.size == 5848
    assert location.sha256 == "417c9a0755aa29d0292178af25ce2dff586cc21c4ef098b3650f1f051fd39f00"
    assert timedelta(minutes=4) < location.valid_until - provider_clock.now() < timedelta(minutes=5)
    assert "canary" not in repr(location)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": None, "file_size": None, "mime_type": None},
        {"sha256": "abc", "file_size": "many", "mime_type": 7},
        {"sha256": 5, "file_size": True},
        {"file_size": -1},
        {"file_size": 10**15},
        {"file_size": 10**4000},
    ],
)
def test_a_location_with_less(
    stand_in: StartStandIn, client_of: StartClient, changes: dict[str, object]
) -> None:
    """What the provider leaves out or garbles is not made up."""
    location = client_of(stand_in(reply(200, looked_up(**changes)))).media_url(KEY, "1")
    assert location.size is None
    assert location.sha256 is None or "sha256" not in changes


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "https://evil.example/whatsapp_business/attachments/?mid=1",
        "https://lookaside.fbsbx.com.evil.example/whatsapp_business/attachments/?mid=1",
        "http://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
        "https://lookaside.fbsbx.com:8443/whatsapp_business/attachments/?mid=1",
        "https://user@lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
        "https://lookaside.fbsbx.com/media?mid=1",
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/../../media?mid=1",
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/x?mid=1",
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/",
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1 HTTP/1.1",
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1\r\nX-Evil: 1",
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=\u00e9",
        "https://[lookaside.fbsbx.com/",
    ],
)
def test_a_location_that_is_none(stand_in: StartStandIn, client_of: StartClient, url: object) -> None:
    """A URL the page does not know is refused, not asked and not quoted."""
    server = stand_in(reply(200, json.dumps({"url": url})))
    with pytest.raises(RequestRefused) as caught:
        client_of(server).media_url(KEY, "1")
    assert "mid=" not in str(caught.value)
    assert len(server.requests) == 1


def test_a_location_at_the_api_itself(stand_in: StartStandIn, client_of: StartClient) -> None:
    """A provider that has replaced the host already is understood as well."""
    server = stand_in(STORED)
    server.scripts = [reply(200, looked_up(url=f"{server.url}{PATH}?{QUERY}"))]
    assert client_of(server).media_url(KEY, "1").path_and_query.get_secret_value().endswith(QUERY)


@pytest.mark.parametrize("media_id", ["", "a/b", "..", "1?x=1", "1#", "1 2", "1\r\n", "é", "%2e", "1" * 201])
def test_a_media_id_that_is_none(stand_in: StartStandIn, client_of: StartClient, media_id: str) -> None:
    """Nothing is put into a path that could lead elsewhere."""
    server = stand_in(STORED)
    with pytest.raises(RequestRefused):
        client_of(server).media_url(KEY, media_id)
    with pytest.raises(RequestRefused):
        client_of(server).delete(KEY, media_id)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (reply(403), LookupBlocked),
        (reply(404), MediaGone),
        (reply(400), RequestRefused),
        (reply(200, "not JSON"), ProviderUnavailable),
        (None, ProviderUnavailable),
    ],
)
def test_a_failed_look_up(
    stand_in: StartStandIn, client_of: StartClient, script: object, error: type[GreenroomError]
) -> None:
    """A look-up stores nothing, so its answer cannot be lost in a way that matters."""
    with pytest.raises(GreenroomError) as caught:
        client_of(stand_in(script)).media_url(KEY, "1")
    assert type(caught.value) is error


# --- download


def test_a_download(stand_in: StartStandIn, client_of: StartClient, provider_clock: ManualClock) -> None:
    """The path and query are asked at the API's host, with the key; size and SHA-256 are counted."""
    server = stand_in(reply(200, LARGE))
    into = io.BytesIO()
    got = client_of(server).download(KEY, location_of(LARGE, provider_clock), into)
    assert (got.size, got.sha256) == (len(LARGE), hashlib.sha256(LARGE).hexdigest())
    assert into.getvalue() == LARGE
    assert server.requests[0].target == f"{PATH}?{QUERY}"
    assert server.requests[0].headers["d360-api-key"] == KEY.get_secret_value()


def test_a_compressed_download(
    stand_in: StartStandIn, client_of: StartClient, provider_clock: ManualClock
) -> None:
    """A server that compresses unasked (the page's hint on ``--compressed``) is understood."""
    server = stand_in(reply(200, gzip.compress(LARGE), "Content-Encoding: gzip"))
    into = io.BytesIO()
    assert client_of(server).download(KEY, location_of(LARGE, provider_clock), into).size == len(LARGE)
    assert into.getvalue() == LARGE


@pytest.mark.parametrize("headers", [(), ("Content-Encoding: gzip",)])
def test_a_download_is_bounded(
    stand_in: StartStandIn, client_of: StartClient, provider_clock: ManualClock, headers: tuple[str, ...]
) -> None:
    """No more than ``max_bytes`` are written, plain or unpacked."""
    body = gzip.compress(LARGE) if headers else LARGE
    into = io.BytesIO()
    with pytest.raises(RequestRefused, match="1,000"):
        client_of(stand_in(reply(200, body, *headers))).download(
            KEY, location_of(None, provider_clock), into, max_bytes=1000
        )
    assert len(into.getvalue()) <= 1000


def test_a_download_cut_short(
    stand_in: StartStandIn, client_of: StartClient, provider_clock: ManualClock
) -> None:
    """Fewer bytes than the answer announced are an error, even where the location announced none."""

    def cut(connection: socket.socket, _: Request) -> None:
        write(connection, 200, b"half", length=8)
        connection.shutdown(socket.SHUT_RDWR)

    with pytest.raises(ProviderUnavailable, match="cut short"):
        client_of(stand_in(cut)).download(KEY, location_of(None, provider_clock), io.BytesIO())


@pytest.mark.parametrize("body", [b"other bytes!", b"shorter", b""])
def test_a_download_of_something_else(
    stand_in: StartStandIn, client_of: StartClient, provider_clock: ManualClock, body: bytes
) -> None:
    """What the location announced must be what comes."""
    with pytest.raises(ProviderUnavailable, match="announced"):
        client_of(stand_in(reply(200, body))).download(
            KEY, location_of(b"right bytes!", provider_clock), io.BytesIO()
        )


def test_a_download_that_does_not_unpack(
    stand_in: StartStandIn, client_of: StartClient, provider_clock: ManualClock
) -> None:
    """Rubbish under a Content-Encoding is a broken transfer."""
    server = stand_in(reply(200, b"rubbish", "Content-Encoding: gzip"))
    with pytest.raises(ProviderUnavailable, match="decompressed"):
        client_of(server).download(KEY, location_of(None, provider_clock), io.BytesIO())


def test_a_location_too_old(
    stand_in: StartStandIn, client_of: StartClient, provider_clock: ManualClock
) -> None:
    """After its 5 minutes nothing is asked; the caller is told to ask for a new location."""
    server = stand_in(reply(200))
    location = location_of(b"", provider_clock)
    provider_clock.advance(timedelta(minutes=5))
    with pytest.raises(TransientError, match="ask for a new one"):
        client_of(server).download(KEY, location, io.BytesIO())
    assert server.connections == 0


# --- delete


@pytest.mark.parametrize(
    ("script", "now"),
    [
        (reply(200, '{"success": true}'), True),
        (reply(204), True),
        (reply(404), False),
        (reply(400, '{"error": {"code": 100, "message": "Object does not exist"}}'), False),
    ],
)
def test_a_deletion(stand_in: StartStandIn, client_of: StartClient, script: object, now: object) -> None:
    """Deleted now or gone before: both are done."""
    server = stand_in(script)
    assert client_of(server).delete(KEY, "12") is now
    assert (server.requests[0].method, server.requests[0].target) == ("DELETE", "/12")


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (reply(200, '{"success": false}'), RequestRefused),
        (reply(401), KeyRefused),
        (reply(429), Throttled),
        (reply(502), ProviderUnavailable),
        (None, ProviderUnavailable),
    ],
)
def test_a_failed_deletion(
    stand_in: StartStandIn, client_of: StartClient, script: object, error: type[GreenroomError]
) -> None:
    """Deleting again is safe, so a lost answer is the moment's fault."""
    with pytest.raises(error):
        client_of(stand_in(script)).delete(KEY, "12")


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX-Evil: 1", "schlüssel", "a\x00"])
def test_a_key_that_is_none(stand_in: StartStandIn, client_of: StartClient, key: str) -> None:
    """A key that cannot stand in a header is the channel's fault, and is not shown."""
    server = stand_in(STORED)
    with pytest.raises(ChannelError) as caught:
        client_of(server).delete(SecretStr(key), "12")
    assert not key or key not in str(caught.value)
    assert server.connections == 0
