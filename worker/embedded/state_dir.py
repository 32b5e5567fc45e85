"""The embedded stack's state folder: with its database, broker, keys, logs, and who runs there."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from greenroom.errors import Misuse
from greenroom.vault import new_secret_key

#: Seconds that a process of an earlier run has to end by itself.
STALE_PATIENCE = 5.0


#: What a stack leaves in its state folder, beside the lock: never anything that a user has put there.
_LEAVINGS = frozenset(
    {
        *("greenroom.db", "greenroom.db-shm", "greenroom.db-wal", "secret.key"),
        *("broker", "sandbox", "fixed", "logs", "processes.json", "processes.new"),
        "media-roots.json",
        *("beat", "beat.bak", "beat.dat", "beat.db", "beat.dir"),
    }
)


@dataclass(frozen=True, kw_only=True)
class StateDir:
    """Where an embedded stack keeps everything."""

    folder: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "greenroom.db"

    @property
    def database_url(self) -> str:
        """Its address for SQLAlchemy."""
        return f"sqlite:///{self.database.absolute()}"

    @property
    def broker(self) -> Path:
        """Valkey's folder, with its append-only file."""
        return self.folder / "broker"

    @property
    def sandbox(self) -> Path:
        """The sandbox's folder, with the media that it holds."""
        return self.folder / "sandbox"

    @property
    def fixed(self) -> Path:
        """The files that were fixed."""
        return self.folder / "fixed"

    @property
    def fetched(self) -> Path:
        """The files that were fetched, for a while."""
        return self.folder / "fetched"

    @property
    def media_roots(self) -> Path:
        """The paths that its user has named on the command line, by now: a list in JSON."""
        return self.folder / "media-roots.json"

    def allow(self, paths: Iterable[Path]) -> None:
        """Let files be opened at these paths, in this run and in later ones, which renew this one's media.

        A single file is itself alone, and not what a link in its place may lead to later.

        Raises:
            Misuse: it cannot be written down.
        """
        named = {str(path.absolute() if path.is_dir() else path.resolve()) for path in paths}
        try:
            known = set(json.loads(self.media_roots.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            known = set()
        if named <= known and self.media_roots.exists():
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self.media_roots.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps(sorted(named | known)), encoding="utf-8")
            draft.replace(self.media_roots)
        except OSError as error:
            raise Misuse(
                f"{self.folder} cannot be made ({error.strerror}). Give another folder with --state."
            ) from error

    @property
    def logs(self) -> Path:
        """A log for each process."""
        return self.folder / "logs"

    @property
    def secret_key(self) -> Path:
        """The file that holds GREENROOM_SECRET_KEY."""
        return self.folder / "secret.key"

    @property
    def settings(self) -> dict[str, str]:
        """Those of whoever works here that are the same at each start."""
        return {
            "GREENROOM_DATABASE_URL": self.database_url,
            "GREENROOM_SECRET_KEY_FILE": str(self.secret_key.absolute()),
            "GREENROOM_STATE_FOLDER": str(self.folder.absolute()),
            "GREENROOM_LEASE_SECONDS": "15",
            # Its logs are files that people read.
            "GREENROOM_LOG_FORMAT": "text",
            "GREENROOM_FIXED_FOLDER": str(self.fixed.absolute()),
            "GREENROOM_SOURCE_CACHE_FOLDER": str(self.fetched.absolute()),
        }

    @property
    def processes(self) -> Path:
        """Which processes run, so that none of them outlives a killed stack for long."""
        return self.folder / "processes.json"

    def prepare(self) -> None:
        """Make what is missing; the folder is nobody else's business."""
        for folder in (self.folder, self.broker, self.sandbox, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.secret_key.exists():
            handle = os.open(self.secret_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(new_secret_key().get_secret_value())

    def begin_anew(self) -> None:
        """Remove what earlier stacks have left here, and nothing else.

        Raises:
            Misuse: there are files, and nothing shows that a stack was ever here.
        """
        entries = [path for path in self.folder.iterdir() if path.name != "lock"]
        if entries and not self._was_lived_in():
            raise Misuse(
                f"{self.folder} holds files that Greenroom did not make. Give another folder with --state."
            )
        # The key last: it is what shows that the rest is ours.
        for path in sorted(entries, key=lambda path: path.name == self.secret_key.name):
            if path.name in _LEAVINGS:
                _remove(path)

    def _was_lived_in(self) -> bool:
        """Whether the key is here that each stack makes for itself."""
        try:
            return stat.S_ISREG(self.secret_key.lstat().st_mode)
        except OSError:
            return False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the folder to this process.

        Raises:
            Misuse: another stack runs there.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Misuse(
                f"{self.folder} cannot be made ({error.strerror}). Give another folder with --state."
            ) from error
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Misuse(
                    f"Another Greenroom is at work in {self.folder}. Wait for it to end, or give another "
                    "folder with --state."
                ) from None
            yield

    def write_processes(self, processes: dict[str, int]) -> None:
        """Note which processes run: name and ID."""
        rows = {name: _identity(pid) for name, pid in processes.items()}
        draft = self.processes.with_suffix(".new")
        draft.write_text(json.dumps(rows), encoding="utf-8")
        draft.replace(self.processes)

    def noted(self) -> dict[str, int]:
        """The processes that were noted: name and ID."""
        rows = json.loads(self.processes.read_text(encoding="utf-8"))
        return {name: int(row["pid"]) for name, row in rows.items()}

    def noted_pid(self, name: str) -> int:
        """The ID of a process that was noted.

        Raises:
            KeyError: none of that name was.
        """
        return self.noted()[name]

    def stop_stale(self) -> list[str]:
        """End what an earlier, killed stack has left running; returns their names.

        A process counts as left behind only if its ID and its start time are the noted ones.
        """
        try:
            rows: dict[str, Any] = json.loads(self.processes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        left = {name: process for name, row in rows.items() if (process := _same_process(row))}
        family = [child for process in left.values() for child in _children(process)]
        everyone = [*left.values(), *family]
        for process in everyone:
            _quietly(process.terminate)
        _, alive = psutil.wait_procs(everyone, timeout=STALE_PATIENCE)
        for process in alive:
            _quietly(process.kill)
        psutil.wait_procs(alive, timeout=STALE_PATIENCE)
        self.processes.unlink(missing_ok=True)
        return sorted(left)


def _remove(path: Path) -> None:
    """Remove a file, a folder with all that is in it, or a link but not what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _identity(pid: int) -> dict[str, float]:
    try:
        return {"pid": pid, "started": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess:
        return {"pid": pid, "started": 0.0}


def _same_process(row: dict[str, float]) -> psutil.Process | None:
    try:
        process = psutil.Process(int(row["pid"]))
        return process if process.create_time() == row["started"] else None
    except psutil.NoSuchProcess:
        return None


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _quietly(action: Any) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        return
