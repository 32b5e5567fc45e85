"""The stacks that are broken: as `docker-compose.yml` starts it, and as ``greenroom run`` does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from celery import Celery
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import RedisError

from benchmarks.chaos.gate import Gate
from benchmarks.chaos.services import Postgres, Provider, Service, Valkey, send, until
from cli.embedded_plan import stack_plan
from greenroom.client import Greenroom
from greenroom.errors import UnknownName
from greenroom.settings import Settings
from greenroom.settings_loader import load_settings
from greenroom.vault import Vault, new_secret_key
from models import Database
from models.channel import add_channel
from worker.checkout import CHECKOUT
from worker.embedded.ports import free_port
from worker.embedded.stack import Stack as Running
from worker.embedded.stack import embedded_stack
from worker.embedded.state_dir import StateDir
from worker.embedded.supervisor_process import ALLOCATOR

#: Short, so that a run is quick; `greenroom.settings` has 60 s for production.
LEASE_SECONDS = 10
#: How long an answer of the provider takes.
LATENCY = "50ms-150ms"
#: Seconds that a worker may take to be at work, on a busy machine.
START_PATIENCE = 90.0
#: And to answer, after all else is done: it may have been started again a moment ago.
ANSWER_PATIENCE = 30.0
#: Signs call-backs.
CALLBACK_SECRET = b64encode(b"chaos signs its call-backs by this one").decode()
#: What all stacks are told, besides where they are.
SETTINGS = {
    "GREENROOM_LEASE_SECONDS": str(LEASE_SECONDS),
    "GREENROOM_CONNECT_TIMEOUT": "3",
    "GREENROOM_READ_TIMEOUT": "5",
    "GREENROOM_SOURCE_HOSTS": "http://127.0.0.1:*",
    "GREENROOM_CALLBACK_HOSTS": "http://127.0.0.1:*",
    "GREENROOM_CALLBACK_SECRET": CALLBACK_SECRET,
}
PRODUCTION, EMBEDDED = "production", "embedded"
#: Seconds that a worker has to end what it has in hand, as in `docker-compose.yml`.
GRACE_SECONDS = 90.0
#: Seconds between two looks at whether a worker has ended.
LOOK_EVERY = 0.1


class Stack(ABC):
    """A running stack.

    Attributes:
        name: ``production`` or ``embedded``.
        folder: of its logs, and where its control files are.
        settings: what its workers run with.
        database: our own way to its database; PostgreSQL's superuser.
        provider: the sandbox.
        gate: what stands before it, if anything does.
    """

    name: str
    folder: Path
    settings: Settings
    database: Database
    provider: Provider
    gate: Gate | None = None

    @property
    def controls(self) -> Path:
        """Where workers look for what shall go wrong with them; see `benchmarks.chaos.points`."""
        return self.folder / "controls"

    @property
    @abstractmethod
    def uploaders(self) -> Sequence[str]:
        """The names of the workers that upload."""

    @property
    @abstractmethod
    def inspector(self) -> str:
        """The name of the worker that looks at files."""

    @abstractmethod
    def pid(self, name: str) -> int:
        """Of a worker's main process, as it is now."""

    @abstractmethod
    def ended(self) -> list[str]:
        """Processes that ended without our doing since the last call."""

    @abstractmethod
    def expect_end(self, name: str) -> None:
        """Whatever ends this process next is our doing."""

    @property
    def workers(self) -> list[str]:
        """All of them."""
        return [*self.uploaders, self.inspector]

    def family(self, name: str) -> list[psutil.Process]:
        """A worker and its pool processes, itself first."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid(name))
            return [process, *process.children(recursive=True)]
        return []

    def kill(self, *names: str) -> None:
        """``kill -9`` to workers and their pool processes, all at once; they are started again."""
        family = [process for name in names for process in self.family(name)]
        for name in names:
            self.expect_end(name)
        send(family, signal.SIGKILL)

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """Stop workers for as long as the block runs."""
        family = [process for name in names for process in self.family(name)]
        send(family, signal.SIGSTOP)
        try:
            yield
        finally:
            send(family, signal.SIGCONT)

    def redis(self) -> Redis:
        """A new connection to the broker."""
        return Redis.from_url(self.settings.redis_url.get_secret_value(), socket_timeout=5)

    def client(self, timeout: float = 15.0) -> Greenroom:
        """A scheduler's."""
        return Greenroom(self.settings.celery_broker, timeout=timeout)

    def silent(self) -> int:
        """How many workers do not answer a ping, though they are given the time to start."""
        app = Celery("chaos", broker=self.settings.celery_broker, set_as_current=False)
        deadline = time.monotonic() + ANSWER_PATIENCE
        try:
            while True:
                answers: list[dict[str, Any]] | None = None
                # A connection of its own: those in Celery's pool may have been cut.
                with suppress(OSError, RedisError), app.connection_for_write() as connection:
                    answers = app.control.ping(timeout=3.0, limit=len(self.workers), connection=connection)
                left = len(self.workers) - len(answers or ())
                if left <= 0 or time.monotonic() > deadline:
                    return max(left, 0)
        finally:
            app.close()

    def add_channel(self, channel_id: str, key: str) -> None:
        """As ``greenroom channel add`` does, for a new channel or a new key."""
        with self.database.write() as connection:
            add_channel(
                connection,
                channel_id=channel_id,
                api_base_url=self.settings.api_base_url,
                api_key=Vault(self.settings.secret_key).encrypt(SecretStr(key)),
                now=datetime.now(UTC),
            )

    def await_answer(self) -> None:
        """Wait until a worker answers a scheduler."""
        client = self.client(START_PATIENCE)
        try:
            with suppress(UnknownName):
                client.resolve("none", ["none"])
        finally:
            client.close()


