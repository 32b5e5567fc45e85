"""Reads the answer to an upload: a media ID, or the error that it means."""

from __future__ import annotations

from datetime import datetime

from greenroom.errors import AnswerLost, GreenroomError
from greenroom.media_id import MEDIA_ID
from greenroom.provider.http_response import HttpResponse, Unreadable, is_success
from greenroom.provider.request import ApiRequest
from greenroom.provider.response_errors import error_of_response


def media_id_or_error(request: ApiRequest, response: HttpResponse, *, now: datetime) -> str | GreenroomError:
    """What came of an upload. A success without a media ID, or for half a file, is a lost answer."""
    if not is_success(response.status):
        return error_of_response(request, response, now=now)
    try:
        media_id = response.json_object().get("id")
    except Unreadable as error:
        problem = str(error)
    else:
        if not request.sent_whole:
            problem = "before it had the whole file"
        elif isinstance(media_id, str) and MEDIA_ID.fullmatch(media_id):
            return media_id
        else:
            problem = "its media ID is missing or malformed"
    return AnswerLost(f"upload answered HTTP {response.status}, but {problem}; the file may have been stored")
