"""Faults that a test sets: what shall go wrong, where, for whom and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from aiohttp import web

from sandbox.error_responses import meta_error
from sandbox.statuses import StatusError


class FaultEndpoint(StrEnum):
    """The four endpoints of the page, and that of messages, by the names that faults use."""

    UPLOAD = "upload"
    MEDIA_URL = "media_url"
    DOWNLOAD = "download"
    DELETE = "delete"
    MESSAGE = "message"


class Drop(StrEnum):
    """When the connection is closed without a whole answer.

    Before the work is done; in the middle of the request's body, by a reset; after the work is done, without
    an answer; or with the first half of it.
    """

    BEFORE = "before"
    WITHIN = "within"
    AFTER = "after"
    HALFWAY = "halfway"


ANY_ENDPOINT = "any"
_WHERE = (*(each.value for each in FaultEndpoint), ANY_ENDPOINT)
_DOES = ("answer", "drop", "delay_seconds", "fail")
_FAULT_FIELDS = {"on", "api_key", "times", "after", *_DOES}
_FAIL_FIELDS = {"code", "title", "details"}
_ANSWER_FIELDS = {"status", "code", "message", "headers", "body", "content_type"}
_JSON = "application/json"
_STATUSES = range(200, 600)


class BadCommand(ValueError):
    """What was sent to a control endpoint cannot be done; the text says what to write instead."""


@dataclass(frozen=True, kw_only=True)
class FixedAnswer:
    """An answer given in place of the work.

    Attributes:
        status: HTTP status.
        code: Meta's error code in the body.
        message: Meta's message in the body.
        headers: further headers, for example ``Retry-After``.
        body: the whole body, in place of Meta's format: a page of HTML, an ID that is none.
        content_type: of such a body.
    """

    status: int
    code: int = 131000
    message: str = "(#131000) Something went wrong"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    content_type: str = _JSON

    def response(self) -> web.Response:
        """The answer, in Meta's format whatever its status, unless it has a body of its own."""
        if self.body is not None:
            return web.Response(
                text=self.body, status=self.status, headers=self.headers, content_type=self.content_type
            )
        body = {"error": meta_error(self.message, code=self.code)}
        return web.json_response(body, status=self.status, headers=self.headers)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault. Exactly one of ``answer``, ``drop``, ``delay_seconds`` and ``fail`` says what it does.

    Attributes:
        on: an :class:`Endpoint`'s name, or ``any``.
        api_key: the number it is for, or None for all.
        times: requests that it still hits, or None for all.
        after: requests that it lets pass first.
        answer: given in place of the work.
        drop: the connection is closed without a whole answer.
        delay_seconds: the answer comes so much later.
        fail: the message is taken, and fails later: its status says so.
    """

    on: str
    api_key: str | None = None
    times: int | None = None
    after: int = 0
    answer: FixedAnswer | None = None
    drop: Drop | None = None
    delay_seconds: float = 0.0
    fail: StatusError | None = None

    def concerns(self, endpoint: FaultEndpoint, api_key: str) -> bool:
        """Whether it is about such a request."""
        return self.on in (endpoint, ANY_ENDPOINT) and self.api_key in (api_key, None)


class Faults:
    """The faults that are set. The first that concerns a request and is not spent or waiting hits it."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    @property
    def active(self) -> tuple[Fault, ...]:
        """What is still set, in its order, with what is left of ``times`` and ``after``."""
        return tuple(self._active)

    def add(self, fault: Fault) -> None:
        """Set one more."""
        self._active.append(fault)

    def clear(self) -> None:
        """Let everything work again."""
        self._active.clear()

    def take(self, endpoint: FaultEndpoint, api_key: str) -> Fault | None:
        """The fault that hits this request, or None; counts it."""
        for position, fault in enumerate(self._active):
            if not fault.concerns(endpoint, api_key):
                continue
            if fault.after:
                self._active[position] = replace(fault, after=fault.after - 1)
                continue
            self._spend(position, fault)
            return fault
        return None

    def _spend(self, position: int, fault: Fault) -> None:
        if fault.times == 1:
            del self._active[position]
        elif fault.times is not None:
            self._active[position] = replace(fault, times=fault.times - 1)


