"""Who comes in, how often, and with how much; and in what form everything else is refused."""

from __future__ import annotations

import http.client
import json
import logging
import socket
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from sqlalchemy import text

from api import refusals
from api.problems import MEDIA_TYPE, STATUSES, TYPE_PREFIX
from api.refusals import ApiRefusal
from api.services import ApiLimits
from models.api_tokens import list_tokens, revoke_token
from models.channel import add_channel
from tests.support.http_api import RunningApi, running_api
from tests.support.production import wait_for
from tests.support.world import NOON

DATES = {"send_at": "2030-03-21T09:00:00+01:00", "keep_until": "2030-04-21T09:00:00+01:00"}
CAMPAIGN = {"channel": "4915112345678", **DATES}


class Chunks:
    """A body that does not say its length: 8,100 bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Parts of it, anew each time."""
        return iter([b" " * 900] * 9)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """What time it is."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Of the rates."""
    return Clock()


@pytest.fixture
def api(database_url: str, redis_url: str, clock: Clock, redis: object) -> Iterator[RunningApi]:  # noqa: ARG001 - an empty one
    """With little patience and small limits; nobody works on what it enqueues."""
    limits = ApiLimits(
        requests_per_minute=20, largest_manifest=4_000, largest_body=2_000, manifests=1, silence=0.5
    )
    with running_api(database_url, redis_url, limits=limits, monotonic=clock, timeout=0.2) as running:
        yield running


def problem(response: Any, status: int, name: str) -> str:
    """What a problem says, if it is this one."""
    assert (response.status_code, response.headers["Content-Type"]) == (status, MEDIA_TYPE), response.text
    found = response.json()
    assert (found["type"], found["title"], found["status"]) == (TYPE_PREFIX + name, name, status)
    assert found["again"] == ("Retry-After" in response.headers)
    detail: str = found["detail"]
    return detail


@pytest.mark.parametrize(
    "given",
    ["", "Basic Zm9vOmJhcg==", "Bearer", "Bearer x", "Bearer greenroom_" + "A" * 43, "greenroom_" + "A" * 43],
)
def test_who_has_no_token_that_is_known_stays_outside(api: RunningApi, given: str) -> None:
    """Whatever is asked for, also what is not there; only that the server answers is told to everybody."""
    for method, path in (("GET", "/v1/channels"), ("PUT", "/v1/campaigns/a"), ("GET", "/nowhere")):
        refused = api.ask(method, path, headers={"Authorization": given})
        assert "greenroom token new NAME" in problem(refused, 401, "NotAuthenticated")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert api.ask("GET", "/healthz", headers={"Authorization": given}).json() == {"status": "ok"}


def test_a_token_is_kept_as_a_digest_and_revoked_at_once(api: RunningApi) -> None:
    """No table has it; its name is free again."""
    token = api.token("shop")
    assert api.ask("GET", "/v1/channels", token=token).json() == {"channels": []}
    with api.services.database.write() as connection:
        assert token not in str(connection.execute(text("SELECT * FROM api_tokens")).all())
        revoke_token(connection, "shop")
    problem(api.ask("GET", "/v1/channels", token=token), 401, "NotAuthenticated")
    api.token("shop")
    with api.services.database.read() as connection:
        assert [row.name for row in list_tokens(connection)] == ["shop", "tests"]


