"""A worker that is told to end does so at once: it waits neither for its own clock nor for the broker's."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from kombu import Connection
from kombu.asynchronous import Hub
from redis import Redis

from worker.broker_transport import RedisTransport
from worker.signals import end_when_told

#: Seconds for which the broker would wait, and the loop would sleep: longer than a test may take.
FOREVER = 1_000


@pytest.fixture
def hub() -> Iterator[Hub]:
    """The loop of a worker."""
    hub = Hub()
    before = signal.set_wakeup_fd(-1)
    yield hub
    signal.set_wakeup_fd(before)
    hub.close()


def test_a_signal_wakes_the_loop_that_takes_messages(hub: Any) -> None:
    """Else the loop sleeps on after the signal was handled."""
    end_when_told(sender=SimpleNamespace(hub=hub))
    told: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: told.append(number))
    try:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        # Python itself goes on waiting where a handler has returned.
        assert hub.poller.poll(FOREVER)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert told == [signal.SIGUSR1]


def test_a_pool_without_a_loop_needs_no_waking() -> None:
    """Some pools of Celery's have none."""
    before = signal.set_wakeup_fd(-1)
    end_when_told(sender=SimpleNamespace(hub=None))
    assert signal.set_wakeup_fd(before) == -1


def test_a_channel_that_waits_for_messages_is_closed_at_once(redis_url: str) -> None:
    """The broker is told not to wait on; by itself it would for as long as it was asked to."""
    with Connection(redis_url, transport=RedisTransport) as connection:
        channel: Any = connection.channel()
        _wait_for_messages(channel, f"empty-{uuid4().hex}")
        channel.close()
        assert channel._in_poll is None


def test_what_comes_as_a_channel_is_closed_is_not_lost(redis: Redis, redis_url: str) -> None:
    """A message that the broker has handed out by then is back in its queue."""
    name = f"late-{uuid4().hex}"
    with Connection(redis_url, transport=RedisTransport) as connection:
        channel: Any = connection.channel()
        delivered: list[Any] = []
        channel.connection._callbacks[name] = delivered.append
        _wait_for_messages(channel, name)
        with Connection(redis_url, transport=RedisTransport) as sender:
            sender.SimpleQueue(name).put({"use": "of an ID"})
        channel.close()
    assert len(delivered) + redis.llen(name) == 1


def _wait_for_messages(channel: Any, queue: str) -> None:
    channel._active_queues.append(queue)
    channel._update_queue_cycle()
    channel.client.connection = channel.client.connection_pool.get_connection()
    channel._brpop_start(timeout=FOREVER)
    assert channel._in_poll
