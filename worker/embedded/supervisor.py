"""The embedded stack's supervisor: starts the broker, the sandbox and workers, and ends them all.

It is a process of its own, so that nothing is left behind however its user ends: it lives exactly as long as
the pipe on its standard input. A user that is interrupted, killed or closed with its terminal closes the
pipe, and the supervisor takes everything down. A child that dies meanwhile is started again.

Protocol: one JSON object on standard input says what to run (:class:`Plan`); standard output answers one
JSON object a line, first ``{"ready": {...}}`` or ``{"error": "..."}``, later ``{"restarted": "worker 1"}``.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy.orm import configure_mappers

import worker
from greenroom.errors import GreenroomError, Misuse
from greenroom.rate_limit.limiter import Limiter
from greenroom.settings_loader import load_settings
from sandbox.stamped_socket import ACCEPT_QUEUE, listening_socket
from worker.embedded import programs
from worker.embedded.broker import Broker, ValkeyServerError, ValkeyServerNotStartedError
from worker.embedded.child import TOO_OFTEN, TOO_SOON, Child, end_process, endings
from worker.embedded.parent_pipe import asked_to_end, end_if_alone, first_line, input_ended, say_to_parent
from worker.embedded.ports import free_port
from worker.embedded.schema_upgrade import prepare_database
from worker.embedded.stack_plan import SERVICE_START_SECONDS, StackPlan
from worker.embedded.state_dir import StateDir

#: Seconds between two looks at the children, and between two questions to the broker whether it answers; on
#: Linux, one that ends is seen at once.
CHILD_CHECK_SECONDS = 2.0 if sys.platform == "linux" else 0.25
#: The provider's second, with the longest margin that a window has.
A_SECOND_AND_MORE = timedelta(seconds=1.1)
#: What the names of workers begin with.
WORKER = "worker-"


class Supervisor:
    """Runs a plan until it is told to end."""

    def __init__(self, plan: StackPlan) -> None:
        self.plan = plan
        self.state_dir = StateDir(folder=Path(plan.state_dir))
        self.broker: Broker | None = None
        self.children: list[Child] = []
        self.addresses: dict[str, str] = {}
        self._door: socket.socket | None = None
        self._started_at = datetime.now(UTC)

    def run(self) -> None:
        """Start everything, say so, watch it until the user is gone, end everything."""
        with self.state_dir.locked():
            try:
                self.state_dir.prepare()
                self.state_dir.stop_stale()
                self._start()
                say_to_parent(ready={**self.addresses, "environment": self._settings()})
                self._start_sandbox()
                self._watch()
            finally:
                self._stop()

    def _start(self) -> None:
        self._started_at = datetime.now(UTC)
        os.chdir(self.state_dir.logs)
        self._start_broker(free_port())
        if self.plan.sandbox:
            # It listens before there is anybody who answers: whoever asks waits for that, and nobody else.
            self._door = listening_socket("127.0.0.1", 0, backlog=ACCEPT_QUEUE)
            self.addresses["sandbox"] = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        os.environ.update(self._settings())
        prepare_database(load_settings(dotenv=None).database_url, self.state_dir.folder)
        _share_what_is_loaded()
        self._await_broker()
        # Once: a broker that is started again may have forgotten who uploaded.
        _note_sole_uploader(self.addresses["redis"])
        self._start_child(f"{WORKER}1", programs.run_uploader, 1, str(self.state_dir.folder / "beat"))
        for number in range(2, self.plan.workers + 1):
            self._start_child(f"{WORKER}{number}", programs.run_uploader, number)
        self._start_child(f"{WORKER}inspection", programs.run_inspector, self.plan.concurrency)
        if self.plan.flower:
            port = free_port()
            self.addresses["flower"] = f"http://127.0.0.1:{port}"
            self._start_child("flower", programs.run_flower, port)

    def _start_sandbox(self) -> None:
        """Last, for it is needed last.

        What it alone needs is loaded here: whoever loads writes to what is there already, a page in four.
        """
        if self._door is not None:
            programs.load_sandbox()
            gc.freeze()
            given = (self._door, self.plan.latency, str(self.state_dir.sandbox))
            self._start_child("sandbox", programs.run_sandbox, *given)

    def _start_broker(self, port: int) -> None:
        self.broker = Broker(port=port, folder=self.state_dir.broker)
        self.broker.start()
        self.addresses["redis"] = f"redis://127.0.0.1:{port}/0"
        self._note()

    def _await_broker(self) -> None:
        if self.broker is not None:
            self.broker.await_ready(SERVICE_START_SECONDS)

    def _start_child(self, name: str, run: Callable[..., None], *arguments: Any) -> None:
        end_if_alone()
        child = Child(name=name, run=run, arguments=arguments, log=self.state_dir.logs / f"{name}.log")
        child.start()
        self.children.append(child)
        self._note()

    def _settings(self) -> dict[str, str]:
        # Whoever uploaded for this state folder before has ended: it is locked. And to a sandbox that is
        # started here, nobody can have uploaded before.
        alone_since = self._started_at - (A_SECOND_AND_MORE if self.plan.sandbox else timedelta())
        settings = {
            **self.state_dir.settings,
            "GREENROOM_SOLE_UPLOADER_SINCE": alone_since.isoformat(),
            "GREENROOM_REDIS_URL": self.addresses["redis"],
            "GREENROOM_BROKER_URL": self.addresses["redis"],
        }
        if self.plan.sandbox:
            settings["GREENROOM_API_BASE_URL"] = self.addresses["sandbox"]
        return {**settings, **self.plan.environment}

    def _note(self) -> None:
        running = {child.name: child.pid for child in self.children if child.pid is not None}
        broker = {} if self.broker is None else {"broker": self.broker.pid}
        self.state_dir.write_processes({**running, **broker})

    def _watch(self) -> None:
        """Until standard input ends: start again what has died."""
        while not self._user_is_gone():
            if self.broker is not None and self.broker.has_ended:
                port = self.broker.port
                self.broker.stop()
                self._start_broker(port)
                self._await_broker()
                say_to_parent(restarted="broker")
            for child in self.children:
                if child.dead():
                    self._start_again(child)

    def _user_is_gone(self) -> bool:
        """Whether standard input has ended; a process that ends, or some time, ends the wait for that."""
        children = [child.pid for child in self.children if child.pid is not None]
        with endings([*children, *([] if self.broker is None else [self.broker.pid])]) as ends:
            return input_ended(CHILD_CHECK_SECONDS, unless=ends)

    def _start_again(self, child: Child) -> None:
        # What it had started may still run: a pool process outlives its killed parent.
        child.signal_family(signal.SIGKILL)
        quick = time.monotonic() - child.started_at < TOO_SOON
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        if child.quick_deaths >= TOO_OFTEN:
            raise Misuse(f"{child.name} ends as soon as it is started:\n{_tail(child.log)}")
        child.start()
        self._note()
        say_to_parent(restarted=child.name)

    def _stop(self) -> None:
        # Workers first, while there is still somebody to upload to: what is in flight is to be recorded.
        others = [child for child in self.children if child.name == "sandbox"]
        end_process([child for child in self.children if child not in others])
        for child in others:
            child.ask_to_end()
        if self.broker is not None:
            with suppress(ValkeyServerNotStartedError):
                self.broker.stop()
        end_process(others)
        self.state_dir.processes.unlink(missing_ok=True)


def _note_sole_uploader(address: str) -> None:
    """Tell a broker that was just started that all who upload by it are started now."""
    with Redis.from_url(address) as redis:
        Limiter(redis).note_sole_uploader()


def _share_what_is_loaded() -> None:
    """Make the app before it is needed; and leave all that there is by now as it is, so that it stays shared.

    Whoever looks for garbage writes to each object that it looks at.
    """
    configure_mappers()
    worker.app.finalize(auto=True)
    gc.freeze()
    gc.enable()


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
    except OSError:
        return "(no log)"


def main() -> int:
    """Run the plan that standard input's first line holds."""
    signal.signal(signal.SIGTERM, asked_to_end)
    signal.signal(signal.SIGHUP, asked_to_end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    programs.load_all()
    line = first_line()
    if not line:
        return 0
    try:
        Supervisor(StackPlan(**json.loads(line))).run()
    except (GreenroomError, ValkeyServerError, OSError) as error:
        say_to_parent(error=str(error))
        return 1
    return 0
