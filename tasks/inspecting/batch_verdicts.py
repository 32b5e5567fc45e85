"""The verdicts of one batch, written down many at a time, and none later because the file behind it hangs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from models.claim import Claim
from models.item_claims import ItemUnderInspection
from tasks.inspecting.verdict_writer import JudgedItem, write_surely
from tasks.runtime.background import beside
from tasks.runtime.context import Context

#: Seconds between two looks for verdicts that are to be written before all of their batch are there.
WRITE_EVERY_SECONDS: Final = 0.5


class BatchVerdicts:
    """Takes verdicts from whoever judges, who writes the last of them; a thread writes those before.

    Args:
        context: the world.
        items: of the batch.
        counts: is told how many verdicts of which kind were written.
    """

    def __init__(self, context: Context, items: Sequence[ItemUnderInspection], counts: Counter[str]) -> None:
        self._context = context
        self._counts = counts
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._kept: list[JudgedItem] = []
        self._unwritten = {item.claim for item in items}
        self._failure: Exception | None = None
        #: Channels on which some were accepted.
        self.accepted_on: set[str] = set()

    def unwritten(self) -> list[Claim]:
        """The claims of all items whose verdict is not written down."""
        with self._lock:
            return list(self._unwritten)

    def add(self, judged: JudgedItem) -> None:
        """Write this down, soon.

        Raises:
            DatabaseUnavailable: those before it could not be written.
        """
        if self._failure is not None:
            raise self._failure
        with self._lock:
            self._kept.append(judged)

    @contextmanager
    def written_meanwhile(self) -> Iterator[None]:
        """Write those that are there every now and then while the block judges, and what is left after it.

        Raises:
            DatabaseUnavailable: they could not be written.
        """
        if len(self._unwritten) == 1:
            yield
        else:
            with beside(self._write_now_and_then, without="Verdicts are written at the end of their batch"):
                yield
        self._write()
        if self._failure is not None:
            raise self._failure

    def _write_now_and_then(self, over: threading.Event) -> None:
        while not over.wait(WRITE_EVERY_SECONDS):
            try:
                self._write()
            except Exception as error:  # noqa: BLE001 - raised again where verdicts are added
                self._failure = error
                return

    def _write(self) -> None:
        with self._writing:
            with self._lock:
                judged, self._kept = self._kept, []
            if not judged:
                return
            write_surely(self._context, judged, self._counts)
            with self._lock:
                self._unwritten.difference_update(one.item.claim for one in judged)
            accepted = (one.item for one in judged if one.verdict and one.verdict.accepted)
            self.accepted_on.update(channel for item in accepted for channel in item.channels)
