"""The measure of all: ``requests.post(files=...)``, one file after the other, in one process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from benchmarks.peers.contender import Contender, Stage, Work
from benchmarks.peers.sending import send

TUNING = "one process, one file after the other"


class BareRequests:
    """A loop.

    Args:
        stage: where it works.
        keep: whether one session is kept; ``requests.post`` makes one, and a connection, for each file.
    """

    def __init__(self, stage: Stage, *, keep: bool) -> None:
        self._stage = stage
        self._kept = requests.Session() if keep else None

    def processes(self) -> Sequence[int]:
        """It is one process."""
        return ()

    def add_numbers(self, keys: Sequence[str]) -> None:
        """It needs to know none."""

    def upload(self, work: Work) -> None:
        """Upload all, one after the other."""
        for path, key in work.uploads(self._stage):
            if self._kept is not None:
                send(self._kept, self._stage.endpoint, path, key)
                continue
            with Path(path).open("rb") as file:
                requests.post(
                    f"{self._stage.endpoint}/media",
                    headers={"D360-API-KEY": key},
                    data={"messaging_product": "whatsapp"},
                    files={"file": (Path(path).name, file, "image/jpeg")},
                    timeout=60,
                )

    def more(self, what: str, **options: Any) -> dict[str, float]:
        """Nothing else."""
        raise NotImplementedError(what, options)


@contextmanager
def requests_post(stage: Stage) -> Iterator[Contender]:
    """``requests.post``."""
    yield BareRequests(stage, keep=False)


@contextmanager
def session_post(stage: Stage) -> Iterator[Contender]:
    """The same on one kept session."""
    yield BareRequests(stage, keep=True)
