"""The pages: all campaigns, one campaign, its files, and a thumbnail of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import anyio
from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.pages.answers import html
from api.pages.latest import LatestOfEach
from api.pages.thumbnail_cache import ThumbnailCache
from api.services import Caller, Services
from greenroom.campaign_page import CampaignGlance, CampaignPage, PageVerdict, ShownFile, render, verdict_on
from greenroom.errors import UnknownName
from greenroom.page_templates import LiveView, rendered
from greenroom.settings import Settings
from greenroom.sources import is_remote
from greenroom.untrusted_text import is_storable
from models.campaign import CampaignRow, campaigns_by_date, get_campaign
from models.campaign_page_data import campaign_glance, campaign_page, looks_like_image, shown_file
from models.file_listing import files_page
from models.item_reports import ItemReport, item_report
from models.progress import ItemStatus

T = TypeVar("T")

#: Seconds until a page is shown anew: while files are worked on, and otherwise.
BUSY_SECONDS: Final = 10
CALM_SECONDS: Final = 60
CAMPAIGNS_A_PAGE: Final = 20
#: Read at a time until a page is full: some may be on others' channels besides.
CAMPAIGNS_A_LOOK: Final = 100
#: Seconds in which campaigns of a list are counted; the rest is counted the next time.
LIST_SECONDS: Final = 2.0
#: Pages that are made at a time, and thumbnails; the others wait.
PAGES_AT_A_TIME: Final = 4
THUMBNAILS_AT_A_TIME: Final = 2
#: Where there is no thumbnail.
_NO_THUMBNAIL: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" fill="#8a938c">'
    '<path d="M12 34l8-10 6 7 4-5 6 8z"/><circle cx="32" cy="17" r="4"/></svg>'
)
_GOING: Final = (ItemStatus.CHECKING, ItemStatus.SCHEDULED, ItemStatus.WAITING, ItemStatus.UPLOADING)
_BAD: Final = (ItemStatus.REJECTED, ItemStatus.FAILED)
#: What may be looked through: the word of the address, its title, and where such files stand.
_CHOICES: Final[Sequence[tuple[str, str, tuple[ItemStatus, ...]]]] = (
    ("all", "All files", tuple(ItemStatus)),
    ("bad", "Cannot be sent", _BAD),
    ("going", "On their way", _GOING),
    ("ready", "Ready", (ItemStatus.READY,)),
)
#: How each is said, and in which colour.
_STANDS: Final = {
    ItemStatus.CHECKING: ("Being checked", "quiet"),
    ItemStatus.REJECTED: ("Cannot be sent", "bad"),
    ItemStatus.SCHEDULED: ("Uploaded later", "going"),
    ItemStatus.WAITING: ("On its way", "going"),
    ItemStatus.UPLOADING: ("On its way", "going"),
    ItemStatus.FAILED: ("Cannot be sent", "bad"),
    ItemStatus.READY: ("Ready", "good"),
}


@dataclass(frozen=True, kw_only=True)
class _ListedFile(ShownFile):
    """A file in a list: besides, where it stands, and why it cannot be sent."""

    stands: str
    tone: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Choice:
    title: str
    href: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class _CampaignList:
    """What the list of campaigns shows."""

    made_at: datetime
    sent: bool
    glances: Sequence[tuple[CampaignGlance, PageVerdict, str]]
    uncounted: int
    after: str
    first: str
    more: str


@dataclass(frozen=True, kw_only=True)
class _FileList:
    """What the list of a campaign's files shows."""

    campaign_id: str
    made_at: datetime
    title: str
    choices: Sequence[_Choice]
    numbers: Sequence[_Choice]
    campaign: str
    files: Sequence[_ListedFile]
    after: str
    first: str
    more: str


