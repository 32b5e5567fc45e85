"""The broker's transport for Redis, which throws away what kombu could not make a message of.

kombu takes a message out of its queue, and then looks at it; what raises there ends the worker. Greenroom
looks first. RabbitMQ's messages have a form that the server itself keeps to.
"""

from __future__ import annotations

import json
import logging
import select
from contextlib import suppress
from functools import cached_property
from queue import Empty
from typing import Any, cast

from kombu import compression, serialization
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from kombu.utils import json as kombu_json
from redis.exceptions import RedisError, ResponseError

from worker.quarantine import Poison, check_envelope, unpacked

logger = logging.getLogger(__name__)

#: In one place, so that operators can count them.
THROWN_AWAY = "A message of queue %s was thrown away: %s"


#: Seconds for which the broker is asked to wait for a message, where it can be told to end that before; and
#: where it cannot.
WAIT_SECONDS, SHORT_WAIT_SECONDS = 5, 1


#: Messages that a channel could not put back, for its broker was away: by delivery tag, what was taken out of
#: a queue (message, exchange and routing key); None where the broker has it for certain.
_left_behind: dict[str, tuple[Any, str, str] | None] = {}


class _CarefulQoS(kombu_redis.QoS):
    """Notes what was taken out of a queue when the broker went away: before it was noted there, or after."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note at the broker that a message is being worked on."""
        try:
            super().append(message, delivery_tag)
        except (RedisError, OSError):
            delivery = message.delivery_info
            _left_behind[delivery_tag] = message._raw, delivery["exchange"], delivery["routing_key"]  # noqa: SLF001 - kombu has no other way
            raise


