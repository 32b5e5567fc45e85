"""Messages to the workers, and their answers: what the client does with Celery, and how it fails."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event
from typing import Any

from celery import Celery
from celery.exceptions import TimeoutError as CeleryTimeoutError
from kombu.exceptions import OperationalError
from pydantic import ValidationError
from redis.exceptions import RedisError

from greenroom import tracing
from greenroom.answers import ANSWERS
from greenroom.contract import CONTRACT_VERSION, VERSION_HEADER, excerpt
from greenroom.errors import GreenroomError, Misuse, TransientError, WorkerFailed
from greenroom.redis_client import celery_address, is_lost_connection, is_sentinel, transport_options
from greenroom.task_names import QUEUES, TaskName

#: What Celery lets through when the broker, or the place where answers come back, is away; RuntimeError is
#: its own way of saying that it has tried often enough.
AWAY = (OperationalError, RedisError, RuntimeError)
#: Times that a broker that is away is tried again: what Celery would do by itself.
MOST_ATTEMPTS = 20


#: Is set where nobody waits any more for the calls of a context: they send nothing further then.
ABANDONED: ContextVar[Event | None] = ContextVar("greenroom-abandoned", default=None)


class CallAbandoned(GreenroomError):
    """Nobody waits for the call any more; what it had sent is with the broker, and the rest is not sent."""


class BrokerUnavailable(TransientError):
    """The broker could not be reached, or no worker answered in time."""


@dataclass(frozen=True, kw_only=True)
class SentTask:
    """A task that was enqueued, and Celery's way to what comes of it."""

    name: TaskName
    result: Any


class TaskCalls:
    """Sends tasks, and waits for what comes of them.

    Args:
        broker_url: the broker of the workers.
        result_url: where answers come back, if not by the broker: a Redis.
        sentinel_master: the name of Redis's master, where one of the two is the addresses of sentinels.
        timeout: seconds to wait for an answer.

    Raises:
        Misuse: the broker needs one of the others besides.
    """

    def __init__(
        self, broker_url: str, *, result_url: str | None, sentinel_master: str | None, timeout: float
    ) -> None:
        # Celery would say the one in words of its own, and the other never: it would try again and again.
        if result_url is None and broker_url.startswith("amqp"):
            raise Misuse("Answers do not come back by RabbitMQ: give the address of Redis as result_url.")
        if sentinel_master is None and any(is_sentinel(url) for url in (broker_url, result_url or "")):
            raise Misuse("An address is that of sentinels: give the name of their master as sentinel_master.")
        self._timeout = timeout
        # Bound to nothing global: a scheduler may well have a Celery app of its own.
        self._app = Celery("greenroom-client", set_as_current=False)
        self._app.conf.update(
            broker_url=celery_address(broker_url),
            result_backend=celery_address(result_url or broker_url),
            task_serializer="json",
            accept_content=["json"],
            task_ignore_result=False,
            broker_transport_options={
                "socket_connect_timeout": 10,
                "socket_timeout": 30,
                **transport_options(sentinel_master),
            },
            result_backend_transport_options={
                # It tries again once a second.
                "retry_policy": {"max_retries": max(1, round(min(timeout, MOST_ATTEMPTS)))},
                **transport_options(sentinel_master),
            },
        )

    def close(self) -> None:
        """Close the connections."""
        self._app.close()

    def send(self, name: TaskName, args: Sequence[Any], summary: str) -> SentTask:
        """Enqueue a task.

        Args:
            name: which.
            args: JSON values.
            summary: what Flower shows in place of the arguments.

        Raises:
            BrokerUnavailable: it could not be enqueued.
            CallAbandoned: nobody waits for it.
        """
        abandoned = ABANDONED.get()
        if abandoned is not None and abandoned.is_set():
            raise CallAbandoned(f"{name} was not sent: nobody waits for it any more.")
        try:
            result = self._app.send_task(
                name,
                args=args,
                queue=QUEUES[name],
                argsrepr=summary,
                headers={VERSION_HEADER: CONTRACT_VERSION, **tracing.here()},
            )
        except AWAY as error:
            raise BrokerUnavailable("The broker could not be reached; nothing was enqueued.") from error
        except AttributeError as error:
            if not is_lost_connection(error):
                raise
            raise BrokerUnavailable(
                "The broker was lost while a message was being sent; it may be enqueued. Ask again."
            ) from error
        return SentTask(name=name, result=result)

    def answer(self, sent: SentTask, *, timeout: float | None = None) -> Any:
        """Wait for a task's answer; returns it as its model of :data:`greenroom.answers.ANSWERS`.

        Args:
            sent: which.
            timeout: seconds, where it is less than the usual.

        Raises:
            BrokerUnavailable: none came in time.
            GreenroomError: what the task raised.
            WorkerFailed: it raised something else, or its answer is not of that model.
        """
        try:
            self._await(sent.result, self._timeout if timeout is None else min(timeout, self._timeout))
            value = sent.result.maybe_throw()
        except (OperationalError, RedisError) as error:
            # The task was done, and its worker could not put the answer where it is waited for.
            raise BrokerUnavailable(
                "The broker was lost while a worker answered; what was asked for may be done. Ask again."
            ) from error
        except GreenroomError:
            raise
        except Exception as error:
            said = excerpt(f"{type(error).__name__}: {error}")
            raise WorkerFailed(f"{sent.name} failed; the worker's log says why. {said}") from error
        finally:
            with suppress(*AWAY):
                sent.result.forget()
        try:
            return ANSWERS[sent.name].validate_python(value)
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, problem["loc"])) or "it"
            raise WorkerFailed(
                f"The answer to {sent.name} cannot be read: {excerpt(where)}: {problem['msg']}. Client and "
                "worker are of different versions; update the older of the two."
            ) from error

    def ask(self, name: TaskName, args: Sequence[Any], summary: str, *, timeout: float | None = None) -> Any:
        """Send a task, and wait for its answer; raises what :meth:`send` and :meth:`answer` raise."""
        return self.answer(self.send(name, args, summary), timeout=timeout)

    def _await(self, result: Any, timeout: float) -> None:
        try:
            # A scheduler may itself be a task of Celery's, where waiting for another one is refused by
            # default: it might wait for its own pool. This one is with Greenroom's workers.
            result.get(timeout=timeout, propagate=False, disable_sync_subtasks=False)
        except CeleryTimeoutError:
            raise BrokerUnavailable(
                f"No worker answered within {timeout:g} seconds. Is one running? The message stays with the "
                "broker."
            ) from None
        except AWAY as error:
            raise BrokerUnavailable(
                "The broker was lost before a worker answered. The message stays with the broker."
            ) from error