class CampaignPages:
    """Handlers of the pages.

    Args:
        services: the database.
        settings: of the installation.
        thumbnails: of images.
    """

    def __init__(self, services: Services, settings: Settings, thumbnails: ThumbnailCache) -> None:
        self._database = services.database
        self._clock, self._monotonic = services.clock, services.monotonic
        self._settings = settings
        self._thumbnails = thumbnails
        self._pages: LatestOfEach[CampaignPage] = LatestOfEach(services.monotonic)
        self._glances: LatestOfEach[CampaignGlance] = LatestOfEach(services.monotonic)
        self._making = CapacityLimiter(PAGES_AT_A_TIME)
        self._drawing = CapacityLimiter(THUMBNAILS_AT_A_TIME)

    async def home(self, _request: Request) -> Response:
        """Lead to the list of campaigns."""
        return RedirectResponse("/campaigns", 303)

    async def campaigns(self, request: Request) -> Response:
        """All campaigns that the reader may see."""
        return html(await self._made(self._list, request))

    async def campaign(self, request: Request) -> Response:
        """One campaign."""
        return html(await self._made(self._campaign, request))

    async def files(self, request: Request) -> Response:
        """Its files."""
        return html(await self._made(self._files, request))

    async def thumbnail(self, request: Request) -> Response:
        """A thumbnail of one of them."""
        made = await anyio.to_thread.run_sync(self._thumbnail, request, limiter=self._drawing)
        # Its address has its content's digest. Logging out empties the browser's cache.
        headers = {"Cache-Control": "private, max-age=3600"}
        if made:
            return Response(made, headers=headers, media_type="image/webp")
        return Response(_NO_THUMBNAIL, headers=headers, media_type="image/svg+xml")

    async def _made(self, make: Callable[[Request], T], request: Request) -> T:
        return await anyio.to_thread.run_sync(make, request, limiter=self._making)

    def _list(self, request: Request) -> str:
        now, show = self._clock.now(), request.query_params.get("show", "")
        sent, after = show == "sent", _storable(request.query_params.get("after", ""))
        rows = self._visible_rows(Caller.of(request), now=now, sent=sent, after=_place(after))
        visible = rows[:CAMPAIGNS_A_PAGE]
        glances = self._glances_of(visible)
        base = {"show": "sent"} if sent else {}
        more = ""
        if len(rows) > CAMPAIGNS_A_PAGE:
            more = _at("/campaigns", {**base, "after": _mark(rows[CAMPAIGNS_A_PAGE - 1])})
        page = _CampaignList(
            made_at=now,
            sent=sent,
            glances=[(one, verdict_on(one), campaign_path(one.campaign_id)) for one in glances],
            uncounted=len(visible) - len(glances),
            after=after,
            first=_at("/campaigns", base),
            more=more,
        )
        busy = page.uncounted or any(one.is_going_on for one in glances)
        live = _live(request, "/campaigns", refresh=BUSY_SECONDS if busy else CALM_SECONDS)
        return rendered("campaigns.html", live=live, page=page)

    def _visible_rows(
        self, caller: Caller, *, now: datetime, sent: bool, after: tuple[datetime, str] | None
    ) -> list[CampaignRow]:
        """Campaigns of a page and one more, if there is one; what the reader may not see ends no page."""
        found: list[CampaignRow] = []
        while True:
            with self._database.read() as connection:
                rows = campaigns_by_date(
                    connection,
                    now=now,
                    sent=sent,
                    after=after,
                    limit=CAMPAIGNS_A_LOOK,
                    channels=caller.token.channels,
                )
            found += [row for row in rows if caller.may_see(row)]
            if len(rows) < CAMPAIGNS_A_LOOK or len(found) > CAMPAIGNS_A_PAGE:
                return found[: CAMPAIGNS_A_PAGE + 1]
            after = (rows[-1].send_at, rows[-1].id)

    def _glances_of(self, rows: Sequence[CampaignRow]) -> list[CampaignGlance]:
        """Campaigns, as far as they are counted; of large ones perhaps the count before."""
        over_at = self._monotonic() + LIST_SECONDS
        found = (
            self._glances.get(row.id, partial(self._glance, row))
            if self._monotonic() < over_at
            else self._glances.kept(row.id)
            for row in rows
        )
        return [one for one in found if one is not None]

    def _glance(self, row: CampaignRow) -> CampaignGlance:
        with self._database.read() as connection:
            return campaign_glance(connection, row, self._settings, now=self._clock.now())

    def _campaign(self, request: Request) -> str:
        campaign_id = _visible(request)
        page = self._pages.get(campaign_id, lambda: self._page(campaign_id))
        refresh = 0 if page.is_cancelled else BUSY_SECONDS if page.is_going_on else CALM_SECONDS
        path = campaign_path(campaign_id)
        live = _live(request, path, refresh=refresh, files=f"{path}/files")
        return render(page, live)

    def _page(self, campaign_id: str) -> CampaignPage:
        with self._database.read() as connection:
            return campaign_page(
                connection,
                campaign_id,
                self._settings,
                now=self._clock.now(),
                thumbnail=lambda item: _thumbnail_path(campaign_id, item),
            )

    def _files(self, request: Request) -> str:
        campaign_id, now = _visible(request), self._clock.now()
        show, after = request.query_params.get("show", ""), _storable(request.query_params.get("after", ""))
        word, title, statuses = next((one for one in _CHOICES if one[0] == show), _CHOICES[0])
        with self._database.read() as connection:
            channels = get_campaign(connection, campaign_id).channels
            asked = request.query_params.get("number", "")
            further = asked if asked in channels[1:] else None
            items, last = files_page(
                connection, campaign_id, after=after, statuses=statuses, now=now, channel=further
            )
        number = {"number": further} if further else {}
        path = campaign_path(campaign_id) + "/files"
        page = _FileList(
            campaign_id=campaign_id,
            made_at=now,
            title=title,
            choices=[
                _Choice(title=name, href=_at(path, {"show": one, **number}), chosen=one == word)
                for one, name, _ in _CHOICES
            ],
            numbers=[
                _Choice(
                    title=name,
                    href=_at(path, {"show": word, "number": name}),
                    chosen=name == (further or channels[0]),
                )
                for name in channels
                if len(channels) > 1
            ],
            campaign=campaign_path(campaign_id),
            files=[_listed(campaign_id, item) for item in items],
            after=after,
            first=_at(path, {"show": word, **number}),
            more="" if last is None else _at(path, {"show": word, **number, "after": last}),
        )
        return rendered("files.html", live=LiveView(who=Caller.of(request).token.name), page=page)

    def _thumbnail(self, request: Request) -> bytes:
        campaign_id = _visible(request)
        with self._database.read() as connection:
            ref = _storable(request.query_params.get("ref", ""))
            item = item_report(connection, campaign_id, ref, now=self._clock.now())
        if item is None or not looks_like_image(item):
            raise UnknownName("There is no thumbnail of this file.")
        return self._thumbnails.of(item.source, item.sha256 or "")


