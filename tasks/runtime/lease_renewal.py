"""Keep the claims of a task from lapsing while it works, however long one file takes, or a lock is held."""

from __future__ import annotations

import _thread
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from greenroom.errors import DatabaseUnavailable
from models.claim import Claim
from tasks.runtime.context import Context

logger = logging.getLogger(__name__)

#: Seconds that the last renewal may take to end.
END_SECONDS = 10.0
#: Seconds after which a renewal that failed is tried again: the claims may lapse meanwhile.
TRY_AGAIN_SECONDS = 1.0


class RenewClaims(Protocol):
    """How the claims on a table's rows are renewed."""

    def __call__(
        self, connection: Connection, claims: Sequence[Claim], *, until: datetime
    ) -> Sequence[Claim]:
        """Renew them; returns those that were lost, as far as that can be seen."""
        ...


def _forget(_lost: Sequence[Claim]) -> None:
    """What was lost is found out when it is to be written."""


@contextmanager
def renewing(
    context: Context,
    claims: Callable[[], Sequence[Claim]],
    renew: RenewClaims,
    *,
    lost: Callable[[Sequence[Claim]], object] = _forget,
    every: float | None = None,
) -> Iterator[None]:
    """Renew claims in the background for as long as the block runs.

    In a thread and on a connection of its own: what the block itself waits for, a table that is locked above
    all, must not cost it its claims.

    Args:
        context: the world.
        claims: answers those that are still to be worked on, or to be written down.
        renew: renews them.
        lost: is told which of them are somebody else's by now.
        every: seconds between two renewals; a third of the lease, if it is not given.
    """
    done = threading.Event()
    pause = every or context.settings.lease_seconds / 3

    def beat() -> None:
        wait = pause
        while not done.wait(wait):
            wait = pause
            try:
                with context.database.write_briefly() as connection:
                    gone = renew(connection, claims(), until=context.clock.now() + context.lease)
            except DatabaseUnavailable as error:
                # Where they lapse for all that, the files are looked at again: nothing is lost.
                logger.warning("Claims could not be renewed: %s", error)
                wait = min(pause, TRY_AGAIN_SECONDS)
            except Exception:
                # Whatever it was, no memory or a fault of ours: all claims would lapse with this thread.
                logger.exception("Claims could not be renewed.")
                wait = min(pause, TRY_AGAIN_SECONDS)
            else:
                lost(gone)

    begun, over = _started(beat)
    try:
        yield
    finally:
        done.set()
        # One that begins after this ends at once; one that found no memory never begins.
        if begun.is_set():
            over.wait(END_SECONDS)


def _started(work: Callable[[], None]) -> tuple[threading.Event, threading.Event]:
    """Run this in a thread; returns what is set when it has begun, and what is set when it is over.

    `threading` would wait until the thread says that it runs, and one that finds no memory never says so: the
    task would hang, and with it its process.
    """
    begun, over = threading.Event(), threading.Event()

    def run() -> None:
        begun.set()
        try:
            work()
        finally:
            over.set()

    try:
        _thread.start_new_thread(run, ())
    except RuntimeError as error:
        # What lapses is looked at again; the work itself need not wait for that.
        logger.warning("Claims are not renewed: %s", error)
    return begun, over
