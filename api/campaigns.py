"""Campaigns over HTTP: each operation is a method of the schedulers' client, with the same answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.bodies import Dates, EstimateBody, HandedOver, MediaIds, ResolveBody, RetryBody
from api.manifest_body import JSON, JSON_LINES, taken
from api.problems import documented
from api.refusals import BodyNotRead, BodyTooSlow, ChannelNotAllowed, ServerBusy
from api.services import Caller, Services
from greenroom.answers import (
    CampaignStatus,
    Estimate,
    MediaIdsPage,
    RejectedPage,
    RetriedItems,
    SubmissionChanges,
)
from greenroom.contract import After
from greenroom.errors import EmptyManifest, ManifestError, Misuse, SubmissionSuperseded, UnknownName
from greenroom.manifest import ChannelName, Name, parse_plan

CampaignId = Annotated[Name, Path(description="The scheduler's own name for the campaign.")]
#: Where a page begins: what the page before said as `after`.
PageStart = Annotated[After, Query(description="What the page before had as `after`; none for the first.")]
OfChannel = Annotated[
    ChannelName | None, Query(description="Of a campaign on several channels, for which; of one, none.")
]
#: In the OpenAPI document: a body that is taken as it comes.
_MANIFEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/Manifest"}},
            JSON_LINES[0]: {"schema": {"type": "string"}},
        },
    }
}


def _visible(request: Request, campaign_id: CampaignId) -> None:
    """Nothing of a campaign is told, or done, that is on no channel of the token's."""
    Caller.of(request).require_campaign(campaign_id)


_VISIBLE = [Depends(_visible)]


def campaign_routes() -> APIRouter:
    """The operations on one campaign."""
    routes = APIRouter(prefix="/v1/campaigns/{campaign_id}", tags=["campaigns"])
    _add_manifests(routes)
    _add_questions(routes)
    _add_changes(routes)
    return routes


class _Turnstile:
    """Manifests that come in at a time: each may take a part of the disk."""

    def __init__(self) -> None:
        self.inside = 0

    def __call__(self, request: Request) -> Any:
        """As a dependency, for as long as the request lasts."""
        if self.inside >= Services.of(request).limits.manifests:
            raise ServerBusy("The server takes as many manifests at a time as it can. Come again soon.")
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


def _add_manifests(routes: APIRouter) -> None:
    refused = (BodyNotRead, BodyTooSlow, ServerBusy, ChannelNotAllowed, UnknownName, ManifestError)
    responses = documented(*refused, EmptyManifest, SubmissionSuperseded, Misuse)
    options: dict[str, Any] = {
        "responses": responses,
        "openapi_extra": _MANIFEST,
        "dependencies": [Depends(_turnstile(_Turnstile()))],
    }

    @routes.put("", **options)
    async def submit(
        request: Request, campaign_id: CampaignId, *, allow_empty: bool = False
    ) -> SubmissionChanges:
        """Hand a whole manifest over, in place of what the campaign had before.

        The same again changes nothing. Items of new refs are added, those with another file inspected anew,
        and those that are not in it any more removed.
        """
        caller, services = Caller.of(request), Services.of(request)
        async with taken(request, campaign_id, services.limits) as body:

            def submitted() -> SubmissionChanges:
                caller.require_channels(body.plan.channels)
                caller.require_free_name(campaign_id)
                return services.greenroom.submit(body.plan, body.items(), allow_empty=allow_empty)

            return await run_in_threadpool(submitted)

    @routes.post("/items", **options)
    async def add_items(request: Request, campaign_id: CampaignId) -> HandedOver:
        """Hand items over, beside those that the campaign has; it is made where there is none."""
        caller, services = Caller.of(request), Services.of(request)
        async with taken(request, campaign_id, services.limits) as body:

            def handed_over() -> int:
                caller.require_channels(body.plan.channels)
                caller.require_free_name(campaign_id)
                return services.greenroom.add_items(body.plan, body.items())

            return HandedOver(items=await run_in_threadpool(handed_over))

    compared = {**options, "dependencies": [*options["dependencies"], *_VISIBLE]}

    @routes.post("/compare", **compared)
    async def compare(request: Request, campaign_id: CampaignId) -> SubmissionChanges:
        """Say what handing this whole manifest over would change at this moment; nothing is written."""
        caller, services = Caller.of(request), Services.of(request)
        async with taken(request, campaign_id, services.limits) as body:

            def changes() -> SubmissionChanges:
                caller.require_channels(body.plan.channels)
                return services.greenroom.compare(campaign_id, body.items())

            return await run_in_threadpool(changes)


