"""`greenroom metrics` as an operator starts it: scrapes over HTTP, of an installation that runs."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.support.command import COMMAND, environment
from tests.support.world import World
from worker.exporter.collector import ReadingCollector
from worker.exporter.http_server import Exporter, exporter_running
from worker.exporter.reading import Reading


def fetch(address: str, accept: str = "") -> tuple[str, str]:
    """The type and the text of an answer."""
    request = urllib.request.Request(address, headers={"Accept": accept})  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        return answer.headers["Content-Type"], answer.read().decode()


@pytest.fixture
def address(world: World, database_url: str, redis_url: str, tmp_path: Path) -> Iterator[str]:
    """Of an exporter that runs."""
    settings = {
        "GREENROOM_DATABASE_URL": database_url,
        "GREENROOM_REDIS_URL": redis_url,
        "GREENROOM_SECRET_KEY": world.context.settings.secret_key.get_secret_value(),
    }
    process = subprocess.Popen(
        [*COMMAND, "metrics", "--port", "0"],
        cwd=tmp_path,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        yield process.stdout.readline().split()[-1]
        process.terminate()
        assert process.wait(30) == 0


def test_a_scrape_over_http(address: str) -> None:
    """In the form that is asked for; whoever looks after processes has a path of its own."""
    kind, text = fetch(address)
    assert kind.startswith("text/plain")
    assert "\ngreenroom_database_up 1.0\n" in text
    assert "\nprocess_resident_memory_bytes " in text
    kind, text = fetch(address, "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    assert fetch(address.replace("/metrics", "/-/healthy"))[1] == "healthy\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(address.replace("/metrics", "/"))


def nothing() -> Reading:
    """A look at parts that are both away."""
    return Reading(at=datetime.now(UTC), seconds=0.0, gauges=None, redis=None)


def test_many_who_ask_cost_one_look() -> None:
    """At the same time, and soon after."""
    looks: list[int] = []
    looking, release = threading.Event(), threading.Event()

    def look() -> Reading:
        looks.append(1)
        looking.set()
        release.wait(30)
        return nothing()

    async def scrape() -> None:
        exporter = Exporter(look, ReadingCollector(allowed=25, database="postgresql"))
        async with exporter_running(exporter, host="127.0.0.1", port=0) as base, ClientSession() as client:

            async def ask() -> int:
                async with client.get(f"{base}/metrics") as answer:
                    return answer.status

            together = [asyncio.create_task(ask()) for _ in range(5)]
            await asyncio.to_thread(looking.wait, 30)
            release.set()
            assert await asyncio.gather(*together) == [200] * 5
            assert await ask() == 200

    asyncio.run(scrape())
    assert len(looks) == 1


def test_a_look_that_takes_too_long_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus sees that there is nothing, and not what was so a while ago."""
    release = threading.Event()

    def look() -> Reading:
        release.wait(30)
        return nothing()

    async def scrape() -> int:
        exporter = Exporter(look, ReadingCollector(allowed=25, database="postgresql"))
        async with (
            exporter_running(exporter, host="127.0.0.1", port=0) as base,
            ClientSession() as client,
            client.get(f"{base}/metrics") as answer,
        ):
            release.set()
            return answer.status

    monkeypatch.setattr("worker.exporter.http_server.PATIENCE_SECONDS", 0.05)
    assert asyncio.run(scrape()) == 503
