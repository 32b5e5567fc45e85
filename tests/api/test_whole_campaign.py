"""A campaign by HTTP alone, from its manifest to its end, on real workers; and its document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from examples import makers
from greenroom.callbacks import verify
from greenroom.reasons import ADVICE, Reason
from sandbox.testing import RunningSandbox
from tests.support.http_api import RunningApi, running_api
from tests.support.production import CHANNEL, KEY, PATIENCE, Production, wait_for
from tests.support.receiver import SECRET, receiving

LINES = {"Content-Type": "application/jsonl"}
#: Of each operation, requests that its part of the document allows, and that it does not.
EXAMPLES = 6


@pytest.fixture
def api(production: tuple[Production, RunningSandbox], redis_url: str) -> Iterator[RunningApi]:
    """On workers as in production, with one channel."""
    running, _ = production
    assert "is ready for campaigns" in running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    database_url = running.environment["GREENROOM_DATABASE_URL"]
    with running_api(database_url, redis_url, timeout=PATIENCE) as found:
        yield found


def dates(*, days: int = 0) -> dict[str, str]:
    """Of a campaign that is sent soon."""
    send_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days, hours=1)
    return {"send_at": send_at.isoformat(), "keep_until": (send_at + timedelta(days=2)).isoformat()}


def ok(response: Any, status: int = 200) -> Any:
    """What was answered."""
    assert response.status_code == status, response.text
    return response.json() if response.content else None


def made_items(folder: Path) -> list[dict[str, str]]:
    """Lines of three images, and of a text that somebody calls one."""
    folder.mkdir()
    items = []
    for number in range(3):
        path = folder / f"{number}.jpg"
        path.write_bytes(makers.saved(makers.drawn_image(64, 64, title=str(number), look=number), "JPEG"))
        items.append({"ref": f"Jürgen/{number}", "source": str(path), "kind": "image"})
    (folder / "bad.jpg").write_text("no image", encoding="utf-8")
    items.append({"ref": "bad", "source": str(folder / "bad.jpg"), "kind": "image"})
    return items


def test_a_campaign_from_its_manifest_to_its_end(
    api: RunningApi, production: tuple[Production, RunningSandbox], tmp_path: Path
) -> None:
    """Submitted as JSON lines and as JSON, twice; looked at, sent, moved and cancelled."""
    _, sandbox = production
    *items, bad = made_items(tmp_path / "media")
    assert ok(api.ask("GET", "/v1/channels")) == {"channels": [CHANNEL]}

    # A number may be written as people write it.
    sale = {"channel": "+49 151 1234-5678", **dates()}
    lines = "\n".join(json.dumps(row) for row in [sale, *items])
    assert ok(api.ask("POST", "/v1/campaigns/sale/estimate", json={**sale, "files": 3}))["left"] == 3
    assert ok(api.ask("PUT", "/v1/campaigns/sale", data=lines, headers=LINES))["added"] == 3
    unchanged = ok(api.ask("PUT", "/v1/campaigns/sale", json={**sale, "items": items[:2]}))
    assert unchanged == {"added": 0, "changed": 0, "unchanged": 2, "removed": 1}
    more = {**sale, "items": [items[2], bad]}
    assert ok(api.ask("POST", "/v1/campaigns/sale/items", json=more)) == {"items": 2}
    wait_for(lambda: ok(api.ask("GET", "/v1/campaigns/sale"))["is_settled"])
    status = ok(api.ask("GET", "/v1/campaigns/sale"))
    assert (status["ready"], status["rejected"], status["is_ready"]) == (3, 1, False)
    rejected = ok(api.ask("GET", "/v1/campaigns/sale/rejected"))
    assert [row["ref"] for row in rejected["items"]] == ["bad"]
    assert rejected["items"][0]["advice"] == ADVICE[Reason(rejected["items"][0]["reason"])]
    retried = ok(api.ask("POST", "/v1/campaigns/sale/retry", json={"refs": ["bad"]}))
    assert sum(retried.values()) == 1
    wait_for(lambda: ok(api.ask("GET", "/v1/campaigns/sale"))["is_settled"])
    page = ok(api.ask("GET", "/v1/campaigns/sale/media-ids"))
    assert set(page["media_ids"].values()) == set(sandbox.live_media_ids(KEY))
    assert page["after"] is None
    rest = ok(api.ask("GET", "/v1/campaigns/sale/media-ids", params={"after": "Jürgen/0"}))
    assert set(rest["media_ids"]) == {"Jürgen/1", "Jürgen/2"}
    asked = ok(api.ask("POST", "/v1/campaigns/sale/resolve", json={"refs": ["Jürgen/1", "bad", "none"]}))
    assert asked == {"media_ids": {"Jürgen/1": page["media_ids"]["Jürgen/1"]}}

    used, dead, failed = (page["media_ids"][f"Jürgen/{number}"] for number in range(3))
    now = datetime.now(UTC).isoformat()
    report = {"channel": CHANNEL, "at": now}
    ok(api.ask("POST", "/v1/uses", json={"reports": [{**report, "media_id": used}]}), 202)
    ok(api.ask("POST", "/v1/dead", json={"reports": [{**report, "media_id": dead}]}), 202)
    # As a webhook has it, with what Greenroom does not look at.
    error = {"code": 131053, "title": "Media upload error", "href": "https://example.com", "error_data": {}}
    told = {"messages": [{**report, "media_id": failed, "errors": [error]}]}
    ok(api.ask("POST", "/v1/errors", json=told), 202)
    wait_for(
        lambda: {dead, failed}.isdisjoint(
            ok(api.ask("GET", "/v1/campaigns/sale/media-ids"))["media_ids"].values()
        )
    )
    later = dates(days=3)
    ok(api.ask("POST", "/v1/campaigns/sale/move", json=later), 204)
    moved = ok(api.ask("GET", "/v1/campaigns/sale"))["send_at"]
    assert datetime.fromisoformat(moved) == datetime.fromisoformat(later["send_at"])
    for _ in range(2):
        ok(api.ask("DELETE", "/v1/campaigns/sale"), 204)
    assert ok(api.ask("GET", "/v1/campaigns/sale"))["state"] == "cancelled"
    again = ok(api.ask("PUT", "/v1/campaigns/sale", json={**sale, "items": items}), 409)
    assert again["title"] == "Misuse"
    assert "was cancelled" in again["detail"]
    assert ok(api.ask("GET", "/v1/campaigns/none"), 404)["title"] == "UnknownName"


def test_what_a_manifest_would_change_is_said_beforehand(api: RunningApi, tmp_path: Path) -> None:
    """By the very body that is submitted then; a campaign that is not known has nothing to compare with."""
    *items, bad = made_items(tmp_path / "media")
    sale = {"channel": CHANNEL, **dates()}
    ok(api.ask("PUT", "/v1/campaigns/sale", json={**sale, "items": items}))
    other = [items[0], {**items[1], "source": bad["source"]}, bad]
    lines = "\n".join(json.dumps(row) for row in [sale, *other])
    sent: dict[str, Any] = {"data": lines, "headers": LINES}
    told = [ok(api.ask("POST", "/v1/campaigns/sale/compare", **sent)) for _ in range(2)]
    assert told == [{"added": 1, "changed": 1, "unchanged": 1, "removed": 1}] * 2
    assert ok(api.ask("PUT", "/v1/campaigns/sale", **sent)) == told[0]
    assert ok(api.ask("POST", "/v1/campaigns/none/compare", **sent), 404)["title"] == "UnknownName"


def test_whoever_hands_over_by_http_is_called_back(api: RunningApi, tmp_path: Path) -> None:
    """As JSON and as JSON lines; what is not allowed is refused by its setting."""
    *items, _ = made_items(tmp_path / "media")
    with receiving() as receiver:
        wanted = {"channel": CHANNEL, **dates(), "callback": {"url": receiver.url}}
        lines = "\n".join(json.dumps(row) for row in [wanted, *items])
        ok(api.ask("PUT", "/v1/campaigns/lines", data=lines, headers=LINES))
        ok(api.ask("POST", "/v1/campaigns/object/items", json={**wanted, "items": items}))
        wait_for(lambda: len(receiver.requests) == 2)
        told = [verify(one.body, one.headers, secret=SECRET)["data"] for one in receiver.requests]
    assert sorted((data["campaign_id"], data["ready"]) for data in told) == [("lines", 3), ("object", 3)]
    for callback, setting in (
        ({"url": "https://crm.example/canary"}, "GREENROOM_CALLBACK_HOSTS"),
        ({"task": "erp.ready"}, "GREENROOM_CALLBACK_TASKS"),
    ):
        body = {**wanted, "callback": callback}
        for method, path, more in (
            ("PUT", "", {"items": items}),
            ("POST", "/items", {"items": items}),
            ("POST", "/estimate", {}),
        ):
            refused = ok(api.ask(method, f"/v1/campaigns/refused{path}", json={**body, **more}), 409)
            assert (refused["title"], setting in refused["detail"]) == ("Misuse", True)
            assert "canary" not in refused["detail"]
    body = {**wanted, "callback": {"url": "https://crm.example/", "task": "crm.ready"}}
    assert ok(api.ask("POST", "/v1/campaigns/refused/estimate", json=body), 422)["title"] == "RequestInvalid"
    assert ok(api.ask("GET", "/v1/campaigns/refused"), 404)["title"] == "UnknownName"


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def test_the_api_is_as_its_document_says(api: RunningApi) -> None:
    """Schemathesis makes requests of the document, sends them, and holds the answers against it."""
    ok(
        api.ask(
            "PUT",
            "/v1/campaigns/known",
            json={"channel": CHANNEL, **dates(), "items": [{"ref": "a", "source": "/nowhere/a.jpg"}]},
        )
    )
    document = ok(api.ask("GET", "/openapi.json", headers={"Authorization": ""}))
    assert document["openapi"].startswith("3.1")
    schema = schemathesis.openapi.from_dict(document)
    operations = [(path, method) for path, methods in document["paths"].items() for method in methods]
    for path, method in operations:
        operation = schema[path][method]
        made = operation.as_strategy() | operation.as_strategy(
            generation_mode=schemathesis.GenerationMode.NEGATIVE
        )

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=made, known=st.booleans())
        def check(case: schemathesis.Case[Any], *, known: bool) -> None:
            # Else nearly all would be about campaigns and channels that there are not.
            if known and "campaign_id" in case.path_parameters:
                case.path_parameters["campaign_id"] = "known"
            if known and isinstance(case.body, dict) and "channel" in case.body:
                case.body["channel"] = CHANNEL
            response = case.call(base_url=api.url, headers=dict(api.session.headers))
            case.validate_response(response, checks=CHECKS)

        check()
