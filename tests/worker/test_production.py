"""Workers and beat as in production: PostgreSQL, `celery -A worker`, a scheduler, and what Flower sees."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from celery import Celery
from redis import Redis
from sqlalchemy import text

from examples import spring_sale
from greenroom.client import Greenroom
from greenroom.folder_items import items_of_paths
from sandbox.testing import RunningSandbox
from tests.support.production import CHANNEL, KEY, PATIENCE, Production, plan, wait_for


class Events:
    """Everything that Flower gets to see."""

    def __init__(self, redis_url: str) -> None:
        self.seen: list[dict[str, Any]] = []
        self._app = Celery(broker=redis_url, set_as_current=False)
        self._connection = self._app.connection_for_read()
        self._receiver = self._app.events.Receiver(self._connection, handlers={"*": self.seen.append})
        self._thread = threading.Thread(target=self._capture, daemon=True)
        self._thread.start()

    def _capture(self) -> None:
        self._receiver.capture(limit=None, timeout=None, wakeup=True)

    def close(self) -> None:
        """Stop listening."""
        self._receiver.should_stop = True
        self._thread.join(10)
        self._connection.close()
        self._app.close()


def test_a_scheduler_hands_over_resolves_and_reports_use(
    production: tuple[Production, RunningSandbox], redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    """The whole way, by the broker alone; operators see what happens, and nobody sees the key."""
    running, sandbox = production
    assert "is ready for campaigns" in running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    media = tmp_path / "media"
    spring_sale.make(media)
    items = items_of_paths([media])
    events = Events(redis_url)
    client = Greenroom(redis_url, timeout=PATIENCE)
    try:
        assert client.add_items(plan("sale"), items) == len(items)
        wait_for(lambda: running.settled("sale"))
        ids = client.resolve("sale", [item.ref for item in items])
        assert set(ids.values()) == set(sandbox.live_media_ids(KEY))
        assert len(ids) == len(items) - len(spring_sale.BAD)
        used_at = datetime.now(UTC)
        client.mark_used([(CHANNEL, media_id, used_at) for media_id in ids.values()])
        wait_for(lambda: used(running) == len(ids))
        doctor = running.greenroom("doctor")
        assert "✗" not in doctor, doctor
        wait_for(lambda: bool(of_type(events, "task-succeeded")))
    finally:
        client.close()
        events.close()
    uploads = [event for event in of_type(events, "task-started") if event.get("name") == "media.upload"]
    assert uploads
    assert all(event["args"].startswith(f"on {CHANNEL}, beginning with ") for event in uploads)
    everything = [running.logs(), repr(events.seen), *dump_of(redis), running.greenroom("doctor")]
    assert all(KEY not in piece for piece in everything)


def used(running: Production) -> int:
    """How many media have a last use."""
    with running.database.read() as connection:
        statement = text("SELECT count(*) FROM media WHERE last_used_at IS NOT NULL")
        count: int = connection.execute(statement).scalar_one()
    return count


def of_type(events: Events, kind: str) -> list[dict[str, Any]]:
    """The events of one sort."""
    return [event for event in list(events.seen) if event["type"] == kind]


def dump_of(redis: Redis) -> Iterator[str]:
    """All that Redis holds, as it holds it."""
    for key in redis.scan_iter():
        yield repr(key) + repr(redis.dump(key))