def campaign_path(campaign_id: str) -> str:
    """Where a campaign's page is."""
    return f"/campaigns/{quote(campaign_id, safe='')}"


def _visible(request: Request) -> str:
    """The campaign that the address names, if the reader may see it.

    Raises:
        UnknownName: there is none such, or it is on no channel of the reader's.
    """
    campaign_id = _storable(request.path_params["campaign_id"])
    caller = Caller.of(request)
    with caller.services.database.read() as connection:
        get_campaign(connection, campaign_id)
    caller.require_campaign(campaign_id)
    return campaign_id


def _storable(text: str) -> str:
    """A text of an address, where the tables may have it.

    Raises:
        UnknownName: no database takes it.
    """
    if not is_storable(text):
        raise UnknownName("This address is not known here.")
    return text


def _live(request: Request, path: str, *, refresh: int, files: str = "") -> LiveView:
    """A page that is shown anew, unless its reader wants it to stay.

    Its path is ours: Starlette makes the request's of the header `Host`, which anybody can write.
    """
    query = dict(request.query_params)
    stays = query.pop("refresh", "") == "off"
    toggle = _at(path, query if stays else {**query, "refresh": "off"})
    return LiveView(
        who=Caller.of(request).token.name,
        refresh=0 if stays else refresh,
        toggle=toggle if refresh else "",
        files=files,
    )


def _at(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _mark(row: CampaignRow) -> str:
    return f"{row.send_at.isoformat()} {row.id}"


def _place(mark: str) -> tuple[datetime, str] | None:
    """Where a page begins; from the beginning, if somebody has written it otherwise than :func:`_mark`."""
    at, _, campaign_id = mark.partition(" ")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (moment.astimezone(UTC), campaign_id) if moment.tzinfo else None


def _thumbnail_path(campaign_id: str, item: ItemReport) -> str:
    """Empty for a file from elsewhere: nothing is fetched for a thumbnail."""
    if is_remote(item.source):
        return ""
    query = {"ref": item.ref, "of": (item.sha256 or "")[:16]}
    return _at(f"{campaign_path(campaign_id)}/thumbnail", query)


def _listed(campaign_id: str, item: ItemReport) -> _ListedFile:
    thumbnail = _thumbnail_path(campaign_id, item) if looks_like_image(item) else ""
    stands, tone = _STANDS[item.status]
    bad = item.status in _BAD
    fields: dict[str, Any] = vars(shown_file(item, thumbnail))
    return _ListedFile(
        **{**fields, "detail": fields["detail"] if bad else ""},
        stands=stands,
        tone=tone,
        reason=(item.reason or "") if bad else "",
    )
