"""A message that was taken out of its queue just as the broker went away."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import redis.exceptions
from kombu import Connection
from kombu.transport import redis as kombu_redis

from worker.broker_transport import RedisTransport, requeue_left_behind


@pytest.mark.parametrize("noted", [True, False], ids=["noted by the broker", "not noted"])
def test_what_was_taken_as_the_broker_went_away_comes_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, *, noted: bool
) -> None:
    """At once, and one time; without that after two hours, or never."""
    name = f"taken-{uuid4().hex}"
    append = kombu_redis.QoS.append

    def broken_off(qos: Any, taken: Any, tag: str) -> None:
        if noted:
            append(qos, taken, tag)
            qos._delivered.pop(tag)
        raise redis.exceptions.ConnectionError("the broker went away")

    with Connection(redis_url, transport=RedisTransport) as connection:
        queue = connection.SimpleQueue(name)
        queue.put({"use": "of an ID"})
        monkeypatch.setattr(kombu_redis.QoS, "append", broken_off)
        with pytest.raises(connection.connection_errors):
            queue.get(timeout=5)
        monkeypatch.undo()
        connection.collect()
    with Connection(redis_url, transport=RedisTransport) as connection:
        requeue_left_behind(connection.channel())
        queue = connection.SimpleQueue(name)
        again = queue.get(timeout=5)
        assert again.payload == {"use": "of an ID"}
        again.ack()
        with pytest.raises(queue.Empty):
            queue.get(block=False)
