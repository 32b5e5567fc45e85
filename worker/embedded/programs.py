"""What the processes of the embedded stack run, and the libraries that several of them need.

The supervisor imports this module, and forks them: what is loaded here is loaded once, and takes its memory
once. Nothing may start a thread, or open a connection, when it is imported.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from greenroom.isolation.worker_process import ProcessesFailed
from greenroom.left_out import left_out
from sandbox.latency import Latency
from tasks.runtime.context import current_context
from worker.checkout import CHECKOUT
from worker.configuration import TASK_MODULES

#: Channels that one uploading process serves at the same time.
UPLOADER_THREADS = 64
#: How Flower shows tasks.
FLOWER_OPTIONS = (f"--conf={CHECKOUT / 'flowerconfig.py'}", "--persistent=false")
#: What workers, beat and their tasks load only when they need it first.
LATE_MODULES = (
    *TASK_MODULES,
    *("tasks.runtime.heartbeat", "worker.consumer", "worker.scheduler", "worker.signals"),
    *("billiard.dummy", "billiard.pool", "celery.app.amqp", "celery.app.control", "celery.app.events"),
    *("celery.app.log", "celery.app.routes", "celery.beat", "celery.apps.worker"),
    *("celery.backends.redis", "celery.concurrency.thread", "celery.events.dispatcher"),
    *("celery.events.receiver", "celery.schedules", "celery.utils.debug", "celery.utils.static"),
    *("celery.worker.autoscale", "celery.worker.components", "celery.worker.consumer.delayed_delivery"),
    *("celery.worker.strategy", "dbm.dumb", "encodings.latin_1", "kombu.matcher", "kombu.pidbox"),
)


def load_all() -> None:
    """Load all that workers need."""
    for name in LATE_MODULES:
        import_module(name)


def run_uploader(number: int, schedule: str | None = None) -> None:
    """Uploading waits for the network: threads, of which each serves one channel at a time.

    Args:
        number: of the process.
        schedule: where beat keeps when it sent what; None for a process that sends no ticks.
    """
    if schedule is not None:
        threading.Thread(target=_beat, args=(schedule,), name="beat", daemon=True).start()
    _work(f"upload-{number}@localhost", ["upload", "control"], UPLOADER_THREADS)


def run_inspector(concurrency: int) -> None:
    """Looking at files takes the processor, and is done in processes that this one's threads feed.

    The first of those starts while this one does: whoever starts a stack has files to be looked at.
    """
    with suppress(ProcessesFailed):  # then the first file tries again, and says why
        current_context().files.start_ahead()
    _work("inspect@localhost", ["inspection", "control"], concurrency)


def _work(hostname: str, queues: list[str], threads: int) -> None:
    from worker import app  # noqa: PLC0415 - it is made of the settings, which are known by now

    worker = app.Worker(
        hostname=hostname,
        queues=queues,
        pool_cls="threads",
        concurrency=threads,
        loglevel=logging.INFO,
        quiet=True,
    )
    worker.start()
    sys.exit(worker.exitcode)


def _beat(schedule: str) -> None:
    """Send ticks for as long as the process lives; one that cannot ends, to be started again."""
    from worker import app  # noqa: PLC0415 - as above

    # When each was sent last is for the next run, too; and this thread ends with its process.
    app.conf.beat_sync_every = 1
    try:
        import_module("celery.beat").Service(
            app, scheduler_cls=app.conf.beat_scheduler, schedule_filename=schedule, remote_control=False
        ).start()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def load_sandbox() -> None:
    """Load what the sandbox alone needs."""
    # aiohttp makes TLS ready when it is loaded, for a client that is of no use here.
    with left_out("ssl"):
        import_module("sandbox.server")


def run_sandbox(listening: socket.socket, latency: str, state: str) -> None:
    """Stand in for 360dialog, on a socket that listens already."""
    load_sandbox()  # where this process was not forked from one that has
    from sandbox.server import Options, serve  # noqa: PLC0415 - nobody else needs its server

    serve(Options(latency=Latency.parse(latency), state=Path(state)), listening)


def run_flower(port: int) -> None:
    """Show the tasks."""
    from worker import app  # noqa: PLC0415 - as above

    app.start(["--quiet", "flower", "--address=127.0.0.1", f"--port={port}", *FLOWER_OPTIONS])
