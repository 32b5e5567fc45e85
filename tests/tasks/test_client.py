"""The schedulers' client fails in one way, whatever of the broker is away."""

from __future__ import annotations

import subprocess
import sys
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
from greenroom.errors import DatabaseUnavailable, EmptyManifest, Misuse, UnknownName, WorkerFailed
from greenroom.manifest import CampaignPlan, ManifestItem

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLAN = CampaignPlan(id="spring", channel="4915", send_at=NOW, keep_until=NOW + timedelta(days=1))
ITEMS = [ManifestItem(ref="a", source="/a")]
FAILURES = [OperationalError("away"), RedisConnectionError("away"), RuntimeError("Retry limit exceeded")]


class Answer:
    """A task's answer: one that never comes, an error or a value."""

    def __init__(
        self, *, failure: Exception | None = None, error: Exception | None = None, value: object = None
    ) -> None:
        self._failure, self._error, self._value = failure, error, value

    def get(self, **_: Any) -> None:
        """Wait for it."""
        if self._failure:
            raise self._failure

    def maybe_throw(self) -> object:
        """Raise the task's own error."""
        if self._error:
            raise self._error
        return self._value

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
    monkeypatch.setattr(client._calls._app, "send_task", send_task)
    with pytest.raises(BrokerUnavailable):
        client.add_items(PLAN, ITEMS)
    client.close()


@pytest.mark.parametrize("error", FAILURES[:2], ids=lambda failure: type(failure).__name__)
def test_a_broker_that_is_lost_while_a_worker_answers_is_the_same_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Celery gives the worker's own trouble with it as the task's outcome, though the task was done."""
    client = Greenroom("redis://127.0.0.1:9/0")
    monkeypatch.setattr(client._calls._app, "send_task", lambda *_, **__: Answer(error=error))
    with pytest.raises(BrokerUnavailable, match="Ask again"):
        client.add_items(PLAN, ITEMS)
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
    monkeypatch.setattr(client._calls._app, "send_task", send_task)
    with pytest.raises(BrokerUnavailable if told else AttributeError):
        client.add_items(PLAN, ITEMS)
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


@pytest.mark.parametrize("error", [Misuse("no such channel"), DatabaseUnavailable("away")])
def test_the_tasks_own_error_is_itself(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """It is not the broker's fault."""
    client = Greenroom("redis://127.0.0.1:9/0")
    monkeypatch.setattr(client._calls._app, "send_task", lambda *_, **__: Answer(error=error))
    with pytest.raises(type(error), match=str(error)):
        client.add_items(PLAN, ITEMS)
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


def answering(monkeypatch: pytest.MonkeyPatch, *values: object) -> tuple[Greenroom, list[tuple[str, Any]]]:
    """A client whose workers answer so, in turn, and what they were asked."""
    client = Greenroom("redis://127.0.0.1:9/0")
    asked: list[tuple[str, Any]] = []
    answers = iter(values)

    def send_task(name: str, *, args: Any, **_: object) -> Answer:
        asked.append((name, args))
        value = next(answers)
        return Answer(error=value) if isinstance(value, Exception) else Answer(value=value)

    monkeypatch.setattr(client._calls._app, "send_task", send_task)
    return client, asked


def test_a_failure_without_a_type_of_ours_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the worker's, or one that Celery made up; nobody has to catch everything."""
    client, _ = answering(monkeypatch, RuntimeError("the task's own"))
    with client, pytest.raises(WorkerFailed, match=r"media.resolve failed.*RuntimeError: the task's own"):
        client.resolve("spring", ["a"])


