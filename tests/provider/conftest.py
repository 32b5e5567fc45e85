"""Stand-ins for the provider and clients of them, and the two ways of uploading."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from greenroom.clock import ManualClock
from greenroom.errors import GreenroomError, ProviderUnavailable
from greenroom.provider import ProviderClient, UploadContent
from tests.support.stand_in import StandIn

KEY = SecretStr("canary-key-7f3a9")
QUERY = "mid=1892054061371916&source=getMedia&ext=1757082791&hash=canary-hash-ARm1DwW7"


StartStandIn = Callable[..., StandIn]
StartClient = Callable[..., ProviderClient]


@pytest.fixture
def stand_in() -> Iterator[StartStandIn]:
    """Starts stand-ins with given scripts; all are stopped after the test."""
    started: list[StandIn] = []

    def start(*scripts: Any) -> StandIn:
        started.append(StandIn(list(scripts)))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def provider_clock() -> ManualClock:
    """A clock that tests move."""
    return ManualClock(datetime(2026, 11, 23, 12, tzinfo=UTC))


@pytest.fixture
def client_of(provider_clock: ManualClock) -> Iterator[StartClient]:
    """Makes clients of stand-ins; all are closed after the test."""
    made: list[ProviderClient] = []

    def make(server: StandIn | str, **options: object) -> ProviderClient:
        url = server if isinstance(server, str) else server.url
        given: dict[str, object] = {"read_timeout": 5.0, "clock": provider_clock, **options}
        made.append(ProviderClient(base_url=url, **given))  # type: ignore[arg-type]  # passed on as given
        return made[-1]

    yield make
    for client in made:
        client.close()


def content_of(data: bytes) -> UploadContent:
    """What inspection would say of these bytes."""
    return UploadContent(
        open=lambda: io.BytesIO(data), size=len(data), sha256=hashlib.sha256(data).hexdigest()
    )


class Way:
    """How :func:`upload` uploads."""

    later = False


@pytest.fixture(params=["streamed", "at once"])
def each_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test with both ways of uploading: they must not differ but in what they cost."""
    Way.later = request.param == "at once"
    yield
    Way.later = False


def upload(client: ProviderClient, content: UploadContent | bytes = b"some bytes", **options: Any) -> str:
    """Upload with this key."""
    content = content_of(content) if isinstance(content, bytes) else content
    given: dict[str, Any] = {"mime_type": "image/jpeg", "file_name": "a.jpg", **options}
    if not (Way.later and client.sends_at_once(content.size)):
        return stream(client, content, **options)
    given = {"before_sending": lambda: None, "after_sending": lambda _late: None, **given}
    result: Future[str | GreenroomError] = Future()
    client.upload_later(KEY, content=content, done=result.set_result, **given)
    answer = result.result(timeout=30)
    if not client.sends_at_once(content.size):
        # It was redirected, and is sent the other way from now on, as a worker would.
        assert isinstance(answer, ProviderUnavailable)
        return stream(client, content, **options)
    if isinstance(answer, GreenroomError):
        raise answer
    return answer


def stream(client: ProviderClient, content: UploadContent | bytes = b"some bytes", **options: Any) -> str:
    """Upload with this key, and wait for the answer."""
    content = content_of(content) if isinstance(content, bytes) else content
    return client.upload(KEY, content=content, **{"mime_type": "image/jpeg", "file_name": "a.jpg", **options})
