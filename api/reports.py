"""What schedulers report over HTTP, and which channels they may work on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from fastapi import APIRouter, Request, Response

from api.bodies import Channels, FailedMessages, Reports
from api.problems import documented
from api.refusals import ChannelNotAllowed
from api.services import Caller, Services

ENQUEUED = 202


def report_routes() -> APIRouter:
    """The operations that are about no campaign; a report is enqueued, and nothing is waited for."""
    routes = APIRouter(prefix="/v1")
    responses = documented(ChannelNotAllowed)

    @routes.post(
        "/uses", status_code=ENQUEUED, response_class=Response, responses=responses, tags=["reports"]
    )
    def uses(request: Request, body: Reports) -> Response:
        """Report messages that were sent with media IDs."""
        return _enqueued(Services.of(request).greenroom.mark_used, request, body)

    @routes.post(
        "/dead", status_code=ENQUEUED, response_class=Response, responses=responses, tags=["reports"]
    )
    def dead(request: Request, body: Reports) -> Response:
        """Report media IDs that the provider did not know; what is needed is uploaded anew at once."""
        return _enqueued(Services.of(request).greenroom.mark_dead, request, body)

    @routes.post(
        "/errors", status_code=ENQUEUED, response_class=Response, responses=responses, tags=["reports"]
    )
    def failed(request: Request, body: FailedMessages) -> Response:
        """Report messages that failed, as webhooks tell; what is not about media is ignored."""
        Caller.of(request).require_channels(message.channel for message in body.messages)
        rows = [
            (one.channel, one.media_id, one.at, [error.model_dump(exclude_none=True) for error in one.errors])
            for one in body.messages
        ]
        Services.of(request).greenroom.report_error(rows)
        return Response(status_code=ENQUEUED)

    @routes.get("/channels", responses=documented(), tags=["channels"])
    def channels(request: Request) -> Channels:
        """Names of the channels that the token may work on; of a channel, nothing else is told."""
        return Channels(channels=Caller.of(request).channels())

    return routes


def _enqueued(
    report: Callable[[Iterable[tuple[str, str, datetime]]], None], request: Request, body: Reports
) -> Response:
    Caller.of(request).require_channels(one.channel for one in body.reports)
    report([(one.channel, one.media_id, one.at) for one in body.reports])
    return Response(status_code=ENQUEUED)
