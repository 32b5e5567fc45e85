"""Every fault, by what it breaks; importing this puts all of them into `benchmarks.chaos.run.FAULTS`."""

from benchmarks.chaos.faults import (
    broker,
    callback,
    channel,
    database,
    process,
    provider,
    scheduler,
    serve,
    source,
    worker,
)

__all__ = [
    "broker",
    "callback",
    "channel",
    "database",
    "process",
    "provider",
    "scheduler",
    "serve",
    "source",
    "worker",
]
