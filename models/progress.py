"""How far campaigns are: how many of their items stand where.

On one channel an item stands where its asset there does. Of a campaign on several, an item is where it is
furthest behind, so that it counts once, and is ready when it is so on all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Case, Connection, Select, Subquery, and_, case, func, literal_column, select, union_all
from sqlalchemy.orm import aliased

from models.asset import Asset, AssetState
from models.bulk import among
from models.campaign import CampaignRow
from models.item import Item, ItemState
from models.item_asset import item_on
from models.media import Media, alive

#: Items that are looked at in one statement: so a campaign of a million fits in memory, and what belongs to
#: them is found by index.
PAGE = 1_000


class ItemStatus(StrEnum):
    """Where an item stands, in the words of a campaign manager."""

    CHECKING = "checking"
    REJECTED = "rejected"
    SCHEDULED = "scheduled"
    WAITING = "waiting"
    UPLOADING = "uploading"
    FAILED = "failed"
    READY = "ready"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How many items of a campaign stand where.

    Attributes:
        waiting: accepted, and in the backlog: for a slot, for a channel that is paused, or to be tried again.
        uploading: with a worker.
        hindrance: why some file has to wait, in the words of its last failure; empty if none has to.
    """

    checking: int = 0
    rejected: int = 0
    scheduled: int = 0
    waiting: int = 0
    uploading: int = 0
    failed: int = 0
    ready: int = 0
    hindrance: str = ""

    @property
    def total(self) -> int:
        """All items."""
        return self.checking + self.scheduled + self.waiting + self.uploading + self.settled

    @property
    def settled(self) -> int:
        """Items that wait for nothing any more."""
        return self.rejected + self.failed + self.ready


def item_status(item: type[Item], now: datetime) -> Case[str]:
    """Where an item stands, as SQL over items with their assets and media."""
    return case(
        (item.state == ItemState.REJECTED, ItemStatus.REJECTED.value),
        (item.state != ItemState.ACCEPTED, ItemStatus.CHECKING.value),
        # An asset on its way through a refresh, or whose refresh failed, still has its old ID.
        (and_(Media.id.is_not(None), alive(now)), ItemStatus.READY.value),
        (Asset.state == AssetState.FAILED, ItemStatus.FAILED.value),
        # Its uploads begin later; or the campaign is over, and never had them.
        (Asset.state == AssetState.IDLE, ItemStatus.SCHEDULED.value),
        (Asset.state.in_((AssetState.CLAIMED, AssetState.UPLOADING)), ItemStatus.UPLOADING.value),
        else_=ItemStatus.WAITING.value,
    )


def _hindrance(item: type[Item], now: datetime) -> Case[str]:
    return case(
        (and_(item.state == ItemState.WAITING, item.not_before > now), item.detail),
        (and_(Asset.state == AssetState.WAITING, Asset.not_before > now), Asset.detail),
    )


#: Channels on which a campaign's items are looked at: names of further ones; None is the first.
Channels = tuple[str | None, ...]


def campaign_progress(
    connection: Connection, campaign_id: str, *, now: datetime, further: Sequence[str] = ()
) -> Progress:
    """How far a campaign is at this moment.

    Args:
        connection: an open transaction.
        campaign_id: which.
        now: the present.
        further: its channels besides the first one, which is looked at alone where these are left out.
    """
    return _sum(_pages(connection, campaign_id, (None, *further), now=now))


def progress_by_channel(
    connection: Connection, campaign: CampaignRow, *, now: datetime
) -> dict[str, Progress]:
    """How far a campaign is on each of its channels; what was rejected is so on all of them."""
    return {
        channel: progress_on(connection, campaign.id, channel, now=now, first=channel == campaign.channel_id)
        for channel in campaign.channels
    }


def progress_on(
    connection: Connection, campaign_id: str, channel_id: str, *, now: datetime, first: bool
) -> Progress:
    """How far a campaign is on one of its channels; whether that is its first one is said."""
    return _sum(_pages(connection, campaign_id, (None if first else channel_id,), now=now))


