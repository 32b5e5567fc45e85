"""Faults and the other controls; nothing of this is on the page."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from sandbox.faults import BadCommand
from sandbox.testing import RunningSandbox
from tests.sandbox.caller import Caller, error_of


def test_an_answer_in_place_of_the_work(one: Caller) -> None:
    """``answer`` with ``times``: so often, with its status, code, message and headers; then all is well."""
    answer = {
        "status": 503,
        "code": 131016,
        "message": "Service unavailable",
        "headers": {"Retry-After": "7"},
    }
    one.control("faults", {"on": "upload", "times": 2, "answer": answer})
    for _ in range(2):
        got = one.upload()
        assert (got.status_code, got.headers["Retry-After"]) == (503, "7")
        assert (error_of(got)["code"], error_of(got)["message"]) == (131016, "Service unavailable")
    assert one.upload().status_code == 200
    assert one.control("faults").json() == []
    assert one.stats()["faults"] == 2
    assert one.stats()["uploads"] == 1


def test_after_lets_the_first_pass(sandbox: RunningSandbox, one: Caller) -> None:
    """``after``: the fault begins with the next request."""
    sandbox.faults({"on": "any", "after": 2, "times": 1, "answer": {"status": 500}})
    assert [one.upload().status_code for _ in range(4)] == [200, 200, 500, 200]


def test_a_fault_of_one_number(sandbox: RunningSandbox, one: Caller, other: Caller) -> None:
    """``api_key``: the others do not notice."""
    sandbox.faults({"on": "upload", "api_key": one.api_key, "answer": {"status": 500}})
    assert other.upload().status_code == 200
    assert one.upload().status_code == 500


def test_a_fault_of_one_endpoint(sandbox: RunningSandbox, one: Caller) -> None:
    """``on``: each of the four by its name."""
    media_id = one.uploaded()
    link = one.link(media_id)
    for on in ("media_url", "download", "delete"):
        sandbox.faults({"clear": True}, {"on": on, "answer": {"status": 418}})
        statuses = {
            "upload": one.upload().status_code,
            "media_url": one.media_url(media_id).status_code,
            "download": one.get(link).status_code,
        }
        if on == "delete":
            statuses["delete"] = one.delete(media_id).status_code
        assert {name for name, status in statuses.items() if status == 418} == {on}


def test_an_answer_with_a_body_of_its_own(sandbox: RunningSandbox, one: Caller) -> None:
    """``body``: byte for byte, as a proxy's page of HTML or an ID that is none."""
    page = {"status": 200, "body": "<h1>Welcome</h1>", "content_type": "text/html"}
    sandbox.faults({"on": "upload", "times": 1, "answer": page})
    got = one.upload()
    assert (got.text, got.headers["Content-Type"]) == ("<h1>Welcome</h1>", "text/html; charset=utf-8")
    assert one.stats()["uploads"] == 0


def test_what_each_media_holds(sandbox: RunningSandbox, one: Caller) -> None:
    """``contents``: the SHA-256 of what was uploaded, by media ID."""
    media_id = one.uploaded()
    sha256 = one.media_url(media_id).json()["sha256"]
    assert one.session.get(sandbox.url + "/_sandbox/contents").json() == {one.api_key: {media_id: sha256}}


@pytest.mark.parametrize(("drop", "stored"), [("before", 0), ("within", 0), ("after", 1), ("halfway", 1)])
def test_a_dropped_connection(sandbox: RunningSandbox, one: Caller, drop: str, stored: int) -> None:
    """``drop``: no whole answer comes; ``after`` and ``halfway`` have stored the upload."""
    sandbox.faults({"on": "upload", "times": 1, "drop": drop})
    with pytest.raises(requests.RequestException):
        one.upload()
    assert len(sandbox.live_media_ids(one.api_key)) == stored
    one.uploaded()
    assert one.stats()["duplicates"] == stored


def test_a_late_answer(sandbox: RunningSandbox, one: Caller) -> None:
    """``delay_seconds``: a client that does not wait so long has stored its upload all the same."""
    sandbox.faults({"on": "upload", "times": 1, "delay_seconds": 20})
    with pytest.raises(requests.ReadTimeout):
        one.session.post(
            one.url + "/media",
            data={"messaging_product": "whatsapp"},
            files={"file": ("f", b"x", "image/png")},
            timeout=0.3,
        )
    assert len(sandbox.live_media_ids(one.api_key)) == 1


def test_latency_is_waited_for(calling: Any) -> None:
    """``latency``: no answer comes before it."""
    with RunningSandbox(latency="30ms") as sandbox:
        began = time.monotonic()
        calling(sandbox.url).uploaded()
        assert time.monotonic() - began >= 0.03


