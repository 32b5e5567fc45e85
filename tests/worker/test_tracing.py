"""Traces: from a hand-over to its uploads; without a collector, and where nobody wants them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from greenroom import tracing
from greenroom.client import Greenroom
from greenroom.errors import SourceMissing
from greenroom.log_fields import fields_of, logged_about
from greenroom.manifest import ManifestItem, parse_plan
from greenroom.vault import new_secret_key
from sandbox.testing import RunningSandbox
from tests.support.collector import Collector, collector
from tests.support.command import environment
from tests.support.production import CHANNEL, KEY, PATIENCE, Production, wait_for

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that processes of this test know; they send what they have soon."""
    with collector() as running:
        monkeypatch.setenv(ENDPOINT, running.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield running


@pytest.fixture
def traced(collected: Collector) -> Iterator[None]:
    """This process, as long as the test runs."""
    assert tracing.use("tests", os.environ), collected.url
    yield
    tracing.end()
    tracing.use("tests", {})


@pytest.mark.usefixtures("traced")
def test_a_campaign_is_followed_from_its_hand_over(
    collected: Collector,
    production: tuple[Production, RunningSandbox],
    redis_url: str,
    tmp_path: Path,
) -> None:
    """Over the broker, into forked processes and threads; their last spans are sent when they end."""
    running, _ = production
    assert "is ready for campaigns" in running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    items = []
    for number in range(3):
        path = tmp_path / f"secret-name-{number}.jpg"
        Image.new("RGB", (32, 32), (80 * number, 0, 0)).save(path)
        items.append(ManifestItem(ref=str(number), source=str(path)))
    items.append(ManifestItem(ref="gone", source=str(tmp_path / "gone.jpg")))
    send_at = datetime.now(UTC) + timedelta(hours=1)
    plan = {
        "id": "spring",
        "channel": CHANNEL,
        "send_at": send_at.isoformat(),
        "keep_until": (send_at + timedelta(days=1)).isoformat(),
    }
    with Greenroom(redis_url, timeout=PATIENCE) as client, tracing.traced("hand-over") as mine:
        client.add_items(parse_plan(plan), items)
        handed_over = tracing.trace_id()
    assert mine is not None
    wait_for(lambda: running.settled("spring"))
    running.stop()
    (prepare,) = collected.named("media.prepare")
    assert prepare.trace_id == handed_over
    assert prepare.attributes["greenroom.campaign"] == "spring"
    assert prepare.service == "greenroom-worker"
    inspections = collected.named("media.inspect")
    assert inspections
    channels = collected.named("upload to a channel")
    uploads = {span.span_id: span for span in collected.named("media.upload")}
    assert channels
    for span in channels:
        assert span.attributes["greenroom.channel"] == CHANNEL
        assert uploads[span.parent_id].trace_id == span.trace_id
    recorded = collected.named("record uploads")
    by_id = {span.span_id for span in channels}
    assert {span.parent_id for span in recorded} <= by_id
    events = [event for span in recorded for event in span.events]
    assert len({event["greenroom.media_id"] for event in events}) == 3
    sent = b"".join(collected.bodies)
    for secret in (KEY, "secret-name", str(tmp_path), redis_url):
        assert secret.encode() not in sent
    # Lines of the log are found by it.
    lines = [json.loads(line) for line in running.logs().splitlines() if line.startswith("{")]
    assert {line["trace_id"] for line in lines if "trace_id" in line} & {prepare.trace_id}


@pytest.mark.usefixtures("traced")
def test_what_fails_is_told_by_its_type(collected: Collector) -> None:
    """And by nothing that it says."""
    with pytest.raises(SourceMissing), tracing.traced("work", channel="1", campaign=None):
        raise SourceMissing("There is no file at /secret.")
    with tracing.traced("rest"), logged_about(task="media.upload"):
        tracing.event("file", media_id="5")
        line = logging.makeLogRecord({})
        assert fields_of(line)["trace_id"] == tracing.trace_id()
    tracing.end()
    (span,) = collected.named("work")
    assert (span.failed, span.service) == (True, "tests")
    assert span.attributes == {"greenroom.channel": "1", "error.type": "SourceMissing"}
    assert collected.named("rest")[0].events == [{"greenroom.media_id": "5"}]
    assert b"secret" not in b"".join(collected.bodies)


def test_a_collector_that_is_away_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not take is dropped, and the end is not waited for."""
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    assert tracing.use("tests", os.environ)
    for _ in range(5_000):
        with tracing.traced("work"):
            tracing.event("file")
    tracing.end()
    assert not tracing.use("tests", {})


def test_a_collector_that_says_nothing_keeps_nobody_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes what is sent, and never answers: the end waits for it so long, and no longer."""
    waited: list[tuple[threading.Thread, float | None]] = []

    class Ending(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            if self.name == "last spans":
                waited.append((self, timeout))
            super().join(timeout)

    monkeypatch.setattr(threading, "Thread", Ending)
    monkeypatch.setattr(tracing, "LAST_SPANS_SECONDS", 0.2)
    monkeypatch.setattr(tracing, "EXPORT_SECONDS", PATIENCE)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert tracing.use("tests", os.environ)
        with tracing.traced("work"):
            pass
        tracing.end()
        connection, _ = silent.accept()
        with connection:
            # It was being sent, so there was something to wait for; and it was waited for once.
            assert connection.recv(4) == b"POST"
            ((ending, seconds),) = waited
            assert (seconds, ending.daemon) == (0.2, True)
        assert not tracing.use("tests", {})
    ending.join(PATIENCE)
    assert not ending.is_alive()


@pytest.mark.parametrize("ends_with", [signal.SIGTERM, signal.SIGINT])
def test_requests_to_the_http_api_are_told_of(
    collected: Collector,
    ends_with: signal.Signals,
    migrated_sqlite: Path,
    redis_url: str,
    tmp_path: Path,
) -> None:
    """Within whoever asks; the last ones, too, however the server is told to end."""
    shutil.copy(migrated_sqlite, tmp_path / "greenroom.db")
    # Not after some time, but because it ends.
    settings = {
        "GREENROOM_DATABASE_URL": f"sqlite:///{tmp_path / 'greenroom.db'}",
        "GREENROOM_REDIS_URL": redis_url,
        "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
    }
    command = [sys.executable, "-m", "cli", "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=environment(**settings), cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        theirs = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
        path = "/v1/campaigns/secret-name?x=secret"
        refused = requests.get(
            url + path, headers={**theirs, "Authorization": "Bearer secret"}, timeout=PATIENCE
        )
        assert refused.status_code == 401
        server.send_signal(ends_with)
        server.wait(PATIENCE)
    (span,) = collected.named("request")
    assert (span.service, span.trace_id, span.parent_id) == ("greenroom-serve", "a" * 32, "b" * 16)
    assert span.attributes == {
        "greenroom.method": "GET",
        "http.response.status_code": 401,
        "http.route": "none",
        "greenroom.token": "-",
    }
    assert b"secret" not in b"".join(collected.bodies)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {ENDPOINT: ""},
        {ENDPOINT: "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {ENDPOINT: "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_where_nobody_wants_it_nothing_of_it_is_loaded(given: dict[str, str]) -> None:
    """By a worker, that is. The Redis client loads the SDK's metrics where they are installed."""
    settings = {
        "GREENROOM_DATABASE_URL": "sqlite:////nowhere",
        "GREENROOM_REDIS_URL": "redis://127.0.0.1:9/0",
        "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
    }
    code = """
import sys
import worker
from greenroom import tracing
worker.app.loader.import_default_modules()
with tracing.traced("work") as span:
    tracing.event("file")
assert span is None and tracing.here() == {} and tracing.trace_id() is None
traced = ("opentelemetry.sdk.trace", "opentelemetry.exporter")
print([name for name in sys.modules if name.startswith(traced)])
"""
    rest: dict[str, Any] = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**rest, **settings, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n", done.stderr
