"""The API with live pages of a world, and somebody who looks at them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.http_api import RunningApi, running_api
from tests.support.pages import Reader, reader
from tests.support.world import World


class Seconds:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """How many there were."""
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    """Of rates, and of how old a page may be."""
    return Seconds()


@pytest.fixture
def paged(
    world: World, database_url: str, redis_url: str, seconds: Seconds, tmp_path: Path
) -> Iterator[RunningApi]:
    """The API, on the world's tables and in its time; images below the test's folder may be shown."""
    with running_api(
        database_url,
        redis_url,
        clock=world.clock,
        monotonic=seconds,
        media_roots=str(tmp_path),
    ) as running:
        yield running


@pytest.fixture
def somebody(paged: RunningApi) -> Iterator[Reader]:
    """Not logged in yet."""
    with reader(paged) as found:
        yield found


@pytest.fixture
def manager(paged: RunningApi, somebody: Reader) -> Reader:
    """Logged in, and may see all channels."""
    assert somebody.log_in(paged.token("maria", read_only=True)).status_code == 303
    return somebody