@dataclass(kw_only=True)
class _Page:
    """Items of a campaign that follow each other, and where they stand.

    Attributes:
        after: the ref before its first.
        last: the ref of its last.
        counts: how many stand where.
        hindrance: why some of them wait.
        unsettled: those that may still change, where they are known one by one.
    """

    after: str
    last: str
    counts: Counter[str]
    hindrance: str
    unsettled: list[int] | None = None

    @property
    def status(self) -> str | None:
        """Where all of them stand; None where they differ."""
        return next(iter(self.counts)) if len(self.counts) == 1 else None

    @property
    def settled(self) -> bool:
        """Whether none of them waits for anything."""
        return not self.counts.keys() & UNSETTLED


#: In which order items go through them; what was rejected, or not judged, is so on all channels.
_PLACES: Final = {
    status.value: place
    for place, status in enumerate(
        (
            ItemStatus.CHECKING,
            ItemStatus.REJECTED,
            ItemStatus.SCHEDULED,
            ItemStatus.WAITING,
            ItemStatus.UPLOADING,
            ItemStatus.FAILED,
            ItemStatus.READY,
        )
    )
}
#: Stages that others follow.
UNSETTLED: Final = {
    ItemStatus.CHECKING.value,
    ItemStatus.SCHEDULED.value,
    ItemStatus.WAITING.value,
    ItemStatus.UPLOADING.value,
}


def _sum(pages: Iterable[_Page]) -> Progress:
    counts: Counter[str] = Counter()
    hindrance = ""
    for page in pages:
        for status, count in page.counts.items():
            counts[status] += count
        hindrance = hindrance or page.hindrance
    return Progress(**counts, hindrance=hindrance)


def _pages(connection: Connection, campaign_id: str, channels: Channels, *, now: datetime) -> Iterator[_Page]:
    """All of a campaign, a page at a time.

    What is joined with a page is found by index; joined with the whole of a large campaign it would be found
    by reading all assets and media IDs that there are.
    """
    after = ""
    while True:
        page = _read_page(connection, campaign_id, channels, now=now, after=after, last=None)
        if page.counts:
            yield page
        if page.counts.total() < PAGE:
            return
        after = page.last


def _read_page(
    connection: Connection,
    campaign_id: str,
    channels: Channels,
    *,
    now: datetime,
    after: str,
    last: str | None,
) -> _Page:
    """The items from a ref to another one; or as many as a page has."""
    item = _items_of_page(campaign_id, after=after, last=last)
    rows = connection.execute(_counted(item, channels, now)).all()
    return _Page(
        after=after,
        last=rows[0][3] if rows else after,
        counts=Counter({name: count for name, count, _, _ in rows}),
        hindrance=next((why for _, _, why, _ in rows if why), ""),
    )


def _items_of_page(campaign_id: str, *, after: str, last: str | None) -> type[Item]:
    """In the order of the one index that has the campaign's items together."""
    chosen = select(Item).where(Item.campaign_id == campaign_id, Item.ref > after).order_by(Item.ref)
    chosen = chosen.limit(literal_column(str(PAGE))) if last is None else chosen.where(Item.ref <= last)
    return aliased(Item, chosen.subquery())


def _counted(item: type[Item], channels: Channels, now: datetime) -> Select[*tuple[Any, ...]]:
    """How many items stand where, something that hinders some of them, and the last ref of all."""
    if len(channels) == 1:
        item = item_on(channels[0], item)
        status, why, ref = item_status(item, now), _hindrance(item, now), item.ref
        counted = _with_media(select(status, func.count(), func.max(why), _last(ref)), item)
        return counted.group_by(status)
    each = _furthest_behind(item, channels, now)
    counted = select(each.c.status, func.count(), func.max(each.c.why), _last(each.c.ref))
    return counted.group_by(each.c.status)


def _last(ref: Any) -> Any:
    """The last as the index has it, and not as Python sorts letters."""
    return func.max(func.max(ref)).over()


