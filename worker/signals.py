"""What a worker does at moments of its own life."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import threading
from typing import Any

from celery.concurrency.thread import TaskPool
from celery.signals import (
    celeryd_after_setup,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from greenroom import tracing
from tasks.runtime.context import close_context, current_context, stop_soon
from tasks.runtime.task_events import note_worker_name
from worker import hung

#: Objects more than before, from which Python looks for cycles among the new ones; and times that it does so
#: before it looks among older ones. Python's own numbers cost 4 % of what a worker computes (`make
#: bench-backlog`): a batch of files is some ten thousand objects, and none of them a cycle.
GARBAGE_THRESHOLDS = (5_000, 10, 10)
#: Heaps that the C library may have, and the name of that setting in its `mallopt`.
HEAPS = 2
M_ARENA_MAX = -8
#: Sixty-four channels with a hundred connections each, and the rest. Not without an end: whoever starts pool
#: processes closes all that could be open.
OPEN_FILES = 16_384
#: Seconds that the threads of a pool may take to begin, on a busy machine; what is missing then is started
#: when it is needed.
START_SECONDS = 30.0


@celeryd_after_setup.connect
def know_own_name(sender: str, **_: Any) -> None:
    """Send events under the worker's name; pool processes inherit it."""
    note_worker_name(sender)


@celeryd_after_setup.connect
def collect_less_garbage(**_: Any) -> None:
    """Do not look again and again at what libraries brought with them; pool processes inherit it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


@celeryd_after_setup.connect
def share_heaps(**_: Any) -> None:
    """Let all threads share two heaps.

    With up to eight heaps a core, as the GNU C library has them, what one thread gives back is of no use to
    the others.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        # Another C library.
        return
    set_option(M_ARENA_MAX, HEAPS)


@celeryd_after_setup.connect
def allow_many_connections(**_: Any) -> None:
    """Let the process have as many files open as it needs, up to what the system lets it ask for.

    Where answers are slow, each of a process's channels has up to a hundred connections; many systems begin
    with 1,024 files for a process.
    """
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


@worker_ready.connect
def look_after_threads(sender: Any, **_: Any) -> None:
    """See that none hangs for ever."""
    hung.watch_threads(sender)


@worker_ready.connect
def start_all_threads(sender: Any, **_: Any) -> None:
    """Start all threads of a pool before there is work.

    Celery starts them in the loop that takes messages. Where memory is short, that would end the worker; or
    the loop would wait for ever for a thread that found no memory to say that it runs.
    """
    if not isinstance(sender.pool, TaskPool):
        return
    # Its stubs do not know it.
    executor, count = vars(sender.pool)["executor"], sender.pool.limit
    all_here = threading.Barrier(count + 1)
    for _each in range(count):
        executor.submit(all_here.wait, START_SECONDS)
    all_here.wait(START_SECONDS)


@worker_ready.connect
def watch_the_others(sender: Any, **_: Any) -> None:
    """Say from the beginning that this process lives, and look for those that died.

    Where all were killed and started again, the first task may be a tick that comes seconds later.
    """
    if isinstance(sender.pool, TaskPool):
        current_context()


@worker_ready.connect
def end_when_told(sender: Any, **_: Any) -> None:
    """Let a signal wake the loop that takes messages: by itself it looks once a second whether to end."""
    if sender.hub is None:
        return
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    sender.hub.add_reader(reading, os.read, reading, 64)


@worker_process_shutdown.connect
def leave_nothing_open(**_: Any) -> None:
    """Close a pool process's connections."""
    close_context()
    tracing.end()


@worker_shutting_down.connect
def begin_nothing_more(**_: Any) -> None:
    """Let what is in flight end soon, where it runs in threads of this process."""
    stop_soon()


@worker_shutdown.connect
def leave_nothing_open_here(**_: Any) -> None:
    """Close the connections of a pool of threads, which has no processes of its own."""
    close_context()
    tracing.end()
