"""A reader who types in what a page shows, and compares what comes back with what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from sqlalchemy import text

from models import Database
from tests.support.markdown import Block
from worker.checkout import CHECKOUT

#: Seconds that one command, or something that a page waits for, may take on a busy machine.
PATIENCE = 60.0
_COMMAND = re.compile(r"^\$ (?P<command>(?:.*\\\n)*.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)


def fits(wanted: str, got: str) -> bool:
    """Whether what came is what a page shows: ``...`` stands for anything, and all blanks are one."""
    pieces = (r"\s+".join(map(re.escape, piece.split())) for piece in wanted.split("..."))
    return re.fullmatch(r"\s*" + r".*?".join(pieces) + r"\s*", got, re.DOTALL) is not None


@dataclass(kw_only=True)
class Reader:
    """One reader of one page, in a folder of their own.

    Attributes:
        folder: where commands run.
        environment: what they see, on top of the process's own without Greenroom's settings.
        instead: what a page writes for a real address, and what is there in this test.
        database: the installation's, for SQL.
    """

    folder: Path
    environment: Mapping[str, str]
    instead: Mapping[str, str]
    database: Database | None = None
    names: dict[str, object] = field(default_factory=dict)
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def read(self, block: Block) -> None:
        """Do what a block shows."""
        shown = block.text
        for written, real in self.instead.items():
            shown = shown.replace(written, real)
        if (name := block.remarked("file")) is not None:
            (self.folder / name).write_text(shown, encoding="utf-8")
        elif (words := block.remarked("in the background until")) is not None:
            self._start(block, shown, words)
        elif block.language == "python":
            self._execute(block, shown)
        elif block.language == "sql":
            self._query(block, shown)
        elif block.language in ("sh", "console"):
            self._type(block, shown)

    def close(self) -> None:
        """End what was started in the background."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(PATIENCE)
            if process.stdout is not None:
                process.stdout.close()

    def _environment(self) -> dict[str, str]:
        rest = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
        tools = Path(sys.executable).parent
        path = f"{tools}{os.pathsep}{rest.get('PATH', '')}"
        return {**rest, "PATH": path, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "130", **self.environment}

    def _type(self, block: Block, shown: str) -> None:
        if block.language == "console":
            lines = [(match["command"], match["output"]) for match in _COMMAND.finditer(shown)]
            assert lines, f"{block}: no line begins with a prompt"
        else:
            lines = [(shown, "")]
        expected = [0] * (len(lines) - 1) + [int(block.remarked("exit code") or 0)]
        deadline = time.monotonic() + PATIENCE
        for (command, output), code in zip(lines, expected, strict=True):
            while problem := self._compare(command, output, code):
                assert block.remark == "repeat until it fits", f"{block}: {problem}"
                assert time.monotonic() < deadline, f"{block}: {problem}"

    def _compare(self, command: str, wanted: str, code: int) -> str:
        """Run one command; returns what is wrong with what came back."""
        result = subprocess.run(
            ["/bin/sh", "-e", "-c", command],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            # In one stream, as on a terminal.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if result.returncode != code:
            return f"{command} ended with exit code {result.returncode}, not {code}:\n{result.stdout}"
        if wanted and not fits(wanted, result.stdout):
            return f"{command} wrote\n{result.stdout}\nand not\n{wanted}"
        return ""

    def _start(self, block: Block, shown: str, words: str) -> None:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {shown}"],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.running.append(process)
        said: list[str] = []
        ready = threading.Event()

        def listen() -> None:
            for line in process.stdout or ():
                said.append(line)
                if words in line:
                    ready.set()
            ready.set()

        threading.Thread(target=listen, daemon=True).start()
        assert ready.wait(PATIENCE), f"{block}: {words!r} did not come: {''.join(said)}"
        assert any(words in line for line in said), f"{block}: it ended: {''.join(said)}"

    def _execute(self, block: Block, shown: str) -> None:
        """Run Python as one goes through a page: each block sees the names of those before it."""
        program = compile(shown, str(block), "exec")
        deadline = time.monotonic() + PATIENCE
        condition = block.remarked("until it holds") or "True"
        with chdir(self.folder), mock.patch.dict(os.environ, self._environment(), clear=True):
            exec(program, self.names)  # noqa: S102 - our own documentation
            while not eval(condition, self.names):  # noqa: S307 - as above
                assert time.monotonic() < deadline, f"{block}: {condition} does not come true"
                exec(program, self.names)  # noqa: S102 - as above

    def _query(self, block: Block, shown: str) -> None:
        assert self.database is not None, f"{block}: this page has no database"
        with self.database.read() as connection:
            assert connection.execute(text(shown)).all(), f"{block}: it answers no line"
