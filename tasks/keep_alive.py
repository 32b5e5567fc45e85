"""Keep the claims of a task from lapsing while it works, however long one file takes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from models.claim import Claim
from models.database import DatabaseUnavailable
from tasks.context import Context

logger = logging.getLogger(__name__)


class Renew(Protocol):
    """How the claims on a table's rows are renewed."""

    def __call__(self, connection: Connection, claims: Sequence[Claim], *, until: datetime) -> object:
        """Renew them; those that were lost are left alone."""
        ...


@contextmanager
def kept_alive(
    context: Context, claims: Callable[[], Sequence[Claim]], renew: Renew, *, every: float | None = None
) -> Iterator[None]:
    """Renew claims in the background for as long as the block runs.

    Args:
        context: the world.
        claims: answers those that are still to be worked on.
        renew: renews them.
        every: seconds between two renewals; a third of the lease, if it is not given.
    """
    done = threading.Event()
    pause = every or context.settings.lease_seconds / 3

    def beat() -> None:
        while not done.wait(pause):
            try:
                with context.database.write() as connection:
                    renew(connection, claims(), until=context.clock.now() + context.settings.lease)
            except DatabaseUnavailable as error:
                # The claims may lapse then, and the files are looked at again: nothing is lost.
                logger.warning("Claims could not be renewed: %s", error)

    thread = threading.Thread(target=beat, name="keep-alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
