"""The schedulers' client for asyncio: the same calls, awaited, each worked on by a thread.

Example::

    async with AsyncGreenroom("redis://localhost:6379/0") as greenroom:
        await greenroom.submit(plan, items)
        status = await greenroom.wait_until_ready("spring-sale", timeout=3600)
        async for ref, media_id in greenroom.media_ids("spring-sale"):
            ...

What a method takes, returns and raises is said at the one of its name in `greenroom.client.Greenroom`.
Iterables (items, refs, reports) are plain ones, and are read by the thread that works on the call.

A call that is cancelled ends at once for whoever awaits it. Its thread sends nothing more, and is free once
the message that it waits for was answered, or the client's `timeout` is over. Of what writes, some may be
done then: call again, as after `BrokerUnavailable`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import wraps
from itertools import islice
from threading import Event
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from greenroom.answers import CampaignStatus
from greenroom.client import Greenroom
from greenroom.errors import TransientError
from greenroom.task_calls import ABANDONED
from greenroom.waiting import SettlingWait

__all__ = ["AsyncGreenroom"]

#: Calls that are worked on at a time, each by a thread; others wait for their turn.
CONCURRENCY = 8
#: Rows that a thread takes from an answer of many at a time.
ROWS_AT_A_TIME = 1_000

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _awaited(
    method: Callable[Concatenate[Greenroom, _P], _R],
) -> Callable[Concatenate[AsyncGreenroom, _P], Coroutine[Any, Any, _R]]:
    """The method of the same name, worked on by a thread."""

    @wraps(method)
    async def call(self: AsyncGreenroom, /, *args: _P.args, **named: _P.kwargs) -> _R:
        return await self._in_thread(lambda: method(self._client, *args, **named))

    return call


def _streamed(
    method: Callable[Concatenate[Greenroom, _P], Iterator[_R]],
) -> Callable[Concatenate[AsyncGreenroom, _P], AsyncIterator[_R]]:
    """The method of the same name, whose rows come as they are needed."""

    @wraps(method)
    async def call(self: AsyncGreenroom, /, *args: _P.args, **named: _P.kwargs) -> AsyncIterator[_R]:
        rows = method(self._client, *args, **named)
        while part := await self._in_thread(lambda: list(islice(rows, ROWS_AT_A_TIME))):
            for row in part:
                yield row

    return call


class AsyncGreenroom:
    """`greenroom.client.Greenroom` for asyncio; also an asynchronous context manager, which closes it.

    Args:
        broker_url: the broker of the workers.
        result_url: where answers come back, if not by the broker: a Redis.
        sentinel_master: the name of Redis's master, where one of the two is the addresses of sentinels.
        timeout: seconds to wait for an answer.
        concurrency: calls that are worked on at a time.

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
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._client = Greenroom(
            broker_url, result_url=result_url, sentinel_master=sentinel_master, timeout=timeout
        )
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="greenroom")

    add_items = _awaited(Greenroom.add_items)
    submit = _awaited(Greenroom.submit)
    compare = _awaited(Greenroom.compare)
    status = _awaited(Greenroom.status)
    estimate = _awaited(Greenroom.estimate)
    rejected = _streamed(Greenroom.rejected)
    rejected_page = _awaited(Greenroom.rejected_page)
    media_ids = _streamed(Greenroom.media_ids)
    media_ids_page = _awaited(Greenroom.media_ids_page)
    resolve = _awaited(Greenroom.resolve)
    retry = _awaited(Greenroom.retry)
    move = _awaited(Greenroom.move)
    cancel = _awaited(Greenroom.cancel)
    mark_used = _awaited(Greenroom.mark_used)
    mark_dead = _awaited(Greenroom.mark_dead)
    report_error = _awaited(Greenroom.report_error)
    _look = _awaited(Greenroom._status)  # noqa: SLF001 - one client in two forms

    async def wait_until_ready(
        self,
        campaign_id: str,
        *,
        timeout: float,  # noqa: ASYNC109 - as of the client, whose words say what was waited for
        on_progress: Callable[[CampaignStatus], object] | None = None,
    ) -> CampaignStatus:
        """Wait as `greenroom.client.Greenroom.wait_until_ready` does; no thread sleeps meanwhile.

        `on_progress` is called by the event loop.
        """
        wait = SettlingWait(timeout=timeout)
        while True:
            last: CampaignStatus | TransientError
            try:
                last = await self._look(campaign_id, timeout=wait.patience())
            except TransientError as error:
                last = error
            else:
                if on_progress is not None:
                    on_progress(last)
                if last.is_settled:
                    return last
            await asyncio.sleep(wait.pause_after(last))

    async def close(self) -> None:
        """Close the connections, once no thread uses them any more."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _in_thread(self, work: Callable[[], _R]) -> _R:
        """What comes of work in a thread; where nobody waits for it any more, the thread is told."""
        abandoned = Event()

        def worked() -> _R:
            ABANDONED.set(abandoned)
            return work()

        try:
            context = copy_context()
            return await asyncio.get_running_loop().run_in_executor(self._threads, context.run, worked)
        except asyncio.CancelledError:
            abandoned.set()
            raise
