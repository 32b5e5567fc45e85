"""The limits: the endpoint with a client that costs next to nothing, and hash and type of a file alone."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import magic

from benchmarks.peers.contender import Stage

BOUNDARY = "------------------------benchmark"
LUA = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "multipart/form-data; boundary={boundary}"
wrk.headers["D360-API-KEY"] = "wrk"
file:close()
"""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a limit was measured to be.

    Attributes:
        rate: a second.
        cpu: milliseconds for each, of the client alone; None where it was not measured.
    """

    rate: float
    cpu: float | None


def body_of(path: str) -> bytes:
    """The body of an upload."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="messaging_product"\r\n\r\nwhatsapp\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + Path(path).read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def wrk(stage: Stage, seconds: float) -> Limit | None:
    """The C client `wrk` on eight connections; None where it is not installed."""
    program = shutil.which("wrk")
    if program is None:
        return None
    body, script = stage.folder / "wrk.body", stage.folder / "wrk.lua"
    body.write_bytes(body_of(stage.files[0]))
    script.write_text(LUA.format(body=body, boundary=BOUNDARY))
    before = _children_cpu()
    command = [
        *(program, "--threads", "1", "--connections", "8", "--duration", f"{max(1, round(seconds))}s"),
        *("--script", str(script), f"{stage.endpoint}/media"),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    requests_ = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if requests_ is None or rate is None or "Non-2xx" in said:
        raise RuntimeError(said)
    return Limit(rate=float(rate[1]), cpu=1000 * (_children_cpu() - before) / int(requests_[1]))


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bare_socket(stage: Stage, files: int) -> Limit:
    """A loop over one socket in Python: read the file, write it, read the answer."""
    host, port = stage.endpoint.removeprefix("http://").split(":")
    head = (
        f"POST /media HTTP/1.1\r\nHost: {host}\r\nD360-API-KEY: socket\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: %d\r\n\r\n"
    ).encode()
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started, cpu = time.monotonic(), time.process_time()
        for number in range(files):
            body = body_of(stage.files[number % len(stage.files)])
            connection.sendall(head % len(body) + body)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("the endpoint refused an upload")
        seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    return Limit(rate=files / seconds, cpu=1000 * cpu / files)


def hash_and_type(files: Sequence[str]) -> Limit:
    """SHA-256 of each file, and libmagic's word on its first 2 KiB."""
    cookie = magic.Magic(mime=True)
    started, cpu = time.monotonic(), time.process_time()
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        content = os.read(descriptor, 1 << 20)
        os.close(descriptor)
        hashlib.sha256(content).hexdigest()
        cookie.from_buffer(content[:2048])
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    return Limit(rate=len(files) / seconds, cpu=1000 * cpu / len(files))