def _each(item: type[Item], channels: Channels, now: datetime) -> Select[*tuple[Any, ...]]:
    """Each item with where it stands, and what hinders it."""
    if len(channels) == 1:
        item = item_on(channels[0], item)
        return _with_media(select(item.id, item_status(item, now), _hindrance(item, now)), item)
    each = _furthest_behind(item, channels, now)
    return select(each.c.id, each.c.status, each.c.why)


def _furthest_behind(item: type[Item], channels: Channels, now: datetime) -> Subquery:
    """Each item once, with where it is furthest behind on these channels, and what hinders it."""

    def there(channel: str | None) -> Select[*tuple[Any, ...]]:
        one = item_on(channel, item)
        place = case(_PLACES, value=item_status(one, now)).label("place")
        return _with_media(select(one.id, one.ref, place, _hindrance(one, now).label("why")), one)

    every = union_all(*map(there, channels)).subquery()
    first = func.min(every.c.place)
    status = case({place: status for status, place in _PLACES.items()}, value=first).label("status")
    columns = (every.c.id, func.max(every.c.ref).label("ref"), status, func.max(every.c.why).label("why"))
    return select(*columns).group_by(every.c.id).subquery()


def _with_media(statement: Select[*tuple[Any, ...]], item: type[Item]) -> Select[*tuple[Any, ...]]:
    return (
        statement.select_from(item)
        .outerjoin(Asset, Asset.id == item.asset_id)
        .outerjoin(Media, and_(Media.asset_id == Asset.id, Media.is_current))
    )


class FollowedCampaign:
    """Counts a campaign again and again, and reads what may have changed since: not all of a million items.

    Items are worked on in the order of their pages. So a page whose items have all come to their end is not
    read again; nor one of which all wait at the same place, while one before it waits there untouched. Of a
    page that is being worked on, those that have not come to their end are read. One page more is read each
    time, in turn, for what changes out of order. When all seems done, all is counted once more.
    """

    def __init__(self, campaign_id: str, channels: Channels = (None,)) -> None:
        self._campaign_id = campaign_id
        self._channels = channels
        self._pages: list[_Page] = []
        self._turn = 0

    def look(self, connection: Connection, *, now: datetime) -> Progress:
        """How far the campaign is at this moment."""
        if self._pages:
            self._follow(connection, now)
        if all(page.settled for page in self._pages):
            self._pages = list(_pages(connection, self._campaign_id, self._channels, now=now))
        return _sum(self._pages)

    def _follow(self, connection: Connection, now: datetime) -> None:
        untouched: set[str] = set()
        self._turn = (self._turn + 1) % len(self._pages)
        for place, page in enumerate(self._pages):
            status = page.status
            if place == self._turn or (status in UNSETTLED and status not in untouched):
                self._pages[place] = self._read_again(connection, page, now)
                if status is not None and self._pages[place].status == status:
                    untouched.add(status)
            elif status is None and not page.settled:
                self._read_unsettled(connection, page, now)

    def _read_again(self, connection: Connection, page: _Page, now: datetime) -> _Page:
        return _read_page(
            connection, self._campaign_id, self._channels, now=now, after=page.after, last=page.last
        )

    def _read_unsettled(self, connection: Connection, page: _Page, now: datetime) -> None:
        if page.unsettled is None:
            item = _items_of_page(self._campaign_id, after=page.after, last=page.last)
            page.counts = Counter()
        else:
            unsettled = select(Item).where(among(Item.id, page.unsettled)).subquery()
            item = aliased(Item, unsettled)
            page.counts = Counter({name: n for name, n in page.counts.items() if name not in UNSETTLED})
        rows = connection.execute(_each(item, self._channels, now)).all()
        page.counts += Counter(name for _, name, _ in rows)
        page.unsettled = [item_id for item_id, name, _ in rows if name in UNSETTLED]
        page.hindrance = next((why for _, _, why in rows if why), "")


def followed_on_each(campaign: CampaignRow) -> dict[str, FollowedCampaign]:
    """Counts a campaign on each of its channels; none where it has one, for that is all of it."""
    further = campaign.further_channels
    if not further:
        return {}
    first = {campaign.channel_id: FollowedCampaign(campaign.id)}
    return first | {channel: FollowedCampaign(campaign.id, (channel,)) for channel in further}