def test_a_limited_token_knows_its_own_channels_alone(api: RunningApi) -> None:
    """Others are refused by name, and of their campaigns not even that they are there is told."""
    with api.services.database.write() as connection:
        for channel in ("4915112345678", "4930901820"):
            add_channel(connection, channel_id=channel, api_base_url="http://x", api_key="x", now=NOON)
        connection.execute(
            text(
                "INSERT INTO campaigns (id, channel_id, send_at, keep_until, created_at, submission)"
                " VALUES ('theirs', '4915112345678', :now, :now, :now, 0)"
            ),
            {"now": NOON},
        )
    token = api.token("limited", "4930901820")
    assert api.ask("GET", "/v1/channels", token=token).json() == {"channels": ["4930901820"]}
    asked = api.ask("POST", "/v1/campaigns/new/estimate", token=token, json=CAMPAIGN)
    problem(asked, 403, "ChannelNotAllowed")
    # However the number is written.
    report = {"channel": "+49 151 1234-5678", "media_id": "1", "at": DATES["send_at"]}
    for path in ("/v1/uses", "/v1/dead"):
        problem(api.ask("POST", path, token=token, json={"reports": [report]}), 403, "ChannelNotAllowed")
    failed = {"messages": [{**report, "errors": [{"code": 100}]}]}
    problem(api.ask("POST", "/v1/errors", token=token, json=failed), 403, "ChannelNotAllowed")
    told = [
        problem(api.ask("GET", f"/v1/campaigns/{name}", token=token), 404, "UnknownName")
        for name in ("theirs", "nobodys")
    ]
    assert told[0].replace("theirs", "nobodys") == told[1]
    for method, path, body in (
        ("DELETE", "", None),
        ("POST", "/move", DATES),
        ("GET", "/rejected", None),
        ("GET", "/media-ids", None),
        ("POST", "/resolve", {"refs": ["a"]}),
        ("POST", "/compare", {**CAMPAIGN, "channel": "4930901820", "items": []}),
    ):
        problem(api.ask(method, f"/v1/campaigns/theirs{path}", token=token, json=body), 404, "UnknownName")
    taken = api.ask("PUT", "/v1/campaigns/theirs", token=token, json={**CAMPAIGN, "channel": "4930901820"})
    assert "4915112345678" not in problem(taken, 409, "Misuse")


def test_each_token_has_a_rate_of_its_own(api: RunningApi, clock: Clock) -> None:
    """Beyond it, the answer says when to come again; then one more is let in."""
    token = api.token("eager")
    answers = [api.ask("GET", "/v1/channels", token=token) for _ in range(21)]
    assert [answer.status_code for answer in answers[:20]] == [200] * 20
    problem(answers[20], 429, "TooManyRequests")
    assert answers[20].headers["Retry-After"] == "3"
    assert api.ask("GET", "/v1/channels", token=api.token("other")).status_code == 200
    clock.now += 3
    assert api.ask("GET", "/v1/channels", token=token).status_code == 200
    problem(api.ask("GET", "/v1/channels", token=token), 429, "TooManyRequests")


LINES, TEXT = {"Content-Type": "application/jsonl"}, {"Content-Type": "application/json"}
FIRST = json.dumps(CAMPAIGN)
ONE = {**CAMPAIGN, "items": [{"ref": "a", "source": "/a"}]}
NAIVE = {**DATES, "send_at": "2030-03-21T09:00:00"}


def put(status: int, name: str, **sent: Any) -> tuple[Any, ...]:
    """A manifest, and how it is refused."""
    return "PUT", "/v1/campaigns/a", sent, (status, name)


def ask(path: str, status: int, name: str, **sent: Any) -> tuple[Any, ...]:
    """Another request: POST if something is sent."""
    return "POST" if sent else "GET", f"/v1/{path}", sent, (status, name)


@pytest.mark.parametrize(
    ("method", "path", "sent", "wanted"),
    [
        ask("nothing", 404, "PathUnknown"),
        ("PATCH", "/v1/campaigns/a", {}, (405, "MethodNotAllowed")),
        ask("campaigns/-a", 422, "RequestInvalid"),
        ask("campaigns/a/rejected?after=" + "x" * 300, 422, "RequestInvalid"),
        ask("uses", 422, "RequestInvalid", data="{", headers=TEXT),
        ask("uses", 422, "RequestInvalid", data="[" * 1_900, headers=TEXT),
        ask("uses", 422, "RequestInvalid", json={"reports": [{"channel": "x"}]}),
        ask("uses", 422, "RequestInvalid", json={"reports": [], "more": 1}),
        ask("uses", 413, "BodyTooLarge", data=b" " * 3_000, headers=TEXT),
        ask("uses", 413, "BodyTooLarge", data=Chunks(), headers=TEXT),
        ask("campaigns/a/move", 422, "RequestInvalid", json=NAIVE),
        put(415, "BodyNotRead", data="ref,source"),
        put(422, "ManifestError", json=[]),
        put(422, "ManifestError", json={**CAMPAIGN, "items": {"ref": "a"}}),
        put(422, "ManifestError", json={**CAMPAIGN, "id": "b", "items": []}),
        put(422, "ManifestError", json={**NAIVE, "channel": "4915112345678"}),
        put(422, "EmptyManifest", json={**CAMPAIGN, "items": []}),
        put(422, "EmptyManifest", data=FIRST, headers=LINES),
        put(422, "ManifestError", data="", headers=LINES),
        put(422, "ManifestError", data="[" * 3_000, headers=LINES),
        put(422, "ManifestError", data="[" * 3_000, headers=TEXT),
        put(422, "ManifestError", data=b"\xff\xfe", headers=LINES),
        put(413, "BodyTooLarge", data=b" " * 5_000, headers=LINES),
        put(413, "BodyTooLarge", data=Chunks(), headers=LINES),
        ask("campaigns/a", 503, "BrokerUnavailable"),
        put(503, "BrokerUnavailable", json=ONE),
    ],
)
def test_whatever_is_refused_is_a_problem_with_a_name(
    api: RunningApi, method: str, path: str, sent: dict[str, Any], wanted: tuple[int, str]
) -> None:
    """The framework's own refusals, ours, the manifest's, and the broker's."""
    assert problem(api.ask(method, path, **sent), *wanted)


