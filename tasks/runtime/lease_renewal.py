"""Keep the claims of a task from lapsing while it works, however long one file takes, or a lock is held."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from greenroom.errors import DatabaseUnavailable
from models.claim import Claim
from tasks.runtime.background import beside
from tasks.runtime.context import Context

logger = logging.getLogger(__name__)

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
    pause = every or context.settings.lease_seconds / 3

    def beat(done: threading.Event) -> None:
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

    # Where there is no thread, what lapses is looked at again.
    with beside(beat, without="Claims are not renewed"):
        yield
