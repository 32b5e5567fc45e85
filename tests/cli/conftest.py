"""The `greenroom` command as a process of its own, as its users run it."""

from __future__ import annotations

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from examples.bulk import make_folder
from tests.support.command import COMMAND, environment
from worker.embedded.state_dir import StateDir

#: Seconds that anything here may take on a busy machine.
PATIENCE = 100.0
#: Files of the campaign that is interrupted and killed: long enough in flight to be met in the middle.
MANY = 90
#: Seconds between two looks at a run; nothing is timed by it.
LOOK_EVERY = 0.1


Greenroom = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def greenroom(tmp_path: Path) -> Greenroom:
    """Run the command in an empty folder, to its end."""

    def run(*words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, words)],
            cwd=tmp_path,
            env=environment(**more),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def many_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of many real files, some of them bad."""
    folder = tmp_path_factory.mktemp("many")
    make_folder(folder, MANY, seed=5)
    return folder


def children_of_all() -> dict[int, list[psutil.Process]]:
    """Each process's children by its ID, the oldest first: all of the machine's are looked at once."""
    children: defaultdict[int, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter(["ppid"]):
        children[process.info["ppid"]].append(process)
    return children


class Rehearsal:
    """A `greenroom run --sandbox` in flight, and the processes that it has started."""

    def __init__(self, folder: Path, files: Path, *words: str) -> None:
        self.state_dir = StateDir(folder=folder / ".greenroom" / "sandbox")
        self.process = subprocess.Popen(
            [
                *(*COMMAND, "run", str(files), "--channel", "4915112345678", "--sandbox", "--json"),
                *("--latency", "50ms-300ms", "--workers", "2", *words),
            ],
            cwd=folder,
            # A slot to spare: where all cores are busy with other tests, the sandbox itself is late.
            env=environment(GREENROOM_UPLOADS_PER_SECOND="24"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.supervisor: psutil.Process | None = None
        self.family: set[psutil.Process] = set()

    def look(self) -> bool:
        """Note everybody whom it has started so far; returns whether it still runs."""
        children = children_of_all()
        for process in children[self.process.pid][:1]:
            self.supervisor = process
        for row in self._noted().values():
            with suppress(psutil.NoSuchProcess):
                self.family.add(psutil.Process(int(row["pid"])))
        todo = [self.process.pid, *(one.pid for one in self.family)]
        while todo:
            found = [one for one in children[todo.pop()] if one not in self.family]
            self.family.update(found)
            todo += [one.pid for one in found]
        # A pause between two looks: whoever looks without one takes the processor from those looked at.
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=LOOK_EVERY)
        return self.process.returncode is None

    def _noted(self) -> dict[str, dict[str, float]]:
        try:
            noted: dict[str, dict[str, float]] = json.loads(
                self.state_dir.processes.read_text(encoding="utf-8")
            )
        except (OSError, ValueError):
            return {}
        return noted

    def pid(self, name: str) -> int:
        """The ID of a part of the stack."""
        return int(self._noted()[name]["pid"])

    def wait_for(self, reached: Callable[[], bool]) -> None:
        """Watch until something is so; fails where the run ends before."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert self.look(), (
                f"the run ended too soon: {self.process.stderr and self.process.stderr.read()}"
            )
            assert time.monotonic() < deadline, "it took too long"

    def stats(self) -> dict[str, Any]:
        """The sandbox's own counts for the channel."""
        try:
            open_ones = psutil.Process(self.pid("sandbox")).net_connections("tcp")
            (port,) = (one.laddr.port for one in open_ones if one.status == psutil.CONN_LISTEN)
            counts = requests.get(f"http://127.0.0.1:{port}/_sandbox/stats", timeout=5).json()
        except (KeyError, ValueError, psutil.NoSuchProcess, requests.RequestException):
            return {"uploads": 0}
        of_channel: dict[str, Any] = counts.get("sandbox-4915112345678", {"uploads": 0})
        return of_channel

    def finish(self) -> list[dict[str, Any]]:
        """Wait for its end, and answer its lines."""
        output, errors = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode in (0, 1), errors
        return [json.loads(line) for line in output.splitlines()]

    def left_running(self) -> list[psutil.Process]:
        """Who of all whom it has started is still there a while after its end."""
        _, alive = psutil.wait_procs(self.family, timeout=30)
        return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]

    def close(self) -> None:
        """End whatever is left, so that no test leaves anything behind."""
        self.look()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        for process in self.left_running():
            process.kill()


Rehearse = Callable[..., Rehearsal]


@pytest.fixture
def rehearse(tmp_path: Path, many_files: Path) -> Iterator[Rehearse]:
    """Start a run on many files, in the background."""
    started: list[Rehearsal] = []

    def start(*words: str) -> Rehearsal:
        started.append(Rehearsal(tmp_path, many_files, *words))
        return started[-1]

    yield start
    for rehearsal in started:
        rehearsal.close()
