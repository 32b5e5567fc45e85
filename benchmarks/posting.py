"""What one bare ``requests.post`` of a file costs here, alone and in the same seconds as other work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

LOOPS = 400
#: Posts in a burst that are counted, those before them that warm the caches, and seconds between two bursts.
BURST, WARMING, PAUSE = 24, 6, 1.0


def cost_of_a_post(address: str, path: str) -> float:
    """CPU milliseconds of one, when nothing else is going on."""
    began = time.process_time()
    for _ in range(LOOPS):
        _post(address, path)
    return (time.process_time() - began) / LOOPS * 1000


class Posting:
    """Bursts of posts beside what is measured: a machine that slows down slows both."""

    def __init__(self, address: str, path: str) -> None:
        self._address = address
        self._path = path
        self._over = threading.Event()
        self._seconds = 0.0
        self._posts = 0

    @property
    def cost(self) -> float:
        """CPU milliseconds of one."""
        return self._seconds / self._posts * 1000

    def run(self) -> None:
        """Post until it is over."""
        while not self._over.wait(PAUSE):
            for _ in range(WARMING):
                _post(self._address, self._path)
            began = time.thread_time()
            for _ in range(BURST):
                _post(self._address, self._path)
            self._seconds += time.thread_time() - began
            self._posts += BURST

    def stop(self) -> None:
        """No more bursts."""
        self._over.set()


@contextmanager
def posting(address: str, path: str) -> Iterator[Posting]:
    """Bursts of posts for as long as the block runs."""
    posts = Posting(address, path)
    thread = threading.Thread(target=posts.run, daemon=True)
    thread.start()
    try:
        yield posts
    finally:
        posts.stop()
        thread.join()


def _post(address: str, path: str) -> None:
    with Path(path).open("rb") as file:
        requests.post(
            f"{address}/media",
            headers={"D360-API-KEY": "k"},
            data={"messaging_product": "whatsapp"},
            files={"file": ("a.jpg", file, "image/jpeg")},
            timeout=30,
        )
