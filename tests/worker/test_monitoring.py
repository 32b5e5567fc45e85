"""What monitors are told costs little, and so does the client of the broker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from celery.worker.control import Panel
from kombu import Connection
from kombu.asynchronous import Hub

from worker.broker_transport import RedisTransport
from worker.consumer import ALIVE_EVERY, EVENTS_EVERY, Consumer


class Told:
    """Stands for Celery's dispatcher of events, which takes a connection."""

    def __init__(self) -> None:
        self.times = 0
        self.events: list[dict[str, Any]] = []

    def send(self, kind: str, **fields: Any) -> None:
        """Note an event."""
        self.events.append({"type": kind, **fields})

    def flush(self) -> None:
        """Tell them."""
        self.times += 1


def test_monitors_are_told_of_many_tasks_at_once() -> None:
    """Soon, though not at once; and of what comes after that, again."""
    consumer: Any = Consumer.__new__(Consumer)
    consumer.hub = Hub()
    told = consumer.event_dispatcher = Told()
    for _ in range(5):
        consumer.on_send_event_buffered()
    for asked in consumer.hub._pop_ready():
        asked()
    (due,) = consumer.hub.timer.queue
    assert told.times == 0
    due.entry()
    assert told.times == 1
    consumer._events_due_at -= EVENTS_EVERY
    consumer.on_send_event_buffered()
    assert len(consumer.hub._pop_ready()) == 1


def test_a_monitor_that_begins_takes_a_worker_for_alive_until_it_says_so_again() -> None:
    """By the answer that Celery's control gives for us."""
    told = Told()
    state = SimpleNamespace(consumer=SimpleNamespace(event_dispatcher=told))
    Panel.data["heartbeat"](state)
    (event,) = told.events
    assert (event["type"], event["freq"]) == ("worker-heartbeat", ALIVE_EVERY)
    assert event["sw_ident"]


def test_a_connection_to_the_broker_has_one_client(redis_url: str) -> None:
    """A new one once its connections were given up: they would lead nowhere."""
    with Connection(redis_url, transport=RedisTransport) as connection:
        channel: Any = connection.channel()
        with channel.conn_or_acquire() as first, channel.conn_or_acquire() as again:
            assert first is again
        channel._disconnect_pools()
        with channel.conn_or_acquire() as other:
            assert other is not first
            assert other.ping()
