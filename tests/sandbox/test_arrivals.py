"""When a request arrived, as the system noted it; and the number's limit goes by that."""

from __future__ import annotations

import select
import socket
import sys
import time

import pytest

from sandbox.stamped_socket import StampedSocket, listen
from sandbox.testing import RunningSandbox
from tests.sandbox.caller import Caller

#: Two clocks are asked one after the other.
READING_TWO_CLOCKS = 0.001


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux notes when bytes came")
def test_the_moment_is_that_of_arrival_and_not_of_reading() -> None:
    """Page: "25 requests per second" arrive; when a busy server looks at them is another matter.

    Linux begins to note arrivals a moment after it was asked to, and what comes before then has the moment of
    reading. So one of a few connections has to have its own.
    """
    with listen("127.0.0.1", 0, backlog=1) as listening:
        assert any(_is_told_on_time(listening) for _ in range(10))


def _is_told_on_time(listening: StampedSocket) -> bool:
    """Whether bytes that are read late have the moment at which they came."""
    with socket.create_connection(listening.getsockname()) as client:
        before = time.monotonic()
        client.sendall(b"GET / HTTP/1.1\r\n")  # before it is even accepted
        accepted, _ = listening.accept()
        assert isinstance(accepted, StampedSocket)
        with accepted:
            select.select([accepted], [], [])
            after = time.monotonic()
            while time.monotonic() < after + 5 * READING_TWO_CLOCKS:
                pass  # it is read later than it came, by more than the clocks differ
            assert accepted.recv(100) == b"GET / HTTP/1.1\r\n"
            moment = accepted.take_moment()
    return before - READING_TWO_CLOCKS <= moment <= after + READING_TWO_CLOCKS


def test_each_request_on_a_connection_has_its_own(sandbox: RunningSandbox, one: Caller) -> None:
    """Look-ups between uploads, on the same connection, leave no moment behind."""
    for _ in range(3):
        media_id = one.uploaded()
        assert one.media_url(media_id).status_code == 200
    sandbox.advance(1)
    assert sum(count for _, count in one.stats()["arrivals_per_second"]) == 3
    assert one.stats()["peak_rps"] <= 3
