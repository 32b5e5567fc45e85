"""The exporter's HTTP server: ``/metrics`` for Prometheus, ``/-/healthy`` for health checks."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from greenroom.clock import SystemClock
from greenroom.redis_client import connect
from greenroom.settings import Settings
from models import Database
from worker.exporter.collector import ReadingCollector
from worker.exporter.reading import Reading, read_all

#: Seconds for which one look serves all who ask, at least: a pair of Prometheus servers costs as much as one.
FRESH_SECONDS = 5.0
#: And as many times as long as it took: looking never takes more than a tenth of the time.
SHARE = 10
#: Seconds after which whoever asks is told that there is nothing; Prometheus waits for ten.
PATIENCE_SECONDS = 8.0
#: Seconds that Redis may take to connect, and to answer.
REDIS_SECONDS = 3.0


class Exporter:
    """Answers scrapes with what one look saw, and looks anew when that is old."""

    def __init__(self, look: Callable[[], Reading], collector: ReadingCollector) -> None:
        self._look = look
        self._collector = collector
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(collector)
        ProcessCollector(registry=self._registry)
        self._looking: asyncio.Task[None] | None = None
        self._old_at = float("-inf")

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application()
        app.add_routes([web.get("/metrics", self._metrics), web.get("/-/healthy", _healthy)])
        return app

    async def _metrics(self, request: web.Request) -> web.Response:
        if time.monotonic() >= self._old_at:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look_anew())
            try:
                await asyncio.wait_for(asyncio.shield(self._looking), PATIENCE_SECONDS)
            except TimeoutError:
                return web.Response(status=503, text="The database or Redis takes too long to answer.\n")
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _look_anew(self) -> None:
        reading = await asyncio.to_thread(self._look)
        self._collector.take_in(reading)
        self._old_at = time.monotonic() + max(FRESH_SECONDS, SHARE * reading.seconds)


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="healthy\n")


@asynccontextmanager
async def exporter_running(exporter: Exporter, *, host: str, port: int) -> AsyncIterator[str]:
    """An exporter that is up as long as the context lasts; gives its address."""
    runner = web.AppRunner(exporter.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        host, port = runner.addresses[0][:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def serve_metrics(settings: Settings, *, host: str, port: int) -> None:
    """Listen until the process is told to end.

    Raises:
        OSError: the address cannot be had.
    """
    redis = connect(
        settings.redis_url,
        sentinel_master=settings.sentinel_master,
        patience=REDIS_SECONDS,
        answer=REDIS_SECONDS,
    )
    with redis, closing(Database(settings.database_url)) as database:
        clock = SystemClock()
        collector = ReadingCollector(allowed=settings.uploads_per_second, database=database.dialect)
        exporter = Exporter(lambda: read_all(settings, database, redis, clock), collector)
        asyncio.run(_until_told(exporter, host=host, port=port))


async def _until_told(exporter: Exporter, *, host: str, port: int) -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with exporter_running(exporter, host=host, port=port) as address:
        print(f"metrics at {address}/metrics", flush=True)
        await told.wait()
