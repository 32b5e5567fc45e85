"""Stores that lie, lead elsewhere or never end: their file is away, and what reads it has its bounds."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError, SourceUnavailable
from greenroom.rules import MIB
from greenroom.sources import Sources
from greenroom.sources.allowed_stores import parse_stores
from greenroom.sources.stores import Stores
from greenroom.stores.process import StoreProcess
from tests.sources.test_hostile_servers import Handler, Recorder, running, say

pytestmark = pytest.mark.xdist_group("stores")

Answer = Callable[[BaseHTTPRequestHandler], None]
HERO = "s3://campaigns/hero.jpg"


class WithHead(Handler):
    """Answers HEAD, too."""

    protocol_version = "HTTP/1.1"
    do_HEAD = Handler.do_GET  # noqa: N815 - so the library wants it


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """What says that it speaks S3."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with running(Recorder()) as one:
        one.RequestHandlerClass = WithHead
        yield one


@pytest.fixture(scope="module")
def process() -> Iterator[StoreProcess]:
    """One for all tests, with the environment of the first."""
    one = StoreProcess(idle_seconds=600)
    yield one
    one.close()


@pytest.fixture
def fresh_process() -> Iterator[StoreProcess]:
    """One with the environment of its test."""
    one = StoreProcess()
    yield one
    one.close()


def sources_of(store: Recorder, process: StoreProcess) -> Sources:
    """The store, allowed."""
    allowed = parse_stores(f"s3://campaigns/=http://127.0.0.1:{store.server_port}")
    return Sources(stores=Stores(allowed, process=process))


def read(store: Recorder, process: StoreProcess) -> bytes:
    """Its file."""
    with sources_of(store, process).copy(HERO) as path:
        return path.read_bytes()


@pytest.mark.parametrize(
    ("status", "header", "value"),
    [
        (301, "Location", "http://{}/hero.jpg"),
        (301, "x_amz_bucket_region", "@{}/#"),
    ],
)
def test_a_redirect_is_not_followed(
    store: Recorder, process: StoreProcess, status: int, header: str, value: str
) -> None:
    """Whoever answers for a store does not choose whom workers ask."""
    with running(Recorder()) as inside:
        where = f"127.0.0.1:{inside.server_port}"
        store.answer = say(b"", status, **{header: value.format(where)})
        with pytest.raises(GreenroomError) as caught:
            read(store, process)
        assert "canary" not in str(caught.value)
        assert inside.connections == 0


#: MiB of an answer to the question for ten bytes: an end of which nobody waits for. Without a bound, the
#: process that reads would take all of it, and have the memory for it.
LONG = 300
#: MiB of which so many may have been sent: three tries, each with what lies in the network's buffers.
TAKEN = 200


def far_too_long(sent: list[int], **headers: str) -> Answer:
    """What says that it has ten bytes, and goes on; each MiB that was sent is noted."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(206)
        for name, value in {"ETag": '"1"', "Transfer-Encoding": "chunked", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        with suppress(OSError):
            for _ in range(LONG):
                handler.wfile.write(b"100000\r\n" + bytes(MIB) + b"\r\n")
                sent.append(MIB)
            handler.wfile.write(b"0\r\n\r\n")

    return answer


def test_an_answer_without_an_end_is_left(store: Recorder, process: StoreProcess) -> None:
    """When there is more of it than was asked for."""
    sent: list[int] = []
    head, long = say(b"", ETag='"1"', Content_Length="10"), far_too_long(sent)
    store.answer = lambda handler: head(handler) if handler.command == "HEAD" else long(handler)
    with pytest.raises(SourceUnavailable):
        read(store, process)
    assert sum(sent) < TAKEN * MIB


@pytest.mark.parametrize(
    "answer",
    [
        say(b"x" * 20, 206, ETag='"1"', Content_Range="bytes 0-19/20"),
        say(b"x", 206, ETag='"1"', Content_Range="bytes 0-0/20"),
        say(b"", 206, ETag='"1"', Content_Range="bytes 0-0/20"),
    ],
    ids=["more", "less", "nothing"],
)
def test_what_is_not_as_long_as_was_said_is_not_taken(
    store: Recorder, process: StoreProcess, answer: Answer
) -> None:
    """Neither cut nor padded: it is read again later."""
    head = say(b"", ETag='"1"', Content_Length="10")
    store.answer = lambda handler: head(handler) if handler.command == "HEAD" else answer(handler)
    with pytest.raises(SourceUnavailable):
        read(store, process)


def test_nonsense_is_away_for_now_and_is_not_quoted(store: Recorder, process: StoreProcess) -> None:
    """Codes that are no codes are left out."""
    store.answer = say(b"<Error><Code>canary secret text</Code></Error>", 500)
    with pytest.raises(SourceUnavailable) as caught:
        read(store, process)
    assert "canary" not in str(caught.value)


def test_the_process_has_no_settings_of_ours(
    store: Recorder, fresh_process: StoreProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever got hold of it by a store would find the store's own credentials, and no key of a channel."""
    monkeypatch.setenv("GREENROOM_SECRET_KEY", "canary")
    monkeypatch.setenv("PGPASSWORD", "canary")
    store.answer = say(b"", 404)
    with pytest.raises(GreenroomError):
        read(store, fresh_process)
    running_now = fresh_process._running
    assert running_now is not None
    environment = Path(f"/proc/{running_now._process.pid}/environ")
    if environment.exists():
        assert b"canary" not in environment.read_bytes().replace(b"canary-secret", b"")
    assert isinstance(running_now._process, subprocess.Popen)
