"""The schedulers' client fails in one way, whatever of the broker is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from socketserver import BaseRequestHandler, TCPServer
from typing import Any

import pytest
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from greenroom.client import BrokerUnavailable, Greenroom
from greenroom.errors import Misuse
from greenroom.manifest import CampaignPlan, ManifestItem

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLAN = CampaignPlan(id="spring", channel="4915", send_at=NOW, keep_until=NOW + timedelta(days=1))
ITEMS = [ManifestItem(ref="a", source="/a")]
FAILURES = [OperationalError("away"), RedisConnectionError("away"), RuntimeError("Retry limit exceeded")]


class Answer:
    """A task's answer that never comes, or is an error."""

    def __init__(self, *, failure: Exception | None = None, error: Exception | None = None) -> None:
        self._failure, self._error = failure, error

    def get(self, **_: Any) -> None:
        """Wait for it."""
        if self._failure:
            raise self._failure

    def maybe_throw(self) -> None:
        """Raise the task's own error."""
        if self._error:
            raise self._error

    def forget(self) -> None:
        """Tidy up."""
        if self._failure:
            raise self._failure


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("sent", [False, True])
def test_a_broker_that_is_away_is_one_error(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, *, sent: bool
) -> None:
    """Celery lets those of three libraries through."""

    def send_task(*_: Any, **__: Any) -> Answer:
        if sent:
            return Answer(failure=failure)
        raise failure

    client = Greenroom("redis://127.0.0.1:9/0")
    monkeypatch.setattr(client._app, "send_task", send_task)
    with pytest.raises(BrokerUnavailable):
        client.prepare(PLAN, ITEMS)
    client.close()


@pytest.mark.parametrize("error", FAILURES[:2], ids=lambda failure: type(failure).__name__)
def test_a_broker_that_is_lost_while_a_worker_answers_is_the_same_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Celery gives the worker's own trouble with it as the task's outcome, though the task was done."""
    client = Greenroom("redis://127.0.0.1:9/0")
    monkeypatch.setattr(client._app, "send_task", lambda *_, **__: Answer(error=error))
    with pytest.raises(BrokerUnavailable, match="Ask again"):
        client.prepare(PLAN, ITEMS)
    client.close()


@pytest.mark.parametrize("told", [True, False])
def test_a_connection_that_is_lost_while_a_message_is_sent(
    monkeypatch: pytest.MonkeyPatch, *, told: bool
) -> None:
    """Kombu asks None for its address; an AttributeError of another kind is not hidden."""
    lost = AttributeError("no attribute", name="client", obj=None if told else object())

    def send_task(*_: Any, **__: Any) -> Answer:
        raise lost

    client = Greenroom("redis://127.0.0.1:9/0")
    monkeypatch.setattr(client._app, "send_task", send_task)
    with pytest.raises(BrokerUnavailable if told else AttributeError):
        client.prepare(PLAN, ITEMS)
    client.close()


@contextmanager
def hangs_up() -> Iterator[tuple[int, list[int]]]:
    """A port whose server hangs up on everybody, and the ports of those whom it hung up on."""
    callers: list[int] = []

    class CutOff(BaseRequestHandler):
        def handle(self) -> None:
            callers.append(self.client_address[1])

    with TCPServer(("127.0.0.1", 0), CutOff) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1], callers
        finally:
            server.shutdown()
            thread.join()


def test_a_broker_that_is_away_is_tried_no_longer_than_an_answer_is_waited_for() -> None:
    """Celery would try for twenty seconds, whatever the scheduler can wait."""
    tried = []
    for timeout in (1.0, 3.0):
        with hangs_up() as (port, callers):
            client = Greenroom(f"redis://127.0.0.1:{port}/0", timeout=timeout)
            with pytest.raises(BrokerUnavailable):
                client.resolve("spring", ["a"])
            client.close()
            tried.append(len(callers))
    assert 0 < tried[0] < tried[1] < 20, tried


@pytest.mark.parametrize("error", [Misuse("no such channel"), RuntimeError("the task's own")])
def test_the_tasks_own_error_is_itself(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """It is not the broker's fault."""
    client = Greenroom("redis://127.0.0.1:9/0")
    monkeypatch.setattr(client._app, "send_task", lambda *_, **__: Answer(error=error))
    with pytest.raises(type(error), match=str(error)):
        client.prepare(PLAN, ITEMS)
    client.close()


@pytest.mark.parametrize(
    ("broker_url", "result_url", "missing"),
    [
        ("amqp://localhost", None, "result_url"),
        ("amqp://localhost", "sentinel://localhost:26379", "sentinel_master"),
        ("sentinel://localhost:26379", None, "sentinel_master"),
        ("sentinel://localhost:26379", "redis://localhost", "sentinel_master"),
    ],
)
def test_what_a_broker_needs_besides_is_asked_for_at_once(
    broker_url: str, result_url: str | None, missing: str
) -> None:
    """Otherwise Celery would try for minutes to find a master without a name."""
    with pytest.raises(Misuse, match=missing):
        Greenroom(broker_url, result_url=result_url)
