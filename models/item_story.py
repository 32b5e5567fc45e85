"""All that the tables tell of one item: its inspection, its upload, and each media ID that it has had."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from greenroom.errors import UnknownName
from greenroom.lifecycle import LifeRules
from models.asset import Asset, AssetState, Priority
from models.campaign import CampaignRow, get_campaign
from models.channel import ChannelRow, get_channel
from models.item import Item, ItemState
from models.item_asset import ItemAsset
from models.item_reports import ItemReport, item_report
from models.life_rules import RulesOf
from models.media import Media
from models.references import needed_until
from models.states import in_state

#: Refs before and after one that is not known, with which it is compared.
NEIGHBOURS = 1_000
#: Refs that are named in its place.
MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class StepStory:
    """How far one step of an item's way is: its inspection, or its asset's upload.

    Attributes:
        state: the row's own.
        attempts: how often it failed so far.
        not_before: not to be tried again before this moment.
        lease_until: until when the present claim lasts unless it is renewed.
        worker: whose claim it is or was; None where that was not noted.
        detail: what its last failure said.
        ahead: how many that may be worked on now come before it: of its campaign's inspections, or of its
            channel's uploads. None where it does not wait for its turn.
    """

    state: str
    attempts: int
    not_before: datetime | None
    lease_until: datetime | None
    worker: str | None
    detail: str
    ahead: int | None


@dataclass(frozen=True, kw_only=True)
class UploadStory(StepStory):
    """The upload of an item's asset.

    Attributes:
        is_refresh: whether it stands in the backlog as a refresh, behind what campaigns wait for.
        lost_answers: uploads that may have arrived without an answer.
    """

    is_refresh: bool
    lost_answers: int


@dataclass(frozen=True, kw_only=True)
class MediaStory:
    """One media ID of an item's asset.

    Attributes:
        ends_at: until when Greenroom relies on it.
        expires_at: when the provider drops it, by its page.
        refresh_at: when it is looked at for renewal.
        retire_at: when it is looked at whether anything needs it.
        seen_alive_at: the last look-up that found it.
        doubted_at: when the provider refused to say anything of it.
        died_at: when it was found dead, or reported so.
        delete_after: from when on it may be deleted.
        is_current: whether its asset is sent with it.
    """

    media_id: str
    uploaded_at: datetime
    last_used_at: datetime | None
    ends_at: datetime
    expires_at: datetime
    refresh_at: datetime | None
    retire_at: datetime | None
    seen_alive_at: datetime | None
    doubted_at: datetime | None
    died_at: datetime | None
    delete_after: datetime | None
    deleted_at: datetime | None
    is_current: bool


@dataclass(frozen=True, kw_only=True)
class ItemStory:
    """One item, from its manifest to its media IDs.

    Attributes:
        report: what a campaign manager is told of it.
        upload: None before inspection has accepted it.
        media: all IDs that its asset has had and that are not pruned, the first one first.
        needed_until: until when the last campaign needs its asset; None where none has begun to.
        further: the same on each further channel of its campaign.
    """

    report: ItemReport
    campaign: CampaignRow
    channel: ChannelRow
    inspection: StepStory
    upload: UploadStory | None
    media: tuple[MediaStory, ...]
    needed_until: datetime | None
    further: tuple[ItemStory, ...] = ()


def item_story(
    connection: Connection, campaign_id: str, ref: str, *, now: datetime, rules_of: RulesOf
) -> ItemStory:
    """All that there is to tell of one item.

    Raises:
        UnknownName: there is no such campaign, or it has no such ref; the nearest ones are named.
    """
    campaign = get_campaign(connection, campaign_id)
    report = item_report(connection, campaign_id, ref, now=now)
    if report is None:
        raise UnknownName(_unknown(ref, campaign_id, nearest_refs(connection, campaign_id, ref)))
    item = _row(connection, Item, Item.campaign_id == campaign_id, Item.ref == ref)
    channel = get_channel(connection, campaign.channel_id)
    inspection = _inspection(connection, item, now)

    def on(channel: ChannelRow, report: ItemReport, asset_id: int | None) -> ItemStory:
        upload = _on_channel(connection, asset_id, now=now, rules=rules_of(channel.media_life))
        return ItemStory(report=report, campaign=campaign, channel=channel, inspection=inspection, **upload)

    further = [
        on(
            get_channel(connection, name),
            item_report(connection, campaign_id, ref, now=now, channel=name) or report,
            _further_asset(connection, item, name),
        )
        for name in campaign.further_channels
    ]
    return replace(on(channel, report, item.asset_id), further=tuple(further))


def _on_channel(
    connection: Connection, asset_id: int | None, *, now: datetime, rules: LifeRules
) -> dict[str, Any]:
    """The fields of a story that are an asset's."""
    if asset_id is None:
        return {"upload": None, "media": (), "needed_until": None}
    asset = _row(connection, Asset, Asset.id == asset_id)
    return {
        "upload": _upload(connection, asset, now),
        "media": _media(connection, asset.id, rules),
        "needed_until": needed_until(connection, [asset.id]).get(asset.id),
    }


