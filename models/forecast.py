"""What the coming weeks hold for a campaign: when its media IDs are renewed, and which are at risk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from heapq import nsmallest
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, func, or_, select

from greenroom.clock import LATEST
from greenroom.lifecycle import LifeRules
from models.asset import Asset, AssetState
from models.callback import Callback, CallbackStage
from models.campaign import Campaign, get_campaign
from models.channel import Channel
from models.item import Item
from models.item_asset import Holding, on_all_channels
from models.life_rules import RulesOf, ends_by_own_rules, rules_by_life
from models.media import Media, alive
from models.progress import PAGE
from models.states import in_state

#: An ID that has not been renewed is at risk from so long before its end.
SOON = timedelta(days=2)


@dataclass(frozen=True, kw_only=True)
class Renewals:
    """Media IDs of a campaign that are renewed in one week.

    Attributes:
        monday: the week's first day, UTC.
        files: how many.
    """

    monday: date
    files: int


@dataclass(frozen=True, kw_only=True)
class AtRisk:
    """A file whose media ID ends, and has not been renewed.

    Attributes:
        campaign_id: which campaign.
        channel_id: on which channel its ID is.
        ref: the scheduler's own reference.
        ends_at: until when its ID can be relied on; in the past for one that nobody should rely on any more.
        why: what kept it from being renewed.
    """

    campaign_id: str
    channel_id: str
    ref: str
    ends_at: datetime
    why: str


def renewals(connection: Connection, campaign_id: str, *, now: datetime, until: datetime) -> list[Renewals]:
    """In which weeks how many of a campaign's IDs are renewed, as far as the campaign needs them.

    An ID that is renewed is renewed again when it is as old as the one before it was.
    """
    refresh_on, uploaded_on = func.date(Media.refresh_at), func.date(Media.uploaded_at)

    def renewed(held: Holding) -> Select[*tuple[Any, ...]]:
        files = func.count(Media.id.distinct()).label("files")
        return (
            select(refresh_on.label("on"), uploaded_on.label("uploaded"), files)
            .select_from(held.items)
            .join(Media, Media.asset_id == held.asset_id)
            .where(Item.campaign_id == campaign_id, Media.is_current, Media.refresh_at.is_not(None))
            .group_by(refresh_on, uploaded_on)
        )

    statement = on_all_channels(renewed, campaign_id=campaign_id)
    weeks: Counter[date] = Counter()
    for row in connection.execute(statement):
        on, uploaded = _day(row.on), _day(row.uploaded)
        every = max(on - uploaded, timedelta(days=1))
        # What is overdue is renewed now.
        on = max(on, now.astimezone(UTC).date())
        while on <= min(until, LATEST).astimezone(UTC).date():
            weeks[on - timedelta(days=on.weekday())] += row.files
            on += every
    return [Renewals(monday=monday, files=files) for monday, files in sorted(weeks.items())]


def _day(value: date | str) -> date:
    """SQLite has no dates, and returns their text."""
    return date.fromisoformat(value) if isinstance(value, str) else value


def at_risk(
    connection: Connection,
    *,
    now: datetime,
    rules_of: RulesOf,
    campaign_id: str | None = None,
    limit: int = 20,
) -> list[AtRisk]:
    """Files whose IDs end while a campaign needs them, those that end first.

    Args:
        connection: an open transaction.
        now: the present.
        rules_of: the channels' rules, which say when an ID ends.
        campaign_id: of this campaign alone; None for all.
        limit: files at most.
    """
    rules = rules_by_life(connection, rules_of)
    statement = _not_renewed(_OF_ONE, now, campaign_id, rules)
    # A few at a time: there may be as many as a campaign has files, and a few are wanted.
    with connection.execute(statement, execution_options={"yield_per": PAGE}) as rows:
        found = (
            AtRisk(
                campaign_id=row.campaign_id,
                channel_id=row.channel_id,
                ref=row.ref,
                ends_at=end,
                why=row.detail or row.reason or "",
            )
            for row in rows
            if (end := rules[row.media_life_seconds].end(row.uploaded_at, row.last_used_at)) <= row.keep_until
        )
        return nsmallest(limit, found, key=lambda one: (one.ends_at, one.campaign_id, one.ref))


def count_at_risk(connection: Connection, campaign_id: str, *, now: datetime, rules_of: RulesOf) -> int:
    """How many of a campaign's files :func:`at_risk` would name: each once, be it on several channels."""
    rules = rules_by_life(connection, rules_of)
    keep_until = get_campaign(connection, campaign_id).keep_until
    too_soon = ends_by_own_rules(keep_until, rules)
    found = _not_renewed((Item.id,), now, campaign_id, rules, too_soon).subquery()
    return int(connection.execute(select(func.count(found.c.id.distinct()))).scalar_one())


