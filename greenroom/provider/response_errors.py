"""The error that an answer means, or that there is none: for every endpoint and each way of sending."""

from __future__ import annotations

from datetime import datetime

from greenroom.counters import PROVIDER_ERRORS
from greenroom.errors import AnswerLost, GreenroomError, ProviderAway, ProviderUnavailable
from greenroom.provider.answer_reader import read_answer
from greenroom.provider.error_table import error_of
from greenroom.provider.http_response import HttpResponse
from greenroom.provider.request import ApiRequest


def error_of_response(request: ApiRequest, response: HttpResponse, *, now: datetime) -> GreenroomError:
    """What an answer other than a success means, or none at all.

    Args:
        request: what was sent.
        response: what came.
        now: the present moment, for a ``Retry-After`` that is a date.
    """
    if not response.status:
        return error_of_break(request, response.problem)
    answer = read_answer(
        request.endpoint,
        response.status,
        response.body,
        retry_after=response.retry_after,
        now=now,
        secrets=request.secrets,
    )
    return _counted(request, error_of(answer))


def error_of_break(request: ApiRequest, problem: str, *, connected: bool = True) -> GreenroomError:
    """What it means that no answer came.

    Args:
        request: what was, or was to be, sent.
        problem: why, a clause for a sentence.
        connected: whether there was a connection.
    """
    if request.sent_whole:
        lost = f"{request.endpoint} was sent whole, but {problem}; it may have been stored"
        return _counted(request, AnswerLost(lost))
    kind = ProviderUnavailable if connected else ProviderAway
    return _counted(request, kind(f"{request.endpoint} failed at {request.host}: {problem}"))


def _counted(request: ApiRequest, error: GreenroomError) -> GreenroomError:
    PROVIDER_ERRORS.add(request.endpoint.name.lower(), type(error).__name__)
    return error