class _CarefulChannel:
    """For kombu's channels of Redis: what comes out of a queue, or by PUBLISH, is looked at first.

    And one whose broker is away can be closed. kombu 5.7 closes it twice; the first time a read fails, and
    the second time giving back its messages asks a transport for the address that it has forgotten: an
    AttributeError, which ends the worker (`'NoneType' object has no attribute 'hostname'`).
    """

    QoS: Any = _CarefulQoS
    connection: Any
    conn_or_acquire: Any
    pool: Any
    _in_poll: Any
    _pooled: Any = None
    #: The connection that waits for messages, and the broker's number of it.
    _waiting: tuple[Any, int | None] = (None, None)
    _qos: Any
    qos: Any

    @cached_property
    def client(self) -> Any:
        """The client that waits for messages."""
        client = super().client  # type: ignore[misc]  # a mixin: the next class has it
        client.set_response_callback("BRPOP", _usable)
        return client

    def _create_client(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002 - kombu's own signature
        """A client on the channel's pool: one for all messages, where kombu makes one for each."""
        if asynchronous or self._pooled is None or self._pooled.connection_pool is not self.pool:
            client = super()._create_client(asynchronous)  # type: ignore[misc]  # a mixin: the next class has it
            if asynchronous:
                return client
            self._pooled = client
        return self._pooled

    def close(self) -> None:
        """Close; what cannot be put back now is put back by :func:`requeue_left_behind`."""
        self._end_waiting()
        qos = self._qos
        tags = [] if qos is None else [tag for tag in qos._delivered if tag not in qos._dirty]  # noqa: SLF001 - kombu has no other way
        try:
            super().close()  # type: ignore[misc]  # a mixin: the next class has it
        except (RedisError, OSError, AttributeError):
            _left_behind.update(dict.fromkeys(tags))
            self._close_for_good()

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Wait for a message; long, if that can be ended when this process is to end."""
        longest = SHORT_WAIT_SECONDS if self._waiting_id() is None else WAIT_SECONDS
        timeout = longest if timeout is None else timeout
        super()._brpop_start(timeout)  # type: ignore[misc]  # a mixin: the next class has it

    def _waiting_id(self) -> int | None:
        """The broker's number of the connection that waits, asked once; None where it does not say."""
        connection = self.client.connection
        # One that was lost and made anew has another number.
        socket = connection._sock  # noqa: SLF001 - no other way to tell
        if self._waiting[0] is not socket:
            number = None
            with suppress(ResponseError):
                connection.send_command("CLIENT", "ID")
                number = int(connection.read_response())
            self._waiting = (socket, number)
        return self._waiting[1]

    def _end_waiting(self) -> None:
        """Have the broker answer now what it was asked for last."""
        socket, number = self._waiting
        if not self._in_poll or number is None:
            return
        with suppress(RedisError, OSError, AttributeError):
            answered = select.poll()
            answered.register(socket, select.POLLIN)
            if answered.poll(0):
                return  # the broker has answered, or is gone; whoever asks one that is gone waits for that
            with self.conn_or_acquire() as client:
                client.client_unblock(number)

    def _close_for_good(self) -> None:
        """With nothing to wait for and nothing to give back, so that nobody has to be asked."""
        self._in_poll = None
        if self._qos is not None:
            self._qos._on_collect.cancel()  # noqa: SLF001 - at exit it would try once more
            self._qos._delivered.clear()  # noqa: SLF001 - kombu has no other way
        with suppress(RedisError, OSError, AttributeError):
            super().close()  # type: ignore[misc]  # a mixin: the next class has it
        if self.connection is not None:
            self.connection.close_channel(self)

    def _receive_one(self, client: Any) -> Any:
        """Take one message of those that go to everybody: remote control."""
        try:
            return super()._receive_one(client)  # type: ignore[misc]  # a mixin: the next class has it
        except RecursionError:
            logger.error(THROWN_AWAY, "celery.pidbox", "it is nested too deeply")
            raise Empty from None


def requeue_left_behind(channel: Any) -> None:
    """Put back into its queue what earlier channels could not; without that it came after two hours.

    Its task may have run, or run now: one that comes a second time finds its work done.
    """
    for tag, taken in list(_left_behind.items()):
        if isinstance(channel, _CarefulChannel):
            _requeue(channel, tag, taken)
        _left_behind.pop(tag, None)


def _requeue(channel: Any, tag: str, taken: tuple[Any, str, str] | None) -> None:
    with channel.conn_or_acquire() as client:
        if taken is None or client.hexists(channel.unacked_key, tag):
            channel.qos.restore_by_tag(tag, client=client)
            return
        # The broker went away between handing it out and noting that: nobody else has it.
        with client.pipeline() as pipe:
            channel._do_restore_message(*taken, pipe)  # noqa: SLF001 - kombu has no other way
            pipe.execute()


def _usable(response: Any, **_: Any) -> Any:
    """What BRPOP has found, if kombu can go on with it; as if it had found nothing where it cannot."""
    if not response:
        return None
    queue, item = response
    try:
        unpacked(item)
    except Poison as poison:
        logger.error(THROWN_AWAY, queue.decode(errors="replace"), poison)
        return None
    return queue, item


class _CarefulTransport:
    """For kombu's transports of Redis: messages that go to everybody are looked at, too."""

    cycle: Any

    def _deliver(self, message: Any, queue: str) -> None:
        try:
            check_envelope(message)
        except Poison as poison:
            logger.error(THROWN_AWAY, queue, poison)
            return
        super()._deliver(message, queue)  # type: ignore[misc]  # a mixin: the next class has it

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Take part in a worker's loop, without waking it for what Greenroom does not have.

        These are queues that expire, for which it would look each second, and passwords of the broker's that
        end while it is connected.
        """
        super().register_with_event_loop(connection, loop)  # type: ignore[misc]  # a mixin: the next class has it
        self.cycle._binding_expiry_tref.cancel()  # noqa: SLF001 - kombu has no other way
        self.cycle._reauth_tref.cancel()  # noqa: SLF001 - as above


class RedisChannel(_CarefulChannel, kombu_redis.Channel):
    """A channel on Redis."""


class SentinelChannel(_CarefulChannel, kombu_redis.SentinelChannel):
    """A channel on the Redis that sentinels watch."""


class RedisTransport(_CarefulTransport, kombu_redis.Transport):  # type: ignore[misc]  # by its stubs, kombu has no _deliver
    """Redis."""

    Channel = RedisChannel


class SentinelTransport(_CarefulTransport, kombu_redis.SentinelTransport):  # type: ignore[misc]  # as above
    """The Redis that sentinels watch."""

    Channel = SentinelChannel


def _refuse_compressed(_: bytes) -> bytes:
    raise Poison("it is compressed; a few bytes of that can become gigabytes")


def install() -> None:
    """Use these from now on, in this process, wherever an address begins with their names."""
    ours = {"redis": RedisTransport, "rediss": RedisTransport, "sentinel": SentinelTransport}
    for name, transport in ours.items():
        TRANSPORT_ALIASES[name] = f"{__name__}:{transport.__name__}"
    for content_type in compression.encoders():
        # By its stubs it returns the encoder alone.
        encoder, _ = cast("tuple[Any, str]", compression.get_encoder(content_type))
        compression.register(encoder, _refuse_compressed, content_type)
    # kombu's own would look at each object, and make of some what their sender names: nobody here sends such.
    serialization.register("json", kombu_json.dumps, json.loads, "application/json", "utf-8")
