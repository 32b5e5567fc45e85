"""What a process may run out of, and a clock that is wrong."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import psutil

from benchmarks.chaos.disk import NoDisk, small_disk
from benchmarks.chaos.run import Problem, Run, fault

SHORT_SECONDS = 8.0
#: Room for a few files, and not for all that are looked at at once.
SPOOL_BYTES = 64 << 10
#: Seconds that a clock jumps.
JUMP_SECONDS = 7200


@fault("process", "the disk full where files are spooled", fetched=True)
def fill_spool(run: Run) -> None:
    """Files that come over HTTP are kept there while they are looked at and sent (needs root)."""
    try:
        with small_disk(run.production.spool, SPOOL_BYTES) as disk:
            disk.fill()
            time.sleep(SHORT_SECONDS)
    except NoDisk as error:
        raise Problem(str(error)) from error


@fault("process", "too many open files")
def no_files(run: Run) -> None:
    """Workers that upload may open nothing more for some seconds."""
    family = [process for name in run.stack.uploaders for process in run.stack.family(name)]
    with run.hit(), _limited(family, resource.RLIMIT_NOFILE, lambda process: process.num_fds()):
        time.sleep(SHORT_SECONDS)


@fault("process", "no more memory for those that upload")
def no_memory_to_upload(run: Run) -> None:
    """Their address space may not grow for some seconds; Celery ends where it finds none, as it should."""
    family = [process for name in run.stack.uploaders for process in run.stack.family(name)]
    for name in run.stack.uploaders:
        run.stack.expect_end(name)
    with run.hit(), _limited(family, resource.RLIMIT_AS, lambda process: process.memory_info().vms):
        time.sleep(SHORT_SECONDS)


@fault("process", "no more memory for those that inspect", first=400, second=200)
def no_memory_to_inspect(run: Run) -> None:
    """Their address space may not grow for some seconds; Celery may end, as above."""
    family = run.stack.family(run.stack.inspector)
    run.stack.expect_end(run.stack.inspector)
    with run.hit(), _limited(family, resource.RLIMIT_AS, lambda process: process.memory_info().vms):
        time.sleep(SHORT_SECONDS)


@contextmanager
def _limited(
    processes: Sequence[psutil.Process], what: int, present: Callable[[psutil.Process], int]
) -> Iterator[None]:
    """Let processes have what they have of something, and no more."""
    with ExitStack() as stack:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                before = process.rlimit(what)
                process.rlimit(what, (present(process), before[1]))
                stack.callback(_restore, process, what, before)
        yield


def _restore(process: psutil.Process, what: int, limits: tuple[int, int]) -> None:
    with suppress(psutil.NoSuchProcess):
        process.rlimit(what, limits)


@fault("process", "the clock of one worker jumps two hours ahead")
def jump_ahead(run: Run) -> None:
    """And back after a while, as when time is set by the network."""
    _jump(run, JUMP_SECONDS)


@fault("process", "the clock of one worker jumps two hours back")
def jump_back(run: Run) -> None:
    """The same, the other way."""
    _jump(run, -JUMP_SECONDS)


def _jump(run: Run, seconds: int) -> None:
    with run.hit():
        control = run.control(f"clock-{run.uploader()}", str(seconds))
    time.sleep(SHORT_SECONDS)
    control.unlink()
