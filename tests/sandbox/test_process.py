"""``python -m sandbox`` as a process; nothing of this is on the page."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import psutil
import pytest

from sandbox.__main__ import main
from tests.sandbox.caller import connect
from tests.sandbox.conftest import CallerFactory

MB = 1024 * 1024
ROOT = Path(__file__).parents[2]
Start = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start sandboxes: ``start("--latency", "5ms")`` answers with the process and its URL."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-W", "error", "-m", "sandbox", "--port", "0", *arguments]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        line = cast("IO[str]", process.stdout).readline()
        assert line.startswith("sandbox ready at http://127.0.0.1:"), line
        return process, line.split()[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_stops_when_it_is_told(
    start: Start, calling: CallerFactory, number: signal.Signals
) -> None:
    """One line, flushed; then a clean and quick end, even with a request in hand, and silence."""
    process, url = start()
    one = calling(url)
    one.uploaded()
    one.control("faults", {"on": "media_url", "delay_seconds": 60})
    with connect(url) as connection:
        connection.sendall(f"GET /1 HTTP/1.1\r\nHost: s\r\nD360-API-KEY: {one.api_key}\r\n\r\n".encode())
        while one.stats()["lookups"] == 0:
            pass  # it is in flight
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_killed_and_started_again(start: Start, calling: CallerFactory, tmp_path: Path) -> None:
    """``--state``: what was answered is still there after ``kill -9``."""
    process, url = start("--state", str(tmp_path))
    media_id = calling(url).uploaded(b"kept")
    process.kill()
    process.communicate()
    _process, url = start("--state", str(tmp_path))
    one = calling(url)
    assert one.get(one.link(media_id)).content == b"kept"
    assert one.control("stats").json()[one.api_key]["media"] == 1


def test_options(start: Start, calling: CallerFactory) -> None:
    """``--api-key``, ``--latency``, ``--throttle-answer``."""
    _process, url = start(
        "--api-key", "a", "--api-key", "b", "--latency", "1ms-3ms", "--throttle-answer", "360dialog"
    )
    assert [calling(url, key).upload().status_code for key in "abc"] == [200, 200, 401]


def test_memory_does_not_grow_with_the_file(start: Start, calling: CallerFactory) -> None:
    """A file of 100 MB passes through without ever being held."""
    process, url = start()
    one = calling(url)
    one.uploaded()
    before = psutil.Process(process.pid).memory_info().rss
    assert one.upload_zeros(100 * MB, "application/pdf").status_code == 200
    peak = int(_status_field(process.pid, "VmHWM")) * 1024
    assert peak - before < 16 * MB


def _status_field(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(name + ":"))


@pytest.mark.parametrize(
    "arguments",
    [["--latency", "soon"], ["--port", "x"], ["--throttle-answer", "none"]],
)
def test_wrong_options(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option stops the start with a sentence."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_port_that_is_taken(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """So does a port that somebody else has."""
    _process, url = start()
    assert main(["--port", url.rsplit(":", 1)[1]]) == 1
    assert "sandbox: " in capsys.readouterr().err


def test_keys_are_never_printed(start: Start, calling: CallerFactory) -> None:
    """Keys are secrets: whatever is asked, neither output has them."""
    process, url = start()
    one = calling(url, "canary-key-7f3a")
    one.media_url(one.uploaded())
    one.upload(b"x", "image/gif")
    one.session.post(url + "/media", data=b"\x00", timeout=30)
    process.terminate()
    out, err = process.communicate(timeout=10)
    assert "canary" not in out + err
