"""The provider: storms, broken connections, answers that are none, and what is on the way to it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks.chaos.gate import Trust
from benchmarks.chaos.run import Problem, Run, fault

STORM_SECONDS = 4.0
#: Uploads that meet a fault which is not a storm.
SOME = 20
#: More than a request has at first: it is sent in pieces.
LARGE = 300_000
#: Seconds for which an answer does not come: longer than `GREENROOM_READ_TIMEOUT`.
SILENT_SECONDS = 30.0
KEY_SECONDS = 3.0


def storm(name: str, **answer: Any) -> None:
    """All uploads are answered so for some seconds."""

    @fault("provider", f"a storm of {name}")
    def blow(run: Run) -> None:
        for channel in run.channels:
            run.sandbox.faults({"on": "upload", "api_key": channel.keys[-1], "answer": answer})
        time.sleep(STORM_SECONDS)


META_LIMIT = {"status": 429, "code": 130429, "message": "(#130429) Rate limit hit"}
DIALOG_LIMIT = {"meta": {"httpCode": 400, "developerMessage": "You have exceeded the endpoint rate limit."}}

storm("500", status=500)
storm("503 with Retry-After", status=503, headers={"Retry-After": "2"})
storm("429", **META_LIMIT)
storm("429 with Retry-After", **META_LIMIT, headers={"Retry-After": "2"})
storm("360dialog's 400 for its rate limit", status=400, body=json.dumps(DIALOG_LIMIT))


def some(name: str, *each: Mapping[str, Any], size: int = 0, loses_answers: bool = False) -> None:
    """Some uploads on each channel meet each of these."""

    @fault("provider", name, size=size, loses_answers=loses_answers)
    def meet(run: Run) -> None:
        times = max(1, SOME // len(each))
        for channel in run.channels:
            on = {"on": "upload", "api_key": channel.keys[-1], "times": times}
            run.sandbox.faults(*({**on, **what} for what in each))
        deadline = time.monotonic() + STORM_SECONDS
        while run.sandbox.ask("faults") and time.monotonic() < deadline:
            time.sleep(0.1)


def body(text: str, *, status: int = 200, content_type: str = "application/json") -> dict[str, Any]:
    """This in place of an answer."""
    return {"answer": {"status": status, "body": text, "content_type": content_type}}


some("connections reset before the body", {"drop": "before"})
some("connections reset in the body", {"drop": "within"}, size=LARGE)
some("no answer, and the connection closed", {"drop": "after"}, loses_answers=True)
some("half an answer", {"drop": "halfway"}, loses_answers=True)
some("no answer at all", {"delay_seconds": SILENT_SECONDS}, loses_answers=True)
some(
    "pages of HTML",
    body("<h1>Welcome</h1>", content_type="text/html"),
    body("<h1>Bad gateway</h1>", status=502, content_type="text/html"),
)
some(
    "empty and odd IDs",
    body(""),
    body("{}"),
    *(body(json.dumps({"id": odd})) for odd in ("", None, {"id": "1"}, ["1"], True, "../../etc/passwd")),
    *(body(json.dumps({"id": odd})) for odd in ("12\0\n34", "7" * 100_000, "\u202e1", "\uff11\uff12")),
    body("[" * 100_000),
)


@fault("provider", "redirects elsewhere")
def redirect(run: Run) -> None:
    """Nobody goes there: it would have the API key."""
    with _listening() as (port, heard):
        for status in (301, 302, 307, 308):
            answer = {"status": status, "headers": {"Location": f"http://127.0.0.1:{port}/media"}}
            for channel in run.channels:
                run.sandbox.faults(
                    {"on": "upload", "api_key": channel.keys[-1], "times": 5, "answer": answer}
                )
        time.sleep(STORM_SECONDS)
    if heard:
        raise Problem("a redirect was followed")


@contextmanager
def _listening() -> Iterator[tuple[int, list[bytes]]]:
    """A port that notes whoever comes."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(65536))

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


@fault("provider", "a key revoked in mid-run, and replaced")
def revoke(run: Run) -> None:
    """The channel is paused, no file loses an attempt, and is resumed with the new key."""
    channel = run.channels[0]
    with run.hit():
        run.sandbox.faults({"revoke_key": channel.keys[-1]})
    time.sleep(KEY_SECONDS)
    channel.keys.append(f"{channel.keys[-1]}-2")
    run.stack.add_channel(channel.id, channel.keys[-1])


@fault("provider", "certificates that are not to be trusted", tls=True)
def distrust(run: Run) -> None:
    """Of an unknown authority, of another host, and one that has expired; nothing is sent to these."""
    for trust in (Trust.UNKNOWN, Trust.OTHER_HOST, Trust.EXPIRED):
        run.gate.present(trust)
        with run.hit():
            run.gate.cut()
        time.sleep(STORM_SECONDS / 3)
    run.gate.present(Trust.GOOD)
    if run.gate.heard_while_distrusted:
        raise Problem("something was sent to a server that is not to be trusted")


@fault("provider", "no TLS at all", tls=True)
def no_tls(run: Run) -> None:
    """The port answers in plain text."""
    gate = run.gate
    gate.present(Trust.NONE)
    with run.hit():
        gate.cut()
    time.sleep(STORM_SECONDS)
    gate.present(Trust.GOOD)


@fault("provider", "nobody listens", tls=True)
def closed(run: Run) -> None:
    """New connections are refused."""
    with run.hit():
        run.gate.close()
        run.gate.cut()
    time.sleep(STORM_SECONDS)
    run.gate.open()


@fault("provider", "its name is not found", tls=True)
def no_dns(run: Run) -> None:
    """Connections that stand are cut, and new ones find no address."""
    control = run.control("no-dns")
    with run.hit():
        run.gate.cut()
    time.sleep(STORM_SECONDS)
    control.unlink()
