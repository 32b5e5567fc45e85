"""One running sandbox a test, and callers for it whose connections are closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sandbox.testing import RunningSandbox
from tests.sandbox.caller import Caller

CallerFactory = Callable[..., Caller]


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    """A fresh sandbox that knows any key."""
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def calling() -> Iterator[CallerFactory]:
    """Make callers: ``calling(url, api_key)``."""
    made: list[Caller] = []

    def make(url: str, api_key: str = "key-of-one") -> Caller:
        made.append(Caller(url, api_key))
        return made[-1]

    yield make
    for caller in made:
        caller.session.close()


@pytest.fixture
def one(sandbox: RunningSandbox, calling: CallerFactory) -> Caller:
    """A phone number."""
    return calling(sandbox.url, "key-of-one")


@pytest.fixture
def other(sandbox: RunningSandbox, calling: CallerFactory) -> Caller:
    """Another phone number."""
    return calling(sandbox.url, "key-of-other")
