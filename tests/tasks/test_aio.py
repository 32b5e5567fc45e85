"""The client for asyncio: the same calls as the other one, side by side, and cancelled at any moment."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Coroutine, Iterator, Sequence
from itertools import count
from typing import Any

import pytest

from greenroom.aio import AsyncGreenroom
from greenroom.answers import MediaIdsPage, PartTaken
from greenroom.client import ITEMS_A_MESSAGE, Greenroom, NotSettledInTime
from greenroom.errors import UnknownName
from greenroom.manifest import ManifestItem
from greenroom.task_calls import SentTask, TaskCalls
from greenroom.task_names import TaskName
from tests.tasks.test_client import PLAN
from tests.tasks.test_waiting import standing

#: Seconds after which a test fails that would wait for ever.
PATIENCE = 30.0


class Workers:
    """Answers to what the client sends, in place of the broker.

    Attributes:
        sent: tasks, in their order.
        answers: by task; a callable is asked for it, in the client's thread.
    """

    def __init__(self, **answers: Any) -> None:
        self.sent: list[TaskName] = []
        self.answers = {TaskName[name.upper()]: answer for name, answer in answers.items()}

    def answer(self, sent: SentTask) -> Any:
        """What comes of a task."""
        found = self.answers[sent.name]
        found = found() if callable(found) else found
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    """They take what is sent as the broker would: what nobody waits for any more is not sent."""
    found = Workers()

    def send_task(name: str, *_: Any, **__: Any) -> None:
        found.sent.append(TaskName(name))

    make = TaskCalls.__init__

    def patched(self: TaskCalls, *args: Any, **named: Any) -> None:
        make(self, *args, **named)
        monkeypatch.setattr(self._app, "send_task", send_task)

    monkeypatch.setattr(TaskCalls, "__init__", patched)
    monkeypatch.setattr(TaskCalls, "answer", lambda _, sent, **__: found.answer(sent))
    return found


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it to its end, if it has one."""
    return asyncio.run(asyncio.wait_for(work, PATIENCE))


def client(**more: Any) -> AsyncGreenroom:
    """One whose broker is the workers above."""
    return AsyncGreenroom("redis://127.0.0.1:9/0", **more)


def test_each_call_is_there_and_takes_the_same() -> None:
    """Whoever adds one to the client is told here."""
    for name, method in inspect.getmembers(Greenroom, inspect.isfunction):
        if name.startswith("_"):
            continue
        mine = getattr(AsyncGreenroom, name)
        assert inspect.signature(mine) == inspect.signature(method), name
        assert inspect.iscoroutinefunction(mine) or inspect.isasyncgenfunction(mine), name
        assert mine.__doc__


def test_calls_are_worked_on_side_by_side_and_no_more_than_so_many(workers: Workers) -> None:
    """Two of three meet; the third waits until one of them is done."""
    both, inside = threading.Barrier(2), []

    def meet() -> Any:
        inside.append(threading.current_thread().name)
        if len(inside) <= 2:
            both.wait(PATIENCE)
        return standing(ready=1)

    workers.answers[TaskName.STATUS] = meet

    async def ask() -> None:
        async with client(concurrency=2) as greenroom:
            found = await asyncio.gather(*(greenroom.status("spring") for _ in range(3)))
            assert [one.ready for one in found] == [1, 1, 1]

    run(ask())
    assert len(inside) == 3
    assert len(set(inside)) == 2


def test_failures_are_the_same(workers: Workers) -> None:
    """By their types."""
    workers.answers[TaskName.STATUS] = UnknownName("There is no campaign spring.")

    async def ask() -> None:
        async with client() as greenroom:
            with pytest.raises(UnknownName):
                await greenroom.status("spring")
            with pytest.raises(UnknownName):
                await greenroom.wait_until_ready("spring", timeout=PATIENCE)

    run(ask())