def watched_at_risk(connection: Connection, *, now: datetime, rules_of: RulesOf) -> set[str]:
    """Campaigns that want call-backs, and of which :func:`at_risk` may name files.

    What ends soon was due for renewal: so IDs are found by that moment, and not one by one.
    """
    rules = rules_by_life(connection, rules_of)
    soon = max([SOON, *(each.look_every for each in rules.values())])
    due = Media.refresh_at <= now + soon
    found = _not_renewed((Item.campaign_id,), now, None, rules, due, _is_watched()).subquery()
    return set(connection.execute(select(found.c.campaign_id).distinct()).scalars())


def watched_failures(connection: Connection, *, now: datetime) -> dict[str, int]:
    """Campaigns of which was said that they are ready, and how many of their files have failed by now."""

    def failed(held: Holding) -> Select[*tuple[Any, ...]]:
        return (
            select(Item.campaign_id, Item.id)
            .select_from(held.items)
            .join(Asset, Asset.id == held.asset_id)
            .join(Campaign, Campaign.id == Item.campaign_id)
            .outerjoin(Media, (Media.asset_id == Asset.id) & alive(now))
            .where(
                in_state(Asset.state, AssetState.FAILED),
                Media.id.is_(None),
                _is_watched(Callback.stage == CallbackStage.TOLD),
                _needs(now),
            )
        )

    found = on_all_channels(failed).subquery()
    counted = select(found.c.campaign_id, func.count(found.c.id.distinct()).label("failed"))
    rows = connection.execute(counted.group_by(found.c.campaign_id))
    return {row.campaign_id: row.failed for row in rows}


def _is_watched(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """A condition on :class:`Item`: its campaign wants call-backs, and is as is said of them."""
    return Item.campaign_id.in_(select(Callback.campaign_id).where(*conditions))


#: What is said of one.
_OF_ONE = (
    Item.campaign_id,
    Media.channel_id,
    Item.ref,
    Campaign.keep_until,
    Asset.reason,
    Asset.detail,
    Media.uploaded_at,
    Media.last_used_at,
    Channel.media_life_seconds,
)


def _not_renewed(
    columns: Sequence[Any],
    now: datetime,
    campaign_id: str | None,
    rules: Mapping[int | None, LifeRules],
    *conditions: ColumnElement[bool],
) -> CompoundSelect[*tuple[Any, ...]]:
    def not_renewed(held: Holding) -> Select[*tuple[Any, ...]]:
        statement = (
            select(*columns)
            .select_from(held.items)
            .join(Campaign, Campaign.id == Item.campaign_id)
            .join(Asset, Asset.id == held.asset_id)
            .join(Media, Media.asset_id == Asset.id)
            .join(Channel, Channel.id == Media.channel_id)
            .where(
                Media.is_current,
                or_(Asset.state == AssetState.FAILED, ends_by_own_rules(now + SOON, rules)),
                Asset.state.in_(
                    (AssetState.FAILED, AssetState.WAITING, AssetState.CLAIMED, AssetState.UPLOADING)
                ),
                _needs(now),
                *conditions,
            )
        )
        return statement if campaign_id is None else statement.where(Item.campaign_id == campaign_id)

    return on_all_channels(not_renewed, campaign_id=campaign_id)


def _needs(now: datetime) -> ColumnElement[bool]:
    """A condition on :class:`Campaign`: it needs what it holds now."""
    return Campaign.cancelled_at.is_(None) & Campaign.upload_from.is_(None) & (Campaign.keep_until > now)


def campaigns_at_risk(connection: Connection, asset_id: int, *, now: datetime, limit: int = 10) -> list[str]:
    """The campaigns that need an asset whose media ID could not be renewed; none, where it never had one.

    It may be found dead just then, where the provider is asked for its copy.
    """

    def in_need(held: Holding) -> Select[*tuple[Any, ...]]:
        had_one = Media.is_current | Media.died_at.is_not(None)
        return (
            select(Item.campaign_id)
            .select_from(held.items)
            .join(Campaign, Campaign.id == Item.campaign_id)
            .join(Media, Media.asset_id == held.asset_id)
            .where(held.asset_id == asset_id, had_one, _needs(now))
        )

    found = on_all_channels(in_need).subquery().c.campaign_id
    return list(connection.execute(select(found).distinct().order_by(found).limit(limit)).scalars())
