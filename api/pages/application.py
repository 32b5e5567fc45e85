"""The pages as an application: their addresses, and what errors look like."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from api.pages.access import PageAccess
from api.pages.answers import error_page
from api.pages.campaigns import CampaignPages
from api.pages.thumbnail_cache import ThumbnailCache
from api.refusals import PathUnknown
from api.services import Caller, Services
from greenroom.errors import GreenroomError
from greenroom.page_templates import LiveView
from greenroom.settings import Settings


def pages_application(services: Services, settings: Settings, thumbnails: ThumbnailCache) -> ASGIApp:
    """The pages, behind their door."""
    pages = CampaignPages(services, settings, thumbnails)
    app = Starlette(
        routes=[
            Route("/", pages.home),
            Route("/campaigns", pages.campaigns),
            Route("/campaigns/{campaign_id}", pages.campaign),
            Route("/campaigns/{campaign_id}/files", pages.files),
            Route("/campaigns/{campaign_id}/thumbnail", pages.thumbnail),
        ],
        exception_handlers={GreenroomError: _ours, HTTPException: _frameworks, Exception: _unexpected},
    )
    app.router.redirect_slashes = False
    return PageAccess(app, services)


async def _ours(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, GreenroomError) else GreenroomError()
    return error_page(known, live=LiveView(who=Caller.of(request).token.name))


async def _frameworks(request: Request, _error: Exception) -> Response:
    return await _ours(request, PathUnknown("Look at the address, or go on from the list of campaigns."))


async def _unexpected(request: Request, _error: Exception) -> Response:
    return await _ours(request, GreenroomError("Something went wrong here; the server's log says what."))
