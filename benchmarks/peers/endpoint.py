"""A small fast endpoint that takes uploads and stamps them; it must not be what limits anybody.

``python -m benchmarks.peers.endpoint PORT`` serves on loopback until it is ended:

- ``POST /media`` reads a body of known length or in chunks, throws it away, and answers an ID after the
  latency that was asked for, or 429 where the number has had its uploads for this second;
- ``GET /stats`` answers ``{"uploads", "refused"}``; ``GET /arrivals`` answers all stamps by number, each
  ``[monotonic seconds, refused]``, taken when the head of a request is there;
- ``POST /reset?latency=0.1&jitter=0.05&allowed=25`` forgets everything and sets these (seconds; 0: no limit);
- ``POST /number?key=a&latency=3&answer=401`` sets them for one number; ``answer`` is what it always answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qsl, urlsplit

#: Lines of a head end so.
CRLF = b"\r\n"
END = b"\r\n\r\n"
KEY = b"\r\nd360-api-key:"
LENGTH = b"\r\ncontent-length:"
CHUNKED = b"\r\ntransfer-encoding: chunked"
#: What the endpoint asks of the system's scheduler. To be nicer than others would not do: where sessions have
#: groups of their own (Linux's autogroup), that counts only within the session.
REAL_TIME = os.sched_param(1) if hasattr(os, "sched_param") else None
#: No two uploads get the same one, whatever is reset.
MEDIA_IDS = count(10**15)
EXPECTS = b"\r\nexpect: 100-continue"


@dataclass(kw_only=True)
class UploadCounts:
    """What has arrived, and how to answer it."""

    latency: float = 0.0
    jitter: float = 0.0
    allowed: int = 0
    uploads: int = 0
    refused: int = 0
    arrivals: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    windows: dict[str, deque[float]] = field(default_factory=dict)
    latencies: dict[str, float] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)

    def arrive(self, key: str) -> bool:
        """Stamp an upload; returns whether it is within the limit."""
        now = time.monotonic()
        fits = True
        if self.allowed:
            # What was refused does not count: whether the provider is so gentle, its page does not say.
            taken = self.windows.setdefault(key, deque())
            while taken and taken[0] <= now - 1:
                taken.popleft()
            fits = len(taken) < self.allowed
            if fits:
                taken.append(now)
        self.arrivals.setdefault(key, []).append((now, not fits))
        return fits

    def delay(self, key: str) -> float:
        """How long the next answer takes."""
        jitter = random.uniform(0, self.jitter) if self.jitter else 0.0  # noqa: S311 - no secret
        return self.latencies.get(key, self.latency) + jitter


class Connection(asyncio.Protocol):
    """One client: heads are parsed, bodies are counted and thrown away."""

    def __init__(self, all_counts: list[UploadCounts]) -> None:
        self._all_counts = all_counts
        self._buffer = b""
        self._left = 0  # bytes of the present body, or chunk, that are still to come
        self._chunked = False
        self._answer = b""
        self._delay = 0.0
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream was asked for")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what has come, as far as it goes."""
        if self._in_body and not self._chunked and len(data) <= self._left:
            self._left -= len(data)
            if not self._left:
                self._end_of_body()
            return
        self._buffer += data
        while self._buffer and (self._body() if self._in_body else self._head()):
            pass

    def _head(self) -> bool:
        end = self._buffer.find(END)
        if end < 0:
            return False
        head, self._buffer = self._buffer[:end], self._buffer[end + len(END) :]
        method, target, _ = head.split(b" ", 2)
        lower = head.lower()
        if method == b"POST" and target == b"/media":
            self._upload(_value(head, lower, KEY).decode("latin-1"))
        else:
            self._delay = 0.0
            self._answer = self._control(method.decode(), target.decode())
        self._chunked = CHUNKED in lower
        self._left = 0 if self._chunked else int(_value(head, lower, LENGTH) or 0)
        if EXPECTS in lower:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._in_body = self._chunked or self._left > 0
        if not self._in_body:
            self._end_of_body()
        return True

    def _body(self) -> bool:
        if self._left:
            taken = min(self._left, len(self._buffer))
            self._buffer = self._buffer[taken:]
            self._left -= taken
            if not self._left and not self._chunked:
                self._end_of_body()
            return True
        # The next chunk's length, after the end of the line that closed the last one.
        line, found, rest = self._buffer.removeprefix(CRLF).partition(CRLF)
        if not found:
            return False
        self._left = int(line, 16)
        if self._left:
            self._buffer = rest
            return True
        if not rest.startswith(CRLF):
            return False
        self._buffer = rest[len(CRLF) :]
        self._end_of_body()
        return True

    def _upload(self, key: str) -> None:
        counts = self._all_counts[0]
        if always := counts.answers.get(key):
            self._answer = _response(always, b'{"error":{"code":%d,"message":"no"}}' % always)
        elif counts.arrive(key):
            counts.uploads += 1
            self._answer = _response(200, b'{"id":"%d"}' % next(MEDIA_IDS))
        else:
            counts.refused += 1
            self._answer = _response(429, b'{"error":{"code":130429,"message":"Rate limit hit"}}')
        self._delay = counts.delay(key)

    def _end_of_body(self) -> None:
        self._in_body = False
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, self._answer)
        else:
            self._transport.write(self._answer)

    def _control(self, method: str, target: str) -> bytes:
        parts = urlsplit(target)
        counts = self._all_counts[0]
        if (method, parts.path) == ("POST", "/reset"):
            asked = dict(parse_qsl(parts.query))
            self._all_counts[0] = UploadCounts(
                latency=float(asked.get("latency", 0)),
                jitter=float(asked.get("jitter", 0)),
                allowed=int(asked.get("allowed", 0)),
            )
            return _response(200, b"{}")
        if (method, parts.path) == ("POST", "/number"):
            asked = dict(parse_qsl(parts.query))
            if "latency" in asked:
                counts.latencies[asked["key"]] = float(asked["latency"])
            if "answer" in asked:
                counts.answers[asked["key"]] = int(asked["answer"])
            return _response(200, b"{}")
        if parts.path == "/stats":
            return _response(200, json.dumps({"uploads": counts.uploads, "refused": counts.refused}).encode())
        if parts.path == "/arrivals":
            return _response(200, json.dumps(counts.arrivals).encode())
        return _response(404, b"{}")


def _value(head: bytes, lower: bytes, name: bytes) -> bytes:
    at = lower.find(name)
    if at < 0:
        return b""
    start = at + len(name)
    end = head.find(CRLF, start)
    return head[start : end if end >= 0 else None].strip()


def _response(status: int, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % (status, len(body))
        + body
    )


async def _serve(port: int) -> None:
    # In a list, so that a reset reaches every connection.
    all_counts = [UploadCounts()]
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(all_counts), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    # It stands for a server with a machine of its own: it does not queue up behind those who upload. Only
    # root may ask for that; without it, uploads are stamped late when all cores are busy.
    if REAL_TIME is not None:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, REAL_TIME)
    asyncio.run(_serve(int(sys.argv[1])))
