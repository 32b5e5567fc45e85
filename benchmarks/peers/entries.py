"""Who takes part, and in what. Nobody's code is imported before it is started: memory is measured, too."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from benchmarks.peers.contender import Contender, Stage


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A contender in the tables.

    Attributes:
        title: what it is called there.
        module: of this package, where it is.
        maker: the function there that sets it up for a block.
        flat_out: whether it is measured without a pace.
        paced: whether it can keep a pace, and is measured so.
        quick: whether it takes part in the quick run.
        note: on how it is set up, beyond what its module says.
    """

    title: str
    module: str
    maker: str
    flat_out: bool = True
    paced: bool = True
    quick: bool = True
    note: str = ""

    def start(self, stage: Stage) -> AbstractContextManager[Contender]:
        """Set it up for a block."""
        made: AbstractContextManager[Contender] = getattr(self._module(), self.maker)(stage)
        return made

    def tuning(self) -> str:
        """How it is set up, in a few words."""
        return f"{self._module().TUNING}{self.note}"

    def _module(self) -> Any:
        return import_module(f"benchmarks.peers.{self.module}")


FIXED = "; `worker_consumer` is `OneTimerConsumer`"

ENTRIES: dict[str, Entry] = {
    "requests-post": Entry(title="requests.post", module="bare_requests", maker="requests_post", paced=False),
    "session-post": Entry(
        title="requests, kept session", module="bare_requests", maker="session_post", paced=False
    ),
    "thread-pool": Entry(title="Thread-pool script", module="thread_pool", maker="thread_pool"),
    "celery-1": Entry(title="Celery, 1 worker", module="naive_celery", maker="one_worker"),
    "celery-2": Entry(
        title="Celery, 2 workers", module="naive_celery", maker="two_workers", flat_out=False, quick=False
    ),
    "celery-1-corrected": Entry(
        title="Celery corrected, 1 worker",
        module="naive_celery",
        maker="one_corrected_worker",
        flat_out=False,
        quick=False,
        note=FIXED,
    ),
    "celery-2-corrected": Entry(
        title="Celery corrected, 2 workers",
        module="naive_celery",
        maker="two_corrected_workers",
        flat_out=False,
        note=FIXED,
    ),
    "dramatiq": Entry(title="Dramatiq", module="dramatiq_queue", maker="dramatiq_queue"),
    "rq": Entry(title="RQ", module="rq_queue", maker="rq_queue", quick=False),
    "greenroom": Entry(title="Greenroom", module="greenroom_stack", maker="greenroom_stack"),
}
REFERENCE = "requests-post"
KEPT_REFERENCE = "session-post"
GREENROOM = "greenroom"
CELERY = "celery-1"