def test_a_line_that_cannot_be_used_is_named_and_nothing_is_handed_over(api: RunningApi, redis: Any) -> None:
    """All of a body is looked at first."""
    good = [json.dumps({"ref": f"{number}", "source": "/a"}) for number in range(30)]
    body = "\n".join([FIRST, *good, '{"ref": "b", "source": "relative.jpg"}'])
    refused = api.ask("PUT", "/v1/campaigns/a", data=body, headers=LINES)
    assert problem(refused, 422, "ManifestError").startswith("line 32: source: must be an absolute path")
    document = {**CAMPAIGN, "items": [{"ref": "a", "source": "/a"}, {"ref": "b"}]}
    refused = api.ask("PUT", "/v1/campaigns/a", json=document)
    assert problem(refused, 422, "ManifestError").startswith("item 2: source is missing")
    assert redis.llen("control") == 0


def test_a_body_that_breaks_off_or_stops_changes_nothing(api: RunningApi, redis: Any) -> None:
    """It may end in the middle of what would be a whole, shorter manifest; nothing of it is handed over."""
    token = str(api.session.headers["Authorization"])
    lines = f'{FIRST}\n{{"ref": "a", "source": "/a"}}\n'.encode()
    head = (
        f"PUT /v1/campaigns/a HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
        "Content-Type: application/jsonl\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.sendall(head + f"{len(lines):x}\r\n".encode() + lines + b"\r\n")
        # Nothing more comes, nor its end.
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, json.loads(answer.read())["title"]) == (408, "BodyTooSlow")
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.sendall(head + f"{len(lines):x}\r\n".encode() + lines + b"\r\n")
    # Its place is free again.
    refused = api.ask("PUT", "/v1/campaigns/a", json={**CAMPAIGN, "items": []})
    assert problem(refused, 422, "EmptyManifest")
    assert redis.llen("control") == 0


def test_the_log_has_who_and_what_and_neither_queries_nor_tokens(
    api: RunningApi, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where somebody puts the token into the path, or into the query."""
    token = api.token("shop")
    with caplog.at_level(logging.INFO):
        api.ask("GET", f"/v1/campaigns/{token}/rejected?after={token}", token=token)
        api.ask("GET", f"/v1/channels?token={token}", headers={"Authorization": ""})
        api.ask("GET", "/a%0Ab%1B[31m", token=token)

        def lines() -> list[str]:
            return [record.getMessage() for record in caplog.records if record.name == "greenroom.api"]

        # A line is written once the answer is sent.
        wait_for(lambda: len(lines()) == 3)
    assert token not in caplog.text
    assert [line.split(" ms ")[1] for line in lines()] == ["shop", "-", "shop"]
    assert lines()[0].startswith("GET /v1/campaigns/greenroom_.../rejected 422 ")
    assert lines()[1].startswith("GET /v1/channels 401 ")
    assert all(line.isprintable() for line in lines())


def test_every_refusal_has_a_status_before_the_general_ones() -> None:
    """As has every error; the first that fits decides."""
    kinds = list(STATUSES)
    for kind in vars(refusals).values():
        if isinstance(kind, type) and issubclass(kind, ApiRefusal) and kind is not ApiRefusal:
            assert kind in kinds
    for number, kind in enumerate(kinds):
        assert not any(issubclass(kind, before) for before in kinds[:number]), kind
    assert {field.name for field in fields(ApiLimits)} >= {"silence", "body_seconds"}
