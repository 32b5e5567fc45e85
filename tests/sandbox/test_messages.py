"""``POST /messages``: media IDs are used, and dead ones refused, as a whole send-out would meet it."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox.faults import BadCommand
from sandbox.testing import RunningSandbox
from tests.sandbox.caller import Caller, error_of

DAY = 24 * 60 * 60
TO = "4915112345678"


def send(caller: Caller, kind: str = "image", *, to: str = TO, **content: Any) -> requests.Response:
    """Send one message."""
    message = {"messaging_product": "whatsapp", "to": to, "type": kind, kind: content}
    return post(caller, message)


def post(caller: Caller, message: Any) -> requests.Response:
    """Send whatever is given."""
    return caller.session.post(f"{caller.url}/messages", json=message, timeout=30)


def header(media_id: str) -> list[dict[str, Any]]:
    """The components of a template with an image."""
    parameter = {"type": "image", "image": {"id": media_id}}
    return [
        {"type": "header", "parameters": [parameter]},
        {"type": "body", "parameters": ["odd", {"type": 7}]},
    ]


def test_the_answer_is_metas(one: Caller) -> None:
    """Meta: Image messages, response: the recipient as written and as known, and the message's ID."""
    answer = send(one, to="+49 (151) 1234-5678", id=one.uploaded(), caption="Hello")
    assert answer.status_code == 200
    body = answer.json()
    (message,) = body.pop("messages")
    assert message["id"].startswith("wamid.")
    assert body == {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+49 (151) 1234-5678", "wa_id": TO}],
    }
    assert one.stats()["messages"] == 1


@pytest.mark.parametrize("template", [False, True])
def test_sending_is_a_use(sandbox: RunningSandbox, one: Caller, *, template: bool) -> None:
    """Page: "30 days after last use", "send a message using the media ID"."""
    media_id = one.uploaded()
    content = {"name": "sale", "components": header(media_id)} if template else {"id": media_id}
    kind = "template" if template else "image"
    for _ in range(3):
        sandbox.advance(29 * DAY)
        assert send(one, kind, **content).status_code == 200
    sandbox.advance(30 * DAY)
    answer = send(one, kind, **content)
    assert answer.status_code == 400
    param = "template['components'][0]['parameters'][0]['image']" if template else "image"
    said = f"(#100) Param {param}['id'] is not a valid whatsapp business account media attachment ID"
    assert (error_of(answer)["code"], error_of(answer)["message"]) == (100, said)
    assert (one.stats()["messages"], one.stats()["messages_refused"]) == (3, 1)


def test_foreign_deleted_and_invented_ids_are_refused(one: Caller, other: Caller) -> None:
    """The page is silent; an ID belongs to its number, as look-ups show."""
    foreign, deleted = other.uploaded(), one.uploaded()
    one.delete(deleted)
    for media_id in (foreign, deleted, "1094408688491179"):
        answer = send(one, id=media_id)
        assert answer.status_code == 400
        assert "media attachment ID" in error_of(answer)["message"]
    assert one.stats()["lookup_errors"] == 0
    one.session.headers.pop("D360-API-KEY")
    assert send(one, id=foreign).status_code == 401


def test_a_file_of_another_type_fails_later(sandbox: RunningSandbox, one: Caller) -> None:
    """Public issue threads: taken with 200, and told by webhook with 131053; such a message is no use."""
    media_id = one.uploaded(b"RIFF", "image/webp")
    answer = send(one, id=media_id)
    assert answer.status_code == 200
    (status,) = one.control("statuses").json()[one.api_key]
    assert status["id"] == answer.json()["messages"][0]["id"]
    assert (status["status"], status["recipient_id"]) == ("failed", TO)
    details = "Unsupported Image mime type image/webp. Please use one of image/jpeg, image/png."
    assert status["errors"] == [
        {
            "code": 131053,
            "title": "Media upload error",
            "message": "Media upload error",
            "error_data": {"details": details},
        }
    ]
    sandbox.advance(30 * DAY)
    assert sandbox.live_media_ids(one.api_key) == []
    assert one.stats()["messages_failed"] == 1