def _turnstile(turnstile: _Turnstile) -> Any:
    """As an asynchronous dependency, so that all of it is done by the event loop, one step at a time."""

    async def pass_through(request: Request) -> Any:
        for _ in turnstile(request):
            yield

    return pass_through


def _add_questions(routes: APIRouter) -> None:
    responses = documented(UnknownName)

    @routes.get("", responses=responses, dependencies=_VISIBLE)
    def status(request: Request, campaign_id: CampaignId) -> CampaignStatus:
        """How far a campaign is at this moment."""
        return Services.of(request).greenroom.status(campaign_id)

    @routes.get("/rejected", responses=responses, dependencies=_VISIBLE)
    def rejected(request: Request, campaign_id: CampaignId, after: PageStart = "") -> RejectedPage:
        """Items that cannot be sent, and why, by pages: ask on with `after` until it is null."""
        return Services.of(request).greenroom.rejected_page(campaign_id, after)

    @routes.get("/media-ids", responses=documented(UnknownName, Misuse), dependencies=_VISIBLE)
    def media_ids(
        request: Request, campaign_id: CampaignId, after: PageStart = "", channel: OfChannel = None
    ) -> MediaIdsPage:
        """The live media IDs of a campaign, by pages: ask on with `after` until it is null."""
        return Services.of(request).greenroom.media_ids_page(campaign_id, after, channel=channel)

    @routes.post("/resolve", responses=documented(UnknownName, Misuse), dependencies=_VISIBLE)
    def resolve(request: Request, campaign_id: CampaignId, body: ResolveBody) -> MediaIds:
        """The live media ID of each of these refs; a ref without one is left out."""
        greenroom = Services.of(request).greenroom
        return MediaIds(media_ids=greenroom.resolve(campaign_id, body.refs, channel=body.channel))

    @routes.post("/estimate", responses=documented(UnknownName, ChannelNotAllowed, ManifestError, Misuse))
    def estimate(request: Request, campaign_id: CampaignId, body: EstimateBody) -> Estimate:
        """When a campaign will be ready, or would be with so many files more; nothing is handed over."""
        caller = Caller.of(request)
        fields = {name: value for name, value in body.without_defaults().items() if name != "files"}
        plan = parse_plan({"id": campaign_id, **fields})
        caller.require_channels(plan.channels)
        caller.require_free_name(campaign_id)
        return Services.of(request).greenroom.estimate(plan, body.files)


def _add_changes(routes: APIRouter) -> None:
    @routes.post("/move", status_code=204, responses=documented(UnknownName, Misuse), dependencies=_VISIBLE)
    def move(request: Request, campaign_id: CampaignId, body: Dates) -> Response:
        """Give a campaign other dates."""
        greenroom = Services.of(request).greenroom
        greenroom.move(
            campaign_id,
            send_at=body.send_at,
            keep_until=body.keep_until,
            upload_from=body.upload_from,
        )
        return Response(status_code=204)

    @routes.post("/retry", responses=documented(UnknownName, Misuse), dependencies=_VISIBLE)
    def retry(request: Request, campaign_id: CampaignId, body: RetryBody) -> RetriedItems:
        """Try again what was rejected or given up; what is ready or on its way stays as it is."""
        greenroom = Services.of(request).greenroom
        return greenroom.retry(campaign_id, body.refs, every_reason=body.every_reason)

    @routes.delete("", status_code=204, responses=documented(UnknownName), dependencies=_VISIBLE)
    def cancel(request: Request, campaign_id: CampaignId) -> Response:
        """Say that a campaign needs nothing any more; it does not come back to life. Once more is fine."""
        Services.of(request).greenroom.cancel(campaign_id)
        return Response(status_code=204)
