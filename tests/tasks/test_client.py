"""The schedulers' client fails in one way, whatever of the broker is away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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
