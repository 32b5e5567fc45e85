"""What many threads ask for at the same time is done in one go, and each gets its own answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from greenroom.errors import DatabaseUnavailable
from tasks.runtime.batcher import Batcher

THREADS = 8


class Work:
    """Doubles numbers; the first call waits until all others have come."""

    def __init__(self, together: Batcher[int, int]) -> None:
        self.together = together
        self.calls: list[list[int]] = []
        self.went_on = threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        """Answer each."""
        self.calls.append(list(numbers))
        if len(self.calls) == 1:
            assert self.went_on.wait(30)
        if 3 in numbers:
            raise KeyError("three is nobody's number")
        if 5 in numbers:
            raise DatabaseUnavailable("away")
        return [2 * number for number in numbers]

    def all_of(self, numbers: Sequence[int]) -> list[Future[int]]:
        """Ask for the first, and while that is being done for the others, all in threads of their own."""
        with ThreadPoolExecutor(THREADS) as threads:
            first = threads.submit(self.together.submit, numbers[0], self)
            while not self.calls:
                first.exception(0) if first.done() else None
            others = [threads.submit(self.together.submit, number, self) for number in numbers[1:]]
            while len(self.together._entries) < len(others):
                assert not any(other.done() for other in others)
            self.went_on.set()
        return [first, *others]


@pytest.fixture
def work() -> Work:
    """Some work."""
    return Work(Batcher())


def test_what_comes_meanwhile_is_done_in_one_go(work: Work) -> None:
    """Two calls for eight threads."""
    answers = work.all_of([0, 1, 2, 4, 6, 7, 8, 9])
    assert [answer.result() for answer in answers] == [0, 2, 4, 8, 12, 14, 16, 18]
    assert [len(call) for call in work.calls] == [1, 7]


def test_one_that_fails_fails_alone(work: Work) -> None:
    """The others are tried by themselves then."""
    first, two, three, four = work.all_of([0, 2, 3, 4])
    assert (first.result(), two.result(), four.result()) == (0, 4, 8)
    with pytest.raises(KeyError):
        three.result()


def test_a_failure_of_the_moment_is_everybodys(work: Work) -> None:
    """A database that is away is away for all: nobody waits for it a second time."""
    first, *others = work.all_of([0, 2, 5])
    assert first.result() == 0
    for other in others:
        with pytest.raises(DatabaseUnavailable):
            other.result()
    assert len(work.calls) == 2


def test_whoever_comes_first_waits_for_the_others() -> None:
    """One call for all that come while the first one gathers."""
    come = threading.Barrier(THREADS + 1)
    calls: list[list[int]] = []

    def gather(seconds: float) -> None:
        assert seconds == 0.5
        come.wait(30)
        while len(together._entries) < THREADS + 1:
            pass

    def double(numbers: Sequence[int]) -> list[int]:
        calls.append(sorted(numbers))
        return [2 * number for number in numbers]

    def ask(number: int) -> int:
        come.wait(30)
        return together.submit(number, double)

    together: Batcher[int, int] = Batcher(gather=0.5, sleep=gather)
    with ThreadPoolExecutor(THREADS + 1) as threads:
        first = threads.submit(together.submit, THREADS, double)
        others = [threads.submit(ask, number) for number in range(THREADS)]
        assert [one.result() for one in (*others, first)] == [2 * number for number in range(THREADS + 1)]
    assert calls == [list(range(THREADS + 1))]


def test_where_many_come_the_next_one_waits_longer_for_others() -> None:
    """And not any more when it was alone all the same."""
    pauses: list[float] = []
    work = Work(Batcher(gather=1.0, gather_many=2.0, sleep=pauses.append))
    work.all_of([0, 1, 2, 4])
    assert pauses == [1.0, 1.0]
    assert [work.together.submit(6, work), work.together.submit(7, work)] == [12, 14]
    assert pauses == [1.0, 1.0, 2.0, 1.0]
