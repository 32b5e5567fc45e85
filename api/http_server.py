"""The server process of the HTTP API: it listens, says so, and ends what it has begun before it ends."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from types import FrameType
from typing import Final

import uvicorn

from api.application import application
from api.login_rates import LoginRates
from api.pages.thumbnail_cache import ThumbnailCache
from api.request_rates import RequestRates
from api.services import ApiLimits, Services
from greenroom import tracing
from greenroom.client import Greenroom
from greenroom.clock import SystemClock
from greenroom.settings import Settings
from greenroom.thumbnails import Thumbnails
from models import Database

__all__ = ["ApiLimits", "run_api"]

#: Seconds for requests that are being answered when the server is told to end.
END_SECONDS: Final = 30
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class _Announcing(uvicorn.Server):
    """Calls back once it listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            self._announce()


def run_api(settings: Settings, limits: ApiLimits, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: of the installation.
        limits: how much is taken.
        host: where to listen.
        port: 0 for a free one.

    Raises:
        OSError: it cannot listen there.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    tracing.use("greenroom-serve", os.environ)
    # uvicorn ends with the signal that ended it, which by itself would end the process there and then.
    signal.signal(signal.SIGTERM, _go_on)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=limits.requests)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    client = Greenroom(
        settings.celery_broker,
        result_url=settings.redis_url.get_secret_value(),
        sentinel_master=settings.sentinel_master,
    )
    with (
        ExitStack() as last,
        listening,
        closing(Database(settings.database_url)) as database,
        client,
        closing(ThumbnailCache(Thumbnails(settings))) as thumbnails,
    ):
        last.callback(tracing.end)
        rates = RequestRates(per_minute=limits.requests_per_minute, monotonic=time.monotonic)
        services = Services(
            database=database,
            greenroom=client,
            rates=rates,
            login_rates=LoginRates(time.monotonic),
            limits=limits,
            clock=SystemClock(),
            monotonic=time.monotonic,
        )
        config = uvicorn.Config(
            application(services, settings, thumbnails),
            http="httptools",
            ws="none",
            lifespan="off",
            # Ours has no queries; `api.admission` writes it.
            access_log=False,
            log_config=None,
            # The application does so itself, by `GREENROOM_TRUSTED_PROXIES`.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=END_SECONDS,
        )
        _Announcing(config, lambda: _announce(address, host)).run(sockets=[listening])


def _go_on(_signal: int, _frame: FrameType | None) -> None:
    """Close what is open, and end then."""


def _announce(address: str, host: str) -> None:
    print(f"HTTP API ready at {address}", flush=True)  # noqa: T201 - what tells whoever started it
    if host not in LOOPBACK:
        logging.getLogger("greenroom.api").warning(
            "It speaks plain HTTP, and not to this machine alone: tokens can be read on the way. Let a "
            "server that speaks TLS stand in front of it."
        )
