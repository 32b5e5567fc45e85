"""The schedulers' client: hands manifests over, reads media IDs, reports use; needs the broker alone.

Example::

    greenroom = Greenroom("redis://localhost:6379/0")
    greenroom.prepare(plan, items)
    media_ids = greenroom.resolve("spring-sale", ["hero.jpg"])
    greenroom.mark_used([("4915112345678", media_ids["hero.jpg"], datetime.now(UTC))])
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from celery import Celery
from celery.exceptions import TimeoutError as CeleryTimeoutError
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from greenroom.chunks import chunks
from greenroom.clock import require_aware
from greenroom.contract import CONTRACT_VERSION, VERSION_HEADER
from greenroom.errors import Misuse, TransientError
from greenroom.manifest import CampaignPlan, ManifestItem, items_as_json
from greenroom.redis_client import celery_address, is_lost_connection, is_sentinel, transport_options
from greenroom.task_names import QUEUES, TaskName

#: Items in one message: small enough for any broker (most often some 200 KB, 9 MB at the very most), large
#: enough that a message's own cost, its commit above all, is shared by many.
ITEMS_A_MESSAGE = 2_000
#: Messages of one hand-over that are with the broker at a time: enough for all workers, and a manifest of
#: millions of lines never fills its memory.
MESSAGES_AHEAD = 32
#: Refs in one `resolve`, whose answer goes through the result backend.
REFS_A_MESSAGE = 1_000
REPORTS_A_MESSAGE = 1_000

#: What Celery lets through when the broker, or the place where answers come back, is away; RuntimeError is
#: its own way of saying that it has tried often enough.
AWAY = (OperationalError, RedisError, RuntimeError)
#: Times that a broker that is away is tried again: what Celery would do by itself.
MOST_ATTEMPTS = 20


class BrokerUnavailable(TransientError):
    """The broker could not be reached, or no worker answered in time."""


class Greenroom:
    """What a campaign scheduler talks to.

    Args:
        broker_url: the broker of the workers.
        result_url: where answers come back, if not by the broker: a Redis.
        sentinel_master: the name of Redis's master, where one of the two is the addresses of sentinels.
        timeout: seconds to wait for an answer. A broker that refuses connections is tried as long, but for
            20 seconds at most.

    Raises:
        Misuse: the broker needs one of the next two besides.
    """

    def __init__(
        self,
        broker_url: str,
        *,
        result_url: str | None = None,
        sentinel_master: str | None = None,
        timeout: float = 30.0,
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
            task_send_sent_event=True,
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

    def prepare(self, plan: CampaignPlan, items: Iterable[ManifestItem]) -> int:
        """Hand a manifest over and wait until every line of it is in the database; returns how many.

        The same campaign handed over twice changes nothing. Items are taken as they are needed: an iterator
        over millions of them is fine.

        Raises:
            BrokerUnavailable: not all of it was acknowledged; hand it over again.
        """
        message = plan.model_dump(mode="json")
        in_flight: deque[Any] = deque()
        handed_over = 0
        for part in chunks(items, ITEMS_A_MESSAGE):
            if len(in_flight) == MESSAGES_AHEAD:
                self._answer(in_flight.popleft())
            summary = f"campaign {plan.id}: {len(part)} items on {plan.channel}"
            in_flight.append(self._send(TaskName.PREPARE, [message, items_as_json(part)], summary))
            handed_over += len(part)
        for answer in in_flight:
            self._answer(answer)
        return handed_over

    def resolve(self, campaign_id: str, refs: Sequence[str]) -> dict[str, str]:
        """The live media ID of each ref; a ref without one is left out.

        Raises:
            BrokerUnavailable: no worker answered in time.
        """
        found: dict[str, str] = {}
        for part in chunks(refs, REFS_A_MESSAGE):
            summary = f"campaign {campaign_id}: {len(part)} refs"
            found |= self._answer(self._send(TaskName.RESOLVE, [campaign_id, part], summary))
        return found

    def mark_used(self, uses: Iterable[tuple[str, str, datetime]]) -> None:
        """Report uses: channel, media ID, and when the message was sent (aware)."""
        self._report(TaskName.MARK_USED, uses, "uses")

    def mark_dead(self, reports: Iterable[tuple[str, str, datetime]]) -> None:
        """Report media IDs that the provider did not know: channel, media ID, and when (aware).

        They are answered no more, and what a campaign still needs is uploaded anew at once.
        """
        self._report(TaskName.MARK_DEAD, reports, "dead media IDs")

    def report_error(
        self, failed: Iterable[tuple[str, str | None, datetime, Sequence[Mapping[str, Any]]]]
    ) -> None:
        """Report messages that the provider took and then did not deliver, as its webhooks tell.

        A dead media ID is replaced as by :meth:`mark_dead`; a file that cannot be sent is given up, and
        shown so to its campaigns; what is not about media is ignored.

        Args:
            failed: channel, media ID of the message (None where it is not known), when (aware), and the
                errors as they are in ``statuses[].errors`` of the webhook.
        """
        for part in chunks(failed, REPORTS_A_MESSAGE):
            rows = [
                [channel, media_id, require_aware(at).isoformat(), list(errors)]
                for channel, media_id, at, errors in part
            ]
            self._send(TaskName.REPORT_ERROR, [rows], f"{len(rows)} failed messages")

    def close(self) -> None:
        """Close the connections."""
        self._app.close()

    def _report(self, name: TaskName, reports: Iterable[tuple[str, str, datetime]], what: str) -> None:
        for part in chunks(reports, REPORTS_A_MESSAGE):
            rows = [[channel, media_id, require_aware(at).isoformat()] for channel, media_id, at in part]
            self._send(name, [rows], f"{len(rows)} {what}")

    def _send(self, name: TaskName, args: list[Any], summary: str) -> Any:
        try:
            return self._app.send_task(
                name,
                args=args,
                queue=QUEUES[name],
                argsrepr=summary,
                headers={VERSION_HEADER: CONTRACT_VERSION},
            )
        except AWAY as error:
            raise BrokerUnavailable("The broker could not be reached; nothing was enqueued.") from error
        except AttributeError as error:
            if not is_lost_connection(error):
                raise
            raise BrokerUnavailable(
                "The broker was lost while a message was being sent; it may be enqueued. Ask again."
            ) from error

    def _answer(self, answer: Any) -> Any:
        try:
            self._await(answer)
            return answer.maybe_throw()  # the task's own error as itself
        except (OperationalError, RedisError) as error:
            # The task was done, and its worker could not put the answer where it is waited for.
            raise BrokerUnavailable(
                "The broker was lost while a worker answered; what was asked for may be done. Ask again."
            ) from error
        finally:
            with suppress(*AWAY):
                answer.forget()

    def _await(self, answer: Any) -> None:
        try:
            answer.get(timeout=self._timeout, propagate=False)
        except CeleryTimeoutError:
            raise BrokerUnavailable(
                f"No worker answered within {self._timeout:g} seconds. Is one running? The message stays "
                "with the broker."
            ) from None
        except AWAY as error:
            raise BrokerUnavailable(
                "The broker was lost before a worker answered. The message stays with the broker."
            ) from error