def parse_fault(body: Mapping[str, Any]) -> Fault:
    """Read one fault as JSON has it.

    Raises:
        BadCommand: with a sentence on what is wrong.
    """
    _refuse_unknown(body, _FAULT_FIELDS, "a fault")
    if body.get("on") not in _WHERE:
        raise BadCommand(f"a fault's 'on' is one of {', '.join(_WHERE)}")
    if len(set(_DOES) & body.keys()) != 1:
        raise BadCommand("a fault has exactly one of 'answer', 'drop', 'delay_seconds' and 'fail'")
    if "fail" in body and body["on"] != FaultEndpoint.MESSAGE:
        raise BadCommand("a fault with 'fail' is on 'message'")
    return Fault(
        on=body["on"],
        api_key=_api_key(body),
        times=_times(body),
        after=_whole(body.get("after", 0), "a fault's 'after'", least=0),
        answer=_answer(body["answer"]) if "answer" in body else None,
        drop=_drop(body["drop"]) if "drop" in body else None,
        delay_seconds=seconds(body.get("delay_seconds", 0), "a fault's 'delay_seconds'"),
        fail=_fail(body["fail"]) if "fail" in body else None,
    )


def seconds(value: object, name: str) -> float:
    """Read a length of time.

    Raises:
        BadCommand: it is no number, or below zero.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise BadCommand(f"{name} is a number of seconds, not below zero")
    return float(value)


def _refuse_unknown(body: Mapping[str, Any], known: set[str], name: str) -> None:
    if unknown := body.keys() - known:
        raise BadCommand(
            f"{name} has no field {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}"
        )


def _whole(value: object, name: str, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadCommand(f"{name} is a whole number, at least {least}")
    return value


def _times(body: Mapping[str, Any]) -> int | None:
    value = body.get("times")
    return None if value is None else _whole(value, "a fault's 'times'", least=1)


def _api_key(body: Mapping[str, Any]) -> str | None:
    value = body.get("api_key")
    if value is not None and not isinstance(value, str):
        raise BadCommand("a fault's 'api_key' is a string, or null for every number")
    return value


def _drop(value: object) -> Drop:
    if value not in tuple(Drop):
        raise BadCommand(f"a fault's 'drop' is one of {', '.join(Drop)}")
    return Drop(str(value))


def _fail(value: object) -> StatusError:
    if not isinstance(value, Mapping):
        raise BadCommand(f"a fault's 'fail' is an object with {', '.join(sorted(_FAIL_FIELDS))}, if wanted")
    _refuse_unknown(value, _FAIL_FIELDS, "a fault's 'fail'")
    return StatusError(
        code=_whole(value.get("code", StatusError.code), "a fail's 'code'", least=0),
        title=_string(value.get("title", StatusError.title), "title"),
        details=_string(value.get("details", ""), "details"),
    )


def _answer(value: object) -> FixedAnswer:
    if not isinstance(value, Mapping):
        known = ", ".join(sorted(_ANSWER_FIELDS))
        raise BadCommand(f"a fault's 'answer' is an object with 'status' and, if wanted, more of {known}")
    _refuse_unknown(value, _ANSWER_FIELDS, "a fault's 'answer'")
    status = _whole(value.get("status"), "an answer's 'status'", least=_STATUSES.start)
    if status not in _STATUSES:
        raise BadCommand(f"an answer's 'status' is from {_STATUSES.start} to {_STATUSES.stop - 1}")
    body = value.get("body")
    return FixedAnswer(
        status=status,
        code=_whole(value.get("code", FixedAnswer.code), "an answer's 'code'", least=0),
        message=_string(value.get("message", FixedAnswer.message), "message"),
        headers=_headers(value.get("headers", {})),
        body=None if body is None else _string(body, "body"),
        content_type=_string(value.get("content_type", _JSON), "content_type"),
    )


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise BadCommand(f"an answer's '{name}' is a string")
    return value


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value.values()):
        raise BadCommand("an answer's 'headers' is an object of strings")
    return dict(value)