def test_media_forgotten_before_their_time(one: Caller) -> None:
    """``forget_media``: an ID is dead although nobody deleted it."""
    media_id = one.uploaded()
    one.control("faults", {"forget_media": [media_id, "unknown"]})
    assert one.media_url(media_id).status_code == 400
    assert one.stats()["deletes"] == 0


def test_a_revoked_key(one: Caller, other: Caller) -> None:
    """``revoke_key`` and ``restore_key``: 401 in between, and the media are still there."""
    media_id = one.uploaded()
    other.control("faults", {"revoke_key": one.api_key})
    assert one.upload().status_code == 401
    assert other.upload().status_code == 200
    other.control("faults", [{"restore_key": one.api_key}])
    assert one.media_url(media_id).status_code == 200


def test_faults_can_be_listed_and_cleared(one: Caller) -> None:
    """What is set is shown with what is left of it."""
    set_ = one.control(
        "faults", [{"on": "any", "after": 3, "drop": "before"}, {"on": "delete", "delay_seconds": 1}]
    )
    assert [each["on"] for each in set_.json()] == ["any", "delete"]
    one.upload()
    assert one.control("faults").json()[0]["after"] == 2
    assert one.control("faults", {"clear": True}).json() == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        7,
        [],
        {},
        {"on": "upload"},
        {"on": "elsewhere", "drop": "before"},
        {"on": "upload", "drop": "sometimes"},
        {"on": "upload", "drop": "before", "delay_seconds": 1},
        {"on": "upload", "drop": "before", "times": 0},
        {"on": "upload", "drop": "before", "times": True},
        {"on": "upload", "drop": "before", "after": -1},
        {"on": "upload", "drop": "before", "api_key": 7},
        {"on": "upload", "drop": "before", "tiems": 1},
        {"on": "upload", "delay_seconds": -1},
        {"on": "upload", "delay_seconds": "1"},
        {"on": "upload", "answer": 500},
        {"on": "upload", "answer": {}},
        {"on": "upload", "answer": {"status": 700}},
        {"on": "upload", "answer": {"status": 500, "message": 7}},
        {"on": "upload", "answer": {"status": 500, "code": "x"}},
        {"on": "upload", "answer": {"status": 500, "headers": {"Retry-After": 7}}},
        {"on": "upload", "answer": {"status": 500, "body": 7}},
        {"clear": False},
        {"clear": True, "on": "any"},
        {"forget_media": "123"},
        {"revoke_key": ""},
    ],
)
def test_wrong_commands_are_refused_with_a_sentence(one: Caller, body: object) -> None:
    """Nothing is done of a list that has one wrong command, and the answer says what is wrong."""
    answer = one.control("faults", [{"on": "any", "drop": "before"}, body])
    assert answer.status_code == 400
    assert len(answer.json()["error"]) > 15
    assert one.control("faults").json() == []


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("use", {}),
        ("use", {"media_id": 7}),
        ("use", {"media_id": "unknown"}),
        ("clock", {}),
        ("clock", {"advance_seconds": -1}),
        ("clock", {"advance_seconds": "1"}),
        ("clock", {"advance_seconds": 1, "more": 1}),
        ("clock", []),
    ],
)
def test_other_wrong_bodies(one: Caller, name: str, body: object) -> None:
    """Each control says what it wants."""
    assert one.control(name, body).status_code == 400


@pytest.mark.parametrize("body", [b"{", b"[" * 5_000], ids=["cut off", "deep"])
def test_a_body_that_is_not_json(one: Caller, body: bytes) -> None:
    """Or nested so deeply that Python gives up."""
    answer = one.session.post(one.url + "/_sandbox/faults", data=body, timeout=30)
    assert (answer.status_code, answer.json()) == (400, {"error": "the body is not JSON"})


def test_the_clock(one: Caller) -> None:
    """The clock tells its time, and how far it was moved."""
    assert one.control("clock").json()["offset_seconds"] == 0
    moved = one.control("clock", {"advance_seconds": 3600}).json()
    assert moved["offset_seconds"] == 3600
    assert moved["now"] - time.time() == pytest.approx(3600, abs=20)


def test_the_list_of_media(one: Caller, other: Caller) -> None:
    """The live media of each number, oldest first."""
    ids = [one.uploaded(), one.uploaded()]
    assert one.control("media").json() == {one.api_key: ids}
    other.uploaded()
    assert set(one.control("media").json()) == {one.api_key, other.api_key}


def test_running_sandbox_refuses_wrong_commands(sandbox: RunningSandbox) -> None:
    """In-process commands are checked like those over the network."""
    with pytest.raises(BadCommand, match="'on'"):
        sandbox.faults({"on": "nowhere", "drop": "before"})
    with pytest.raises(ValueError, match="forward"):
        sandbox.advance(-1)


def test_running_sandbox_can_be_stopped_twice() -> None:
    """``stop`` is final and may be called again."""
    sandbox = RunningSandbox()
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(sandbox.url, timeout=5)
