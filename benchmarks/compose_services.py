"""The processes that `docker-compose.yml` starts by default, by its commands and settings, without Docker.

Database and broker are those of the benchmark; addresses, ports and folders of containers become ours.
"""

from __future__ import annotations

import os
import re
import resource
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.chaos.services import Service
from greenroom.vault import new_secret_key
from tests.support.compose import services
from worker.checkout import CHECKOUT
from worker.embedded.ports import free_port

FILE = "docker-compose.yml"
IMAGE = "Dockerfile"
#: What `.env` has to say, of whom nothing here asks a password.
PASSWORDS = dict.fromkeys(("POSTGRES_PASSWORD", "REDIS_PASSWORD", "FLOWER_PASSWORD"), "unused")
#: Folders of a container's own.
FOLDERS = ("tmp", "flower", "fixed", "media-in", "spool")
_ENV = re.compile(r"^ENV (.+)$", re.MULTILINE)


class ComposeServices:
    """The services of a checkout, each with a folder of its own.

    Attributes:
        running: by name.
        checks: each one's health check, and the seconds between two.
    """

    def __init__(self, folder: Path, *, database: str, redis: str, code: Path = CHECKOUT) -> None:
        self._folder, self._code = folder, code
        self._addresses = {"GREENROOM_DATABASE_URL": database, "GREENROOM_REDIS_URL": redis}
        self.running: dict[str, Service] = {}
        self.checks: dict[str, tuple[list[str], float]] = {}
        environment = {**PASSWORDS, "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value()}
        for name, service in services(code / FILE, environment).items():
            if "build" in service and "profiles" not in service and service["restart"] != "no":
                self._add(name, service)

    def _add(self, name: str, service: Mapping[str, Any]) -> None:
        own, port = self._folder / name, free_port()
        for folder in FOLDERS:
            (own / folder).mkdir(parents=True)

        def here(word: str) -> str:
            for folder in FOLDERS:
                word = re.sub(rf"(?<![\w.])/{folder}(?=/|$|\s)", str(own / folder), word)
            return word.replace("/app/", f"{self._code}/").replace("5555", str(port))

        given = {key: here(str(value)) for key, value in service["environment"].items()}
        command = [here(word) for word in service["command"]]
        environment = {**_of_the_image(self._code), **given, "TMPDIR": str(own / "spool")}
        # Who gets no database keeps none.
        ours = {key: value for key, value in self._addresses.items() if "nobody@" not in given[key]}
        self.running[name] = Service(name, _program(command), folder=own, environment={**environment, **ours})
        kind, *words = service["healthcheck"]["test"]
        words = [here(word) for word in words]
        check = ["sh", "-c", *words] if kind == "CMD-SHELL" else _program(words)
        self.checks[name] = (check, float(service["healthcheck"]["interval"].removesuffix("s")))

    def start(self) -> None:
        """Start all."""
        for service in self.running.values():
            service.start()

    def stop(self) -> None:
        """End all, with what they have started."""
        for service in self.running.values():
            service.stop()
            service.kill()

    @contextmanager
    def checked(self) -> Iterator[HealthChecks]:
        """Look at each one's health as often as Docker does, for as long as the block runs."""
        checks = HealthChecks(self.checks, self.running)
        checks.start()
        try:
            yield checks
        finally:
            checks.stop()


class HealthChecks:
    """Runs health checks; what Docker itself computes for them is not seen.

    Attributes:
        failed: what they said of whoever was not well.
    """

    def __init__(self, checks: Mapping[str, tuple[list[str], float]], running: Mapping[str, Service]) -> None:
        self.failed: list[str] = []
        self._checks, self._running = checks, running
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(name,)) for name in checks]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    @staticmethod
    def cpu() -> float:
        """Seconds of all that this process has started and waited for: checks, and nothing else meanwhile."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def _run(self, name: str) -> None:
        command, every = self._checks[name]
        while not self._over.wait(every):
            done = subprocess.run(
                command, env=self._running[name].environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                self.failed.append(f"{name}: {shlex.join(command)}: {done.stderr[-500:]}")


def _program(command: list[str]) -> list[str]:
    """With the programs of our own environment, where the image has its own."""
    first, *rest = command
    own = {"greenroom": [sys.executable, "-P", "-m", "cli"], "python": [sys.executable]}
    here = str(Path(sys.executable).parent / first)
    return [*own.get(first, [here if Path(here).exists() else first]), *rest]


def _of_the_image(code: Path) -> dict[str, str]:
    """What the image sets for all of its processes, and what they need of ours."""
    text = "\n".join(_ENV.findall((code / IMAGE).read_text(encoding="utf-8")))
    said = dict(word.split("=", 1) for word in shlex.split(text) if "=" in word)
    own = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
    return {**own, **said, "PATH": os.environ["PATH"], "PYTHONPATH": str(code)}


def await_checks(stack: ComposeServices, *, seconds: float) -> None:
    """Wait until each service is healthy.

    Raises:
        RuntimeError: one is not in time, with the end of its log.
    """
    deadline = time.monotonic() + seconds
    for name, (command, _) in stack.checks.items():
        service = stack.running[name]
        while subprocess.run(command, env=service.environment, capture_output=True, check=False).returncode:
            if service.ended or time.monotonic() > deadline:
                raise RuntimeError(f"{name}: {service.log.read_text(errors='replace')[-2000:]}")
            time.sleep(1)
