"""Errors as HTTP tells them: problem details (RFC 9457), with the error's own name and sentence."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api import refusals
from greenroom import errors
from greenroom.client import BrokerUnavailable
from greenroom.untrusted_text import storable

MEDIA_TYPE: Final = "application/problem+json"
#: Before an error's name, its type (RFC 9457, section 3.1.1: a URI; this one identifies, and leads nowhere).
TYPE_PREFIX: Final = "urn:greenroom:"
#: Seconds after which what failed at the moment may be tried again, where nobody says so.
RETRY_SECONDS: Final = 5

#: By error, the status; the first that fits decides, so special ones stand before general ones.
STATUSES: Final[Mapping[type[errors.GreenroomError], HTTPStatus]] = {
    refusals.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    refusals.ChannelNotAllowed: HTTPStatus.FORBIDDEN,
    refusals.TokenReadsOnly: HTTPStatus.FORBIDDEN,
    refusals.OtherSite: HTTPStatus.FORBIDDEN,
    refusals.PathUnknown: HTTPStatus.NOT_FOUND,
    refusals.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    refusals.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    refusals.BodyTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    refusals.BodyNotRead: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    refusals.RequestInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    refusals.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    refusals.ServerBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UnknownName: HTTPStatus.NOT_FOUND,
    errors.EmptyManifest: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ManifestError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.MessageRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SubmissionSuperseded: HTTPStatus.CONFLICT,
    errors.Misuse: HTTPStatus.CONFLICT,
    BrokerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DatabaseUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.WorkerFailed: HTTPStatus.BAD_GATEWAY,
    errors.GreenroomError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class Problem(BaseModel):
    """An error.

    Attributes:
        type: ``urn:greenroom:`` and the error's name.
        title: the error's name.
        status: that of the answer.
        detail: what is wrong and what to do, in a sentence.
        again: whether the same request may succeed later.
    """

    type: str
    title: str
    status: int
    detail: str
    again: bool


def problem_response(error: errors.GreenroomError) -> JSONResponse:
    """The answer to a request that failed so."""
    kind, status = next((kind, status) for kind, status in STATUSES.items() if isinstance(error, kind))
    # A worker may raise an error that is newer than this table.
    name = kind.__name__
    after = getattr(error, "retry_after", None)
    again = status in (
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.REQUEST_TIMEOUT,
    )
    problem = Problem(
        type=TYPE_PREFIX + name, title=name, status=status, detail=storable(str(error)), again=again
    )
    headers = {"Retry-After": str(max(1, round(after or RETRY_SECONDS)))} if again else {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(problem.model_dump(), status, headers=headers, media_type=MEDIA_TYPE)


def documented(*more: type[errors.GreenroomError]) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of an operation's errors: those of every operation, and these."""
    usual = (
        refusals.NotAuthenticated,
        refusals.TokenReadsOnly,
        refusals.BodyTooLarge,
        refusals.RequestInvalid,
        refusals.TooManyRequests,
        errors.WorkerFailed,
        BrokerUnavailable,
    )
    by_status: dict[int | str, list[str]] = {}
    for kind in (*usual, *more):
        by_status.setdefault(int(STATUSES[kind]), []).append(kind.__name__)
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": ", ".join(names), "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, names in by_status.items()
    }