def test_rows_come_by_pages_as_they_are_needed(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops early has asked for no more."""
    monkeypatch.setattr("greenroom.aio.ROWS_AT_A_TIME", 2)
    pages = iter([("a", "b"), ("c", "d"), ("e",)])

    def page() -> Any:
        refs = next(pages)
        return MediaIdsPage(media_ids={ref: ref * 2 for ref in refs}, after=None if "e" in refs else refs[-1])

    workers.answers[TaskName.MEDIA_IDS] = page

    async def ask() -> Sequence[tuple[str, str]]:
        found = []
        async with client() as greenroom:
            async for row in greenroom.media_ids("spring"):
                found.append(row)
                if row[0] == "b":
                    assert len(workers.sent) == 1
        return found

    assert run(ask()) == [(letter, letter * 2) for letter in "abcde"]


def test_a_submission_that_is_cancelled_sends_nothing_more(workers: Workers) -> None:
    """However many items there would be; its thread ends, and nothing was removed."""
    handed_over = threading.Event()
    goes_on = threading.Event()

    def items() -> Iterator[ManifestItem]:
        for number in count():
            if number == 2 * ITEMS_A_MESSAGE:
                handed_over.set()
                goes_on.wait(PATIENCE)
            yield ManifestItem(ref=f"{number}", source="/a")

    workers.answers[TaskName.BEGIN_SUBMISSION] = 1
    workers.answers[TaskName.SUBMIT] = PartTaken(added=1, changed=0, unchanged=0)

    async def ask() -> None:
        async with client(concurrency=1) as greenroom:
            task = asyncio.create_task(greenroom.submit(PLAN, items()))
            await asyncio.to_thread(handed_over.wait, PATIENCE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # It was over for us before it is for its thread.
            goes_on.set()

    run(ask())
    assert workers.sent == [TaskName.BEGIN_SUBMISSION, TaskName.SUBMIT, TaskName.SUBMIT]


def test_a_call_that_is_cancelled_before_its_turn_is_never_made(workers: Workers) -> None:
    """And one after it is."""
    begun, goes_on = threading.Event(), threading.Event()

    def answer() -> Any:
        begun.set()
        goes_on.wait(PATIENCE)
        return standing(ready=1)

    workers.answers[TaskName.STATUS] = answer
    workers.answers[TaskName.CANCEL] = None

    async def ask() -> None:
        async with client(concurrency=1) as greenroom:
            first = asyncio.create_task(greenroom.status("spring"))
            await asyncio.to_thread(begun.wait, PATIENCE)
            second = asyncio.create_task(greenroom.cancel("spring"))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            goes_on.set()
            assert (await first).ready == 1
            assert (await greenroom.status("spring")).ready == 1

    run(ask())
    assert workers.sent == [TaskName.STATUS] * 2


def test_whoever_waits_holds_no_thread_and_can_be_cancelled(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many wait by one thread; progress is told by the loop's own thread."""
    monkeypatch.setattr("greenroom.waiting.SHORTEST_PAUSE", 0.0)
    looks = count()

    def answer() -> Any:
        return standing(ready=3) if next(looks) >= 8 else standing(ready=1, waiting=2)

    workers.answers[TaskName.STATUS] = answer
    told: list[tuple[int, str]] = []

    def on_progress(status: Any) -> None:
        told.append((status.ready, threading.current_thread().name))

    async def ask() -> None:
        async with client(concurrency=1) as greenroom:
            waits = [
                greenroom.wait_until_ready("spring", timeout=PATIENCE, on_progress=on_progress)
                for _ in range(3)
            ]
            assert {status.ready for status in await asyncio.gather(*waits)} == {3}
            workers.answers[TaskName.STATUS] = standing(waiting=1)
            with pytest.raises(NotSettledInTime):
                await greenroom.wait_until_ready("spring", timeout=0.0)
            monkeypatch.setattr("greenroom.waiting.SHORTEST_PAUSE", PATIENCE)
            seen = asyncio.Event()
            waiting = asyncio.create_task(
                greenroom.wait_until_ready("spring", timeout=10 * PATIENCE, on_progress=lambda _: seen.set())
            )
            await seen.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    run(ask())
    assert {ready for ready, _ in told} == {1, 3}
    assert {name for _, name in told} == {threading.current_thread().name}