def _further_asset(connection: Connection, item: Row[Any], channel_id: str) -> int | None:
    mine = (ItemAsset.item_id == item.id, ItemAsset.token == item.token, ItemAsset.channel_id == channel_id)
    return connection.execute(select(ItemAsset.asset_id).where(*mine)).scalar()


def nearest_refs(connection: Connection, campaign_id: str, ref: str) -> list[str]:
    """Refs of a campaign that may have been meant: those that hold the text first, then those like it."""
    mine = select(Item.ref).where(Item.campaign_id == campaign_id)
    text = func.lower(Item.ref).contains(ref.lower(), autoescape=True)
    holding = list(connection.execute(mine.where(text).order_by(Item.ref).limit(MOST_NAMED)).scalars())
    # As the index has them, whatever the size of the campaign.
    before = mine.where(Item.ref < ref).order_by(Item.ref.desc()).limit(NEIGHBOURS)
    after = mine.where(Item.ref > ref).order_by(Item.ref).limit(NEIGHBOURS)
    known = [one for part in (before, after) for one in connection.execute(part).scalars()]
    alike = [one for one in get_close_matches(ref, known, n=MOST_NAMED) if one not in holding]
    return [*holding, *alike][:MOST_NAMED]


def _unknown(ref: str, campaign_id: str, nearest: list[str]) -> str:
    sentence = f"Campaign {campaign_id} has no file {ref}."
    if not nearest:
        return f"{sentence} All of them are in: greenroom campaign export {campaign_id}"
    return f"{sentence} Is {' or '.join(nearest)} meant?"


def _row(connection: Connection, table: type[Item | Asset], *conditions: Any) -> Row[Any]:
    return connection.execute(select(*table.__table__.columns).where(*conditions)).one()


def _inspection(connection: Connection, item: Row[Any], now: datetime) -> StepStory:
    return StepStory(**_step(item), ahead=_ahead(connection, _inspections_before(item, now), item, now))


def _upload(connection: Connection, asset: Row[Any], now: datetime) -> UploadStory:
    return UploadStory(
        **_step(asset),
        ahead=_ahead(connection, _uploads_before(asset, now), asset, now),
        is_refresh=asset.priority == Priority.REFRESH,
        lost_answers=asset.lost_answers,
    )


def _step(row: Row[Any]) -> dict[str, Any]:
    return {
        name: getattr(row, name)
        for name in ("state", "attempts", "not_before", "lease_until", "worker", "detail")
    }


def _ahead(connection: Connection, before: Any, row: Row[Any], now: datetime) -> int | None:
    """How many rows come before one; None for one that does not wait for its turn alone."""
    if row.state != ItemState.WAITING or (row.not_before is not None and row.not_before > now):
        return None
    return int(connection.execute(select(func.count()).where(before)).scalar_one())


def _inspections_before(item: Row[Any], now: datetime) -> Any:
    """In the order in which one campaign's items are handed out; other campaigns have their own share."""
    may_begin = or_(Item.not_before.is_(None), Item.not_before <= now)
    mine = Item.campaign_id == item.campaign_id
    return and_(mine, in_state(Item.state, ItemState.WAITING), may_begin, Item.id < item.id)


def _uploads_before(asset: Row[Any], now: datetime) -> Any:
    """In the order in which a channel's uploads are claimed: see `models.asset_claims`."""
    may_begin = or_(Asset.not_before.is_(None), Asset.not_before <= now)
    same_time = and_(Asset.due_at == asset.due_at, Asset.id < asset.id)
    sooner = and_(Asset.priority == asset.priority, or_(Asset.due_at < asset.due_at, same_time))
    mine = Asset.channel_id == asset.channel_id
    first = or_(Asset.priority < asset.priority, sooner)
    return and_(mine, in_state(Asset.state, AssetState.WAITING), may_begin, first)


_OF_MEDIA = (
    Media.media_id,
    Media.uploaded_at,
    Media.last_used_at,
    Media.expires_at,
    Media.refresh_at,
    Media.retire_at,
    Media.seen_alive_at,
    Media.doubted_at,
    Media.died_at,
    Media.delete_after,
    Media.deleted_at,
    Media.is_current,
)


def _media(connection: Connection, asset_id: int, rules: LifeRules) -> tuple[MediaStory, ...]:
    in_order = select(*_OF_MEDIA).where(Media.asset_id == asset_id).order_by(Media.uploaded_at, Media.id)
    return tuple(
        MediaStory(**row, ends_at=rules.end(row["uploaded_at"], row["last_used_at"]))
        for row in connection.execute(in_order).mappings()
    )