class Worker(Service):
    """A part of Celery that is started again whenever it ends (`restart: unless-stopped`)."""

    expected = False


class Production(Stack):
    """PostgreSQL, a broker, two workers that upload, one that inspects, and beat, all of one checkout."""

    name = PRODUCTION
    uploaders = ("upload-1", "upload-2")
    inspector = "inspect"

    def __init__(
        self, folder: Path, provider: Provider, url: str, more: Mapping[str, str], code: Path = CHECKOUT
    ) -> None:
        self.folder, self.provider, self._code = folder, provider, code
        self.controls.mkdir()
        #: Where files that come over HTTP are kept while they are worked on.
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.broker = Valkey(folder, free_port())
        self.postgres = Postgres(folder, free_port())
        self.environment = {
            "GREENROOM_DATABASE_URL": self.postgres.address("greenroom"),
            "GREENROOM_REDIS_URL": self.broker.url,
            "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
            "GREENROOM_API_BASE_URL": url,
            "GREENROOM_MEDIA_ROOTS": "/",
            **SETTINGS,
            **more,
        }
        self.settings = load_settings(self.environment, dotenv=None)
        self.database = Database(SecretStr(self.postgres.address("postgres")))
        self._workers = {worker.name: worker for worker in self._make_workers()}
        self._by_themselves: list[str] = []
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def _make_workers(self) -> Iterator[Worker]:
        """As in `docker-compose.yml`, and with the points at which they may be killed."""
        uploading = ("-Q", "upload,control", "--pool", "threads", "--concurrency", "64")
        points = ("-I", "benchmarks.chaos.points", "--loglevel", "INFO")
        for name in self.uploaders:
            yield self._celery(name, "worker", *uploading, "--hostname", f"{name}@%h", *points)
        looking = ("-Q", "inspection,control", "--pool", "threads", "--concurrency", "2")
        inspecting = (*looking, "--hostname", "inspect@%h")
        yield self._celery(self.inspector, "worker", *inspecting, *points)
        yield self._celery("beat", "beat", "--schedule", str(self.folder / "schedule"), "--loglevel", "INFO")

    def _celery(self, name: str, *words: str) -> Worker:
        rest = {key: value for key, value in os.environ.items() if not key.startswith("GREENROOM_")}
        ours = {"PYTHONPATH": str(self._code), "TMPDIR": str(self.spool)}
        ours |= {"CHAOS_CONTROLS": str(self.controls), "CHAOS_NAME": name}
        return Worker(
            name,
            [sys.executable, "-m", "celery", "-A", "worker", *words],
            folder=self.folder,
            environment={**ALLOCATOR, **rest, **self.environment, **ours},
        )

    def start(self) -> None:
        """Start all of it, and wait until it answers."""
        self.broker.start()
        self.postgres.start()
        self.postgres.make_database()
        self.migrate(self._code)
        for worker in self._workers.values():
            worker.start()
        self._keeper.start()
        self.await_answer()
        for name in self.workers:
            until(lambda name=name: " ready." in self.log_of(name), f"{name} is ready")  # type: ignore[misc]  # bound at once

    def migrate(self, code: Path) -> None:
        """Bring the tables to the newest revision that this code has."""
        subprocess.run(
            [sys.executable, "-m", "alembic", "-c", str(code / "alembic.ini"), "upgrade", "head"],
            cwd=self.folder,
            env={**os.environ, **self.environment, "PYTHONPATH": str(code)},
            check=True,
            capture_output=True,
        )

    def replace(self, name: str, code: Path) -> None:
        """Let a worker, or beat, end what it has in hand; from now on it is of this code."""
        worker, before = self._workers[name], self._workers[name].pid
        worker.environment["PYTHONPATH"] = str(code)
        worker.expected = True
        os.kill(before, signal.SIGTERM)
        # It is started again by who watches over all of them.
        until(lambda: worker.pid != before, f"{name} has ended", patience=GRACE_SECONDS)

    def log_of(self, name: str) -> str:
        """All that a worker, or beat, has said."""
        return self._workers[name].log.read_text(errors="replace")

    def pid(self, name: str) -> int:
        """Of a worker's main process, as it is now."""
        return self._workers[name].pid

    def expect_end(self, name: str) -> None:
        """Whatever ends this process next is our doing."""
        self._workers[name].expected = True

    def ended(self) -> list[str]:
        """Processes that ended without our doing since the last call."""
        found, self._by_themselves = self._by_themselves, []
        return found

    def _keep(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            for worker in self._workers.values():
                if worker.ended:
                    if not worker.expected:
                        self._by_themselves.append(worker.name)
                    worker.expected = False
                    # Its pool processes may outlive it for a moment; so does compose's container not.
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(worker.pid, signal.SIGKILL)
                    worker.start()

    def stop(self) -> None:
        """End everything."""
        self._stopping.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for worker in self._workers.values():
            if worker.process is not None:
                worker.kill()
        self.database.close()
        self.postgres.stop(signal.SIGINT)
        self.broker.kill()


class Embedded(Stack):
    """What ``greenroom run`` starts: a supervisor, Valkey, SQLite, workers and beat."""

    name = EMBEDDED
    uploaders = ("worker-1", "worker-2")
    inspector = "worker-inspection"

    def __init__(self, folder: Path, provider: Provider, running: Running) -> None:
        self.folder, self.provider = folder, provider
        self.state_dir = StateDir(folder=folder / "home")
        self.settings = running.settings
        self.database = Database(running.settings.database_url)
        self._running = running
        self._expected: list[str] = []

    def pid(self, name: str) -> int:
        """Of a worker's main process, or of the broker, as it is now."""
        return self.state_dir.noted_pid(name)

    def expect_end(self, name: str) -> None:
        """Whatever ends this process next is our doing."""
        self._expected.append(name)

    def ended(self) -> list[str]:
        """Processes that the supervisor has started again without our having ended them."""
        found = []
        for name in self._running.news():
            if name in self._expected:
                self._expected.remove(name)
            else:
                found.append(name)
        return found

    def kill_broker(self) -> None:
        """``kill -9``; the supervisor starts it again."""
        pid = self.pid("broker")
        self.expect_end("broker")
        os.kill(pid, signal.SIGKILL)
        # The supervisor sees it at once, and starts another one.
        time.sleep(1)


@contextmanager
def provider_running(folder: Path, latency: str = LATENCY) -> Iterator[Provider]:
    """A sandbox."""
    provider = Provider(folder, latency=latency)
    provider.start()
    try:
        provider.wait_until_up(lambda: "ready" in provider.log.read_text())
        yield provider
    finally:
        provider.kill()


@contextmanager
def production(folder: Path, *, tls: bool = False, latency: str = LATENCY) -> Iterator[Production]:
    """A production stack that is up.

    Args:
        folder: an empty one.
        tls: whether the provider is behind a gate that speaks TLS.
        latency: of the provider's answers.
    """
    with provider_running(folder, latency) as provider:
        gate = Gate(folder / "gate", provider.port) if tls else None
        # By its name: it can be made not to be found.
        url = gate.url if gate else f"http://localhost:{provider.port}"
        more = {"GREENROOM_CA_BUNDLE": str(gate.authority)} if gate else {}
        stack = Production(folder, provider, url, more)
        stack.gate = gate
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
            if gate:
                gate.stop()


@contextmanager
def embedded(folder: Path) -> Iterator[Embedded]:
    """An embedded stack that is up."""
    with provider_running(folder) as provider:
        url = f"http://localhost:{provider.port}"
        plan = stack_plan(
            folder / "home", workers=2, concurrency=2, sandbox=False, latency="0", media=[Path("/")]
        )
        plan.environment.update(GREENROOM_API_BASE_URL=url, **SETTINGS)
        with embedded_stack(plan) as running:
            stack = Embedded(folder, provider, running)
            try:
                stack.await_answer()
                yield stack
            finally:
                stack.database.close()
