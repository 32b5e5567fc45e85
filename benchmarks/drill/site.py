"""Where the drill is held: a production stack with its exporter and a Prometheus, and what breaks it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.chaos.campaign import Channel as Number
from benchmarks.chaos.campaign import File, make_files, plan_of
from benchmarks.chaos.observation import Sandbox
from benchmarks.chaos.services import Service, until
from benchmarks.chaos.stack import Production, provider_running
from benchmarks.drill.prometheus import Prometheus
from greenroom.errors import GreenroomError
from greenroom.manifest import ManifestItem
from worker.checkout import CHECKOUT
from worker.embedded.ports import free_port

#: Answers may take long in a drill without being given up.
SETTINGS = {"GREENROOM_READ_TIMEOUT": "60"}
#: Seconds that a worker may take to answer, on a busy machine.
ANSWER_SECONDS = 60.0
#: Seconds after which a worker asks the broker about its present queues alone.
LAST_LOOK_SECONDS = 3.0
#: Files that the drill has at hand.
FILES = 900


@dataclass(kw_only=True)
class Site:
    """What a fault has at hand.

    Attributes:
        stack: the installation that is broken.
        sandbox: the provider.
        exporter: the process that is scraped.
        prometheus: who sees it.
        files: images of different content.
    """

    stack: Production
    sandbox: Sandbox
    exporter: Service
    prometheus: Prometheus
    files: list[File]
    _used: int = 0
    _numbers: dict[str, Number] = field(default_factory=dict)

    def number(self, name: str) -> Number:
        """A channel of this name, with a key of its own."""
        if name not in self._numbers:
            self._numbers[name] = Number(id=name, keys=[f"key-of-{name}"])
            self.stack.add_channel(name, f"key-of-{name}")
        return self._numbers[name]

    def submit(self, campaign: str, count: int, *, hours: float = 1.0) -> list[File]:
        """Hand over a campaign of its own number, of files that no other one has."""
        files = self.files[self._used : self._used + count]
        self._used += count
        self.submit_again(campaign, files, hours=hours)
        return files

    def submit_again(self, campaign: str, files: list[File], *, hours: float = 1.0) -> None:
        """Hand over the same files once more."""
        plan = plan_of(campaign, self.number(f"number-of-{campaign}"), hours=hours)
        items = [ManifestItem(ref=file.path.name, source=str(file.path)) for file in files]
        # Workers that a drill has killed may take long to be there again.
        client = self.stack.client(ANSWER_SECONDS)
        try:
            client.submit(plan, items)
        finally:
            client.close()

    def await_uploading(self) -> None:
        """Wait until a worker has files in flight."""
        self._await("SELECT 1 FROM assets WHERE state = 'uploading'", 1)

    def await_ready(self, campaign: str, count: int) -> None:
        """Wait until so many files of a campaign have their media IDs."""
        self._await(f"SELECT 1 FROM ready_media WHERE campaign_id = '{campaign}'", count)  # noqa: S608 - of ours

    def _await(self, statement: str, rows: int) -> None:
        until(lambda: len(self.stack.postgres.sql(statement)) >= rows, statement)

    def at_the_provider(self, **fault: Any) -> None:
        """Have the provider do this."""
        self.sandbox.faults(fault)

    def let_an_hour_pass(self) -> None:
        """For what the provider is taken to have counted: refused uploads of earlier drills, too."""
        self.sql("UPDATE lookup_failures SET at = at - interval '1 hour'")

    def tell(self, worker: str, *words: str) -> None:
        """Tell a worker something by `celery control`, and wait until it has been done."""
        to = ("--destination", f"{worker}@{socket.gethostname()}", "--timeout", str(ANSWER_SECONDS))
        celery = (sys.executable, "-m", "celery", "--quiet", "-A", "worker", "control")
        subprocess.run(
            [*celery, *to, *words], env=_environment(self.stack), check=True, stdout=subprocess.DEVNULL
        )
        # The worker's last look at its queues, which may have begun before, takes a second.
        time.sleep(LAST_LOOK_SECONDS)

    def sql(self, statement: str) -> None:
        """Let time pass in the tables, or look away."""
        self.stack.postgres.sql(statement)

    def await_firing(self, names: set[str], patience: float) -> float:
        """Wait until these alerts fire; returns how many seconds it took."""
        began = time.monotonic()
        until(lambda: names <= self._firing(), f"{sorted(names)} fire", patience=patience, every=0.5)
        return time.monotonic() - began

    def await_end(self, names: set[str], patience: float) -> float:
        """Wait until none of these fires; returns how many seconds it took."""
        began = time.monotonic()
        until(lambda: not names & self._firing(), f"{sorted(names)} end", patience=patience, every=0.5)
        return time.monotonic() - began

    def _firing(self) -> set[str]:
        return self.prometheus.firing()


def post_elsewhere(address: str, key: str, image: bytes) -> None:
    """Upload as another program does that keeps to no pace."""
    head = (
        b'--x\r\nContent-Disposition: form-data; name="messaging_product"\r\n\r\nwhatsapp\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n"
    )
    request = urllib.request.Request(  # noqa: S310 - our own sandbox
        f"{address}/media",
        data=head + image + b"\r\n--x--\r\n",
        headers={"D360-API-KEY": key, "Content-Type": "multipart/form-data; boundary=x"},
    )
    with suppress(OSError), urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        answer.read()


@contextmanager
def running_site(folder: Path, program: str) -> Iterator[Site]:
    """All of it, up.

    Args:
        folder: an empty one.
        program: Prometheus's.
    """
    with provider_running(folder) as provider:
        address = f"http://localhost:{provider.port}"
        stack = Production(folder, provider, address, SETTINGS)
        port = free_port()
        exporter = Service(
            "exporter",
            [sys.executable, "-m", "cli", "metrics", "--port", str(port)],
            folder=folder,
            environment=_environment(stack),
        )
        prometheus = Prometheus(program, folder, exporter_port=port)
        try:
            stack.start()
            exporter.start()
            prometheus.start()
            yield Site(
                stack=stack,
                sandbox=Sandbox(address),
                exporter=exporter,
                prometheus=prometheus,
                files=make_files(folder / "files", FILES),
            )
        finally:
            prometheus.stop()
            exporter.stop()
            with suppress(GreenroomError, OSError):
                stack.stop()


def _environment(stack: Production) -> Mapping[str, str]:
    return {**os.environ, **stack.environment, "PYTHONPATH": str(CHECKOUT)}