@pytest.mark.parametrize("value", [None, 7, {"a": 7}, {"a": None}, ["a"]])
def test_an_answer_that_cannot_be_read_is_one_error(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    """Client and worker are of different versions, or somebody else wrote it."""
    client, _ = answering(monkeypatch, value)
    with client, pytest.raises(WorkerFailed, match=r"cannot be read: .*different versions"):
        client.resolve("spring", ["a"])


def test_an_empty_manifest_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent: most often, the query that should have found items found none."""
    client, asked = answering(monkeypatch)
    with client, pytest.raises(EmptyManifest, match="spring has no items"):
        client.add_items(PLAN, iter([]))
    assert not asked


def test_pages_are_asked_for_as_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by what the last one ended with; one without lines is not the end."""
    line = {"ref": "b", "status": "rejected", "reason": "empty", "detail": "It is.", "advice": ""}
    pages = [{"items": [], "after": "a"}, {"items": [line], "after": "b"}, {"items": [], "after": None}]
    client, asked = answering(monkeypatch, *pages)
    with client:
        found = client.rejected("spring")
        assert not asked
        assert next(found).ref == "b"
        assert [args for _, args in asked] == [["spring", ""], ["spring", "a"]]
        assert not list(found)
    client, asked = answering(
        monkeypatch, {"media_ids": {"a": "1"}, "after": "a"}, {"media_ids": {"b": "2"}, "after": None}
    )
    with client:
        assert list(client.media_ids("spring")) == [("a", "1"), ("b", "2")]
    assert asked == [("media.media_ids", ["spring", ""]), ("media.media_ids", ["spring", "a"])]


def test_refs_are_taken_as_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator over millions is asked for a thousand at a time."""
    taken: list[int] = []

    def refs() -> Iterator[str]:
        for number in range(2500):
            taken.append(number)
            yield str(number)

    client, _ = answering(monkeypatch, {"0": "id"}, {}, {})
    with client:
        found = client.media_ids("spring", refs())
        assert next(found) == ("0", "id")
        assert len(taken) == 1000
        assert not list(found)


def test_dates_have_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A naive one is refused at the door; what is sent is UTC."""
    client, asked = answering(monkeypatch, None)
    with client:
        with pytest.raises(ValueError, match="no time zone"):
            client.move("spring", send_at=NOW.replace(tzinfo=None), keep_until=NOW)
        client.move("spring", send_at=NOW, keep_until=NOW + timedelta(days=1))
    assert asked == [("media.move", ["spring", "2026-06-01T00:00:00+00:00", "2026-06-02T00:00:00+00:00"])]


def test_a_client_that_waits_asks_for_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """And gives back what is ready and what is rejected."""
    dates = {"send_at": NOW.isoformat(), "keep_until": NOW.isoformat()}
    settled = {
        "campaign_id": "spring",
        "channel": "49",
        **dates,
        "state": "running",
        "ready": 2,
        "rejected": 1,
    }
    client, asked = answering(monkeypatch, settled, UnknownName("no"))
    with client:
        found = client.wait_until_ready("spring", timeout=5)
        assert (found.ready, found.rejected, found.is_ready, found.is_settled) == (2, 1, False, True)
        with pytest.raises(UnknownName):
            client.wait_until_ready("nobody", timeout=5)
    assert asked == [("media.status", ["spring"]), ("media.status", ["nobody"])]


def test_every_failure_of_the_contract_comes_back_as_itself() -> None:
    """Where the client alone is loaded: none of them is defined where a scheduler has no package."""
    code = """
import greenroom.client
from greenroom.contract import RAISED
from celery import Celery
backend = Celery(set_as_current=False, result_backend="cache+memory://").backend
for error in RAISED:
    written = {"exc_type": error.__name__, "exc_message": ["why"], "exc_module": error.__module__}
    back = backend.exception_to_python(written)
    assert type(back) is error and str(back) == "why", back
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_a_submission_is_begun_handed_over_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts have its number; what each did is added up."""
    part = {"added": 1, "changed": 2, "unchanged": 3}
    ends = [{"removed": 5, "after": "x"}, {"removed": 1, "after": None}]
    client, asked = answering(monkeypatch, 7, part, part, *ends)
    items = (ManifestItem(ref=str(number), source="/a") for number in range(2001))
    with client:
        assert client.submit(PLAN, items).model_dump() == {
            "added": 2,
            "changed": 4,
            "unchanged": 6,
            "removed": 6,
        }
    assert [(name, args[2:] if name == "media.submit" else args[-1]) for name, args in asked[1:]] == [
        ("media.submit", [7]),
        ("media.submit", [7]),
        ("media.end_submission", ""),
        ("media.end_submission", "x"),
    ]


def test_an_iterator_that_fails_removes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is the caller's own; the campaign has what it had, and some of the new."""
    client, asked = answering(monkeypatch, 7, {"added": 2000, "changed": 0, "unchanged": 0})

    def items() -> Iterator[ManifestItem]:
        for number in range(2500):
            yield ManifestItem(ref=str(number), source="/a")
        raise OSError("the file is cut short")

    with client, pytest.raises(OSError, match="cut short"):
        client.submit(PLAN, items())
    assert [name for name, _ in asked] == ["media.begin_submission", "media.submit"]


def test_an_empty_submission_removes_all_where_it_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is refused before anything is asked where nobody said so."""
    client, asked = answering(monkeypatch, 7, {"removed": 3, "after": None})
    with client:
        with pytest.raises(EmptyManifest):
            client.submit(PLAN, [])
        assert not asked
        assert client.submit(PLAN, [], allow_empty=True).removed == 3
