"""A process in which Python's libraries read files: kept from file to file, and ended where it hangs."""

from __future__ import annotations

import json
import os
import queue
import resource
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.eye.libraries import opinion
from tests.eye.opinion import Opinion, closed
from tests.eye.programs import NoAnswer
from worker.checkout import CHECKOUT

#: Arguments of Python that start one.
COMMAND = ("-m", "tests.eye.companion")
#: Bytes of memory of its own that it may have.
_MOST_MEMORY = 2 * 1024**3


class Companion:
    """One process; one thread at a time may use it."""

    def __init__(self, command: tuple[str, ...] = COMMAND) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # What libraries print of broken files helps nobody here.
            stderr=subprocess.DEVNULL,
        )
        self._said = b""

    @property
    def lives(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, module: str, path: Path, seconds: float) -> Opinion:
        """What a library says; that it died of the file where it did.

        Raises:
            NoAnswer: it took longer than so many seconds, and was ended.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps([module, str(path.absolute())]).encode() + b"\n")
            self._process.stdin.flush()
        line = self._line(seconds)
        if not line:
            self.close()
            return closed("the reader died of it")
        found = json.loads(line)
        return Opinion(**{**found, "types": frozenset(found["types"])})

    def _line(self, seconds: float) -> bytes:
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while b"\n" not in self._said:
            if not select.select([handle], [], [], seconds)[0]:
                self.close()
                raise NoAnswer
            heard = os.read(handle, 65_536)
            if not heard:
                return b""
            self._said += heard
        line, _, self._said = self._said.partition(b"\n")
        return line

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


class Companions:
    """As many as are asked at once."""

    def __init__(self, command: tuple[str, ...] = COMMAND) -> None:
        self._command = command
        self._idle: queue.LifoQueue[Companion] = queue.LifoQueue()

    def ask(self, module: str, path: Path, seconds: float) -> Opinion:
        """As :meth:`Companion.ask`, of one that is free."""
        try:
            companion = self._idle.get_nowait()
        except queue.Empty:
            companion = Companion(self._command)
        try:
            return companion.ask(module, path, seconds)
        finally:
            if companion.lives:
                self._idle.put(companion)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while not self._idle.empty():
            self._idle.get().close()


def main() -> None:
    """Answer a line for each line, until there are no more."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed is no answer
    for line in sys.stdin:
        module, path = json.loads(line)
        found = opinion(module, Path(path))
        print(json.dumps({**vars(found), "types": sorted(found.types)}), file=answers, flush=True)


if __name__ == "__main__":
    main()
