"""Call-backs by HTTP reach the host that is allowed, signed, and nobody that it leads to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from greenroom.callbacks import http_sender as of_sender
from greenroom.callbacks.http_sender import CallbackSender
from greenroom.clock import ManualClock
from greenroom.errors import CallbackFailed, CallbackUnwanted
from greenroom.settings import Settings
from greenroom.vault import new_secret_key
from tests.support.receiver import HOSTS, SECRET, Receiver, receiving
from tests.support.world import NOON, free_port

BODY = b'{"id": "one"}'
CLOCK = ManualClock(NOON)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A web server of this machine."""
    with receiving() as running:
        yield running


def sender(hosts: str = HOSTS, **more: Any) -> CallbackSender:
    """One that may ask these."""
    settings = Settings.model_validate(
        {
            "database_url": "sqlite:///greenroom.db",
            "redis_url": "redis://127.0.0.1/0",
            "secret_key": new_secret_key(),
            "callback_hosts": hosts,
            "callback_secret": SecretStr(SECRET),
        }
    )
    return CallbackSender(settings, CLOCK, **more)


def test_what_is_sent_can_be_verified(receiver: Receiver) -> None:
    """Whole, as JSON, to the path and query that were asked for."""
    sender().post(f"{receiver.url}?campaign=spring", "one", BODY)
    (request,) = receiver.requests
    assert (request.path, request.headers["Content-Type"]) == (
        "/greenroom?campaign=spring",
        "application/json",
    )
    assert request.verified(CLOCK) == {"id": "one"}
    assert SECRET not in str(request.headers)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    """Not even to the same host: what is signed is for whom the operator allowed."""
    receiver.answers = [(status, {"Location": receiver.url})]
    with pytest.raises(CallbackFailed, match="redirects are not followed"):
        sender().post(receiver.url, "one", BODY)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("status", "headers", "error", "wait"),
    [
        (400, {}, CallbackFailed, None),
        (401, {}, CallbackFailed, None),
        (429, {"Retry-After": "120"}, CallbackFailed, 120.0),
        (503, {"Retry-After": "tomorrow"}, CallbackFailed, None),
        (503, {"Retry-After": "9" * 400}, CallbackFailed, None),
        (410, {}, CallbackUnwanted, None),
    ],
)
def test_what_a_receiver_answers_is_told_by_type(
    receiver: Receiver, status: int, headers: dict[str, str], error: type[Exception], wait: float | None
) -> None:
    """And without the path, which may hold a token."""
    receiver.answers = [(status, headers)]
    with pytest.raises(error, match=f"answered {status}") as caught:
        sender().post(f"{receiver.url}/canary?token=canary", "one", BODY)
    assert getattr(caught.value, "retry_after", None) == wait
    assert "canary" not in str(caught.value)


def test_a_host_that_leads_inside_is_refused() -> None:
    """Its name is allowed, and its IP address is not."""

    def resolve(_host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(0, 0, 0, "", ("127.0.0.1", port))]

    with pytest.raises(CallbackFailed, match="inside a network") as caught:
        sender("http://crm.example:*", resolve=resolve).post("http://crm.example/canary", "one", BODY)
    assert "GREENROOM_CALLBACK_HOSTS" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_nobody_there_is_a_failure_of_the_moment() -> None:
    """In words, without the path."""
    with pytest.raises(CallbackFailed, match="the connection was refused") as caught:
        sender().post(f"http://127.0.0.1:{free_port()}/canary", "one", BODY)
    assert "canary" not in str(caught.value)


def test_a_receiver_that_takes_its_time_is_not_waited_for(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slowly it answers, byte by byte."""
    monkeypatch.setattr(of_sender, "DELIVERY_SECONDS", 0.0)
    with pytest.raises(CallbackFailed, match=r"not done in"):
        sender().post(receiver.url, "one", BODY)