def test_a_fault_has_a_message_fail_later(sandbox: RunningSandbox, one: Caller, other: Caller) -> None:
    """``fail``: with the code that a test wants, and with what the message is known by at home."""
    sandbox.faults({"on": "message", "times": 1, "fail": {"code": 131052, "title": "Media download error"}})
    media_id = one.uploaded()
    message = {"messaging_product": "whatsapp", "to": TO, "type": "image", "image": {"id": media_id}}
    for _ in range(2):
        assert post(one, {**message, "biz_opaque_callback_data": "hero"}).status_code == 200
    (status,) = sandbox.failed_statuses(one.api_key)
    assert status["biz_opaque_callback_data"] == "hero"
    assert status["errors"] == [
        {"code": 131052, "title": "Media download error", "message": "Media download error"}
    ]
    assert sandbox.failed_statuses(other.api_key) == []
    sandbox.faults({"on": "message", "times": 1, "answer": {"status": 503}})
    assert send(one, id=media_id).status_code == 503


@pytest.mark.parametrize(
    "fault",
    [
        {"on": "upload", "fail": {}},
        {"on": "any", "fail": {}},
        {"on": "message", "fail": {}, "drop": "after"},
        {"on": "message", "fail": 131053},
        {"on": "message", "fail": {"code": "131053"}},
        {"on": "message", "fail": {"kode": 1}},
    ],
)
def test_a_wrong_fault_is_refused(sandbox: RunningSandbox, fault: dict[str, Any]) -> None:
    """With a sentence."""
    with pytest.raises(BadCommand, match="fail"):
        sandbox.faults(fault)


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        ([], 100, "no object"),
        ({}, 100, "messaging_product is required"),
        ({"messaging_product": "sms"}, 100, "must be one of"),
        ({"to": None}, 131008, "Required parameter"),
        ({"to": "sales"}, 131009, "not valid"),
        ({"type": None}, 131008, "Required parameter"),
        ({"type": "text", "text": {"body": "Hello"}}, 131051, "Unsupported message type"),
        ({"image": None}, 131008, "Required parameter"),
        ({"image": {}}, 131008, "Required parameter"),
        ({"image": {"id": 1}}, 131008, "Required parameter"),
        ({"image": {"id": "1", "caption": "x" * 1025}}, 100, "at most 1024 characters"),
        (
            {"type": "audio", "audio": {"id": "1", "caption": "x"}},
            100,
            'Unexpected key "caption" on param "audio"',
        ),
        ({"type": "sticker", "sticker": {"id": "1", "voice": True}}, 100, 'Unexpected key "voice"'),
        ({"type": "template", "template": {}}, 131008, "Required parameter"),
    ],
)
def test_what_is_no_message_is_refused(one: Caller, message: Any, code: int, says: str) -> None:
    """The page is silent; Meta's codes."""
    right = {"messaging_product": "whatsapp", "to": TO, "type": "image", "image": {"id": "1"}}
    answer = post(one, {**right, **message} if message else message)
    assert answer.status_code == 400
    error = error_of(answer)
    assert error["code"] == code
    assert says in error["message"]


def test_bodies_that_are_not_json_and_too_large_ones(one: Caller) -> None:
    """Neither costs the server more than a sentence."""
    for body in (b"to=1", b"[" * 100_000, b"x" * 2**21):
        answer = one.session.post(f"{one.url}/messages", data=body, timeout=30)
        assert answer.status_code == 400
        assert "is not a message" in error_of(answer)["message"]


def test_a_link_is_the_providers_business(one: Caller) -> None:
    """Nothing is fetched by the sandbox."""
    assert send(one, link="https://example.com/x.jpg").status_code == 200


def test_a_webhooks_url_is_valid_for_seven_days(sandbox: RunningSandbox, one: Caller, other: Caller) -> None:
    """Page: "media retrieved directly from the webhook are available for 7 days"."""
    media_id = one.uploaded(b"from a customer")
    webhook = one.control("inbound", {"media_id": media_id}).json()
    assert webhook.keys() == {"id", "mime_type", "sha256", "url"}
    url = webhook["url"].replace("https://lookaside.fbsbx.com", one.url)
    assert "&source=webhook&" in url
    assert one.get(url).content == b"from a customer"
    assert one.get(url.replace("webhook", "getMedia")).status_code == 404
    assert other.get(url).status_code == 404
    sandbox.advance(7 * DAY - 60)
    assert one.get(url).status_code == 200
    sandbox.advance(61)
    assert one.get(url).status_code == 404
    with pytest.raises(BadCommand, match="no media"):
        sandbox.inbound("1")
    assert one.control("inbound", {"media_id": "1"}).status_code == 400
