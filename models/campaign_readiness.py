"""When campaigns will be ready: what is left and how fast it goes, read from the tables.

The arithmetic is in :mod:`greenroom.readiness`. What is read is the backlog, through its indexes, and the
newest media IDs: where nothing waits, next to nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

from sqlalchemy import Connection, func, or_, select, update

from greenroom.clock import EARLIEST, LATEST
from greenroom.manifest import CampaignPlan
from greenroom.readiness import PendingUploads, Readiness, UploadRate, finish_times, of_all
from models.asset import Asset, AssetState, Priority
from models.bulk import among
from models.campaign import Campaign, CampaignRow, get_campaign, is_on
from models.channel import ChannelRow, get_channel, get_channels
from models.item import Item, ItemState
from models.locks import lock_rows
from models.media import Media
from models.progress import Progress, campaign_progress, progress_by_channel, progress_on
from models.states import in_state

#: The newest media IDs, of all channels, from which the rates are worked out; and their greatest age.
NEWEST = 2_000
RECENT = timedelta(minutes=1)
#: Fewer uploads than these of a channel say nothing of its rate.
FEWEST = 25
#: A channel whose last upload is older uploads no more.
STILL = timedelta(seconds=5)
#: A campaign of a paused channel is at risk from so long before it is sent.
SOON = timedelta(days=1)

_IS_LEFT = or_(
    in_state(Asset.state, AssetState.WAITING), in_state(Asset.state, AssetState.CLAIMED, AssetState.UPLOADING)
)
_IS_UNSEEN = or_(
    in_state(Item.state, ItemState.WAITING), in_state(Item.state, ItemState.CLAIMED, ItemState.INSPECTING)
)


@dataclass(frozen=True, kw_only=True)
class CampaignReadiness:
    """A campaign that will be late.

    Attributes:
        campaign_id: which.
        channel_id: on which of its channels it is ready last.
        readiness: when it is there.
        late: when on each channel on which it is late.
        is_on_several: whether it is on more channels than one, late there or not.
    """

    campaign_id: str
    channel_id: str
    readiness: Readiness
    late: Mapping[str, Readiness]
    is_on_several: bool


def upload_rates(connection: Connection, *, now: datetime, allowed: float) -> dict[str, UploadRate]:
    """How fast channels upload at present; one that is not named may do what is allowed.

    Args:
        connection: an open transaction.
        now: the present.
        allowed: uploads a second on one channel.
    """
    newest = select(Media.channel_id, Media.uploaded_at).order_by(Media.id.desc()).limit(NEWEST).subquery()
    statement = (
        select(
            newest.c.channel_id,
            func.count().label("uploads"),
            func.min(newest.c.uploaded_at).label("first"),
            func.max(newest.c.uploaded_at).label("last"),
        )
        .where(newest.c.uploaded_at > now - RECENT)
        .group_by(newest.c.channel_id)
    )
    rates = {}
    for row in connection.execute(statement):
        seconds = (now - row.first).total_seconds()
        if row.uploads >= FEWEST and now - row.last <= STILL and seconds > 0:
            per_second = min(row.uploads / seconds, allowed)
            rates[row.channel_id] = UploadRate(per_second=per_second, allowed=allowed, observed=True)
    return rates


def upload_rate(connection: Connection, channel_id: str, *, now: datetime, allowed: float) -> UploadRate:
    """How fast one channel uploads; what is allowed, where nothing was observed."""
    return upload_rates(connection, now=now, allowed=allowed).get(channel_id, _as_allowed(allowed))


def readiness_of(
    connection: Connection,
    campaign_id: str,
    *,
    now: datetime,
    allowed: float,
    progress: Progress | None = None,
) -> Readiness:
    """When one campaign will be ready, with all that its channels have before it.

    Args:
        connection: an open transaction.
        campaign_id: which.
        now: the present.
        allowed: uploads a second on one channel.
        progress: how far it is, where that was counted already. Of a campaign on several channels, what is
            not settled counts on each of them then.

    Raises:
        UnknownName: there is no such campaign.
    """
    campaign = get_campaign(connection, campaign_id)
    counted = None if progress is None else dict.fromkeys(campaign.channels, progress)
    return of_all(
        readiness_by_channel(connection, campaign, now=now, allowed=allowed, progress=counted).values()
    )


def readiness_by_channel(
    connection: Connection,
    campaign: CampaignRow,
    *,
    now: datetime,
    allowed: float,
    progress: Mapping[str, Progress] | None = None,
) -> dict[str, Readiness]:
    """When a campaign will be ready on each of its channels; arguments as above."""
    if progress is None:
        progress = progress_by_channel(connection, campaign, now=now)
    return {
        channel: _readiness_on(
            connection,
            channel,
            PendingUploads(send_at=campaign.send_at, start=campaign.upload_from or now, files=0),
            left=0 if campaign.cancelled_at else on_it.total - on_it.settled,
            now=now,
            allowed=allowed,
        )
        for channel, on_it in progress.items()
    }


def readiness_with(
    connection: Connection, plan: CampaignPlan, more: PendingUploads, *, now: datetime, allowed: float
) -> dict[str, Readiness]:
    """When a campaign would be ready on each channel if it had so many files more; it need not be known.

    Args:
        connection: an open transaction.
        plan: the campaign.
        more: the files, each of which is taken to need an upload on each channel.
        now: the present.
        allowed: uploads a second on one channel.

    Raises:
        UnknownName: there is no such channel.
    """
    first = campaign_progress(connection, plan.id, now=now)
    known: Mapping[str, Progress] = {}
    if len(plan.channels) > 1 and first.total:
        known = progress_by_channel(connection, get_campaign(connection, plan.id), now=now)
    # On a channel that it does not have yet, all is uploaded that was not rejected.
    anew = first if len(plan.channels) == 1 else Progress(waiting=first.total - first.rejected)
    found = {}
    for channel in plan.channels:
        progress = known.get(channel, anew)
        left = progress.total - progress.settled + more.files
        found[channel] = _readiness_on(connection, channel, more, left=left, now=now, allowed=allowed)
    return found


def _readiness_on(
    connection: Connection,
    channel_id: str,
    more: PendingUploads,
    *,
    left: int,
    now: datetime,
    allowed: float,
) -> Readiness:
    """By all that one channel has to upload, read now."""
    channel = get_channel(connection, channel_id)
    jobs = [*_backlog(connection, channel_id=channel_id)[channel_id], *_scheduled(connection, channel_id)]
    rate = upload_rate(connection, channel_id, now=now, allowed=allowed)
    return _readiness(channel, jobs, more, left=left, rate=rate, now=now)


def _readiness(
    channel: ChannelRow,
    jobs: Sequence[PendingUploads],
    more: PendingUploads,
    *,
    left: int,
    rate: UploadRate,
    now: datetime,
) -> Readiness:
    ready_at = (
        finish_times([*jobs, more], now=now, per_second=rate.per_second).get(more.send_at, now)
        if left
        else now
    )
    is_paused = channel.paused_at is not None
    return Readiness(
        left=left,
        rate=rate,
        start=max(more.start, now),
        send_at=more.send_at,
        ready_at=None if is_paused and left else ready_at,
        paused=channel.paused_reason or "" if is_paused else "",
    )


def campaigns_in_danger(connection: Connection, *, now: datetime, allowed: float) -> list[CampaignReadiness]:
    """The campaigns whose uploads have begun and will not be over when they are sent, the next one first.

    Args:
        connection: an open transaction.
        now: the present.
        allowed: uploads a second on one channel.
    """
    backlog = _backlog(connection)
    rates = upload_rates(connection, now=now, allowed=allowed) if backlog else {}
    channels = get_channels(connection, list(backlog))
    late: list[tuple[str, datetime]] = []
    for channel_id, jobs in backlog.items():
        rate = rates.get(channel_id, _as_allowed(allowed))
        ends = finish_times(jobs, now=now, per_second=rate.per_second)
        paused = channels[channel_id].paused_at is not None
        late += [
            (channel_id, send_at)
            for send_at, end in ends.items()
            if end > send_at or (paused and send_at - now < SOON)
        ]
    scheduled = {channel_id: _scheduled(connection, channel_id) for channel_id, _ in late}
    found: defaultdict[tuple[datetime, str, bool], dict[str, Readiness]] = defaultdict(dict)
    for channel_id, send_at in late:
        for campaign_id, first, several in _sent_at(connection, channel_id, send_at, now=now):
            progress = progress_on(connection, campaign_id, channel_id, now=now, first=first)
            found[send_at, campaign_id, several][channel_id] = _readiness(
                channels[channel_id],
                [*backlog[channel_id], *scheduled[channel_id]],
                PendingUploads(send_at=send_at, start=now, files=0),
                left=progress.total - progress.settled,
                rate=rates.get(channel_id, _as_allowed(allowed)),
                now=now,
            )
    return [
        _with_the_last(campaign_id, at_risk, is_on_several=several)
        for (_, campaign_id, several), on_it in sorted(found.items(), key=itemgetter(0))
        if (at_risk := {channel: one for channel, one in on_it.items() if one.at_risk})
    ]


def _with_the_last(
    campaign_id: str, late: Mapping[str, Readiness], *, is_on_several: bool
) -> CampaignReadiness:
    last = max(late, key=lambda channel: late[channel].ready_at or LATEST)
    return CampaignReadiness(
        campaign_id=campaign_id,
        channel_id=last,
        readiness=late[last],
        late=late,
        is_on_several=is_on_several,
    )


def readiness_where_late(
    connection: Connection, danger: CampaignReadiness, *, now: datetime, allowed: float
) -> dict[str, Readiness]:
    """When a campaign that is late will be ready on each of its channels, late there or not.

    Args:
        connection: an open transaction.
        danger: what was found of it; of the channels on which it is late, that is kept.
        now: the present.
        allowed: uploads a second on one channel.
    """
    if not danger.is_on_several:
        return dict(danger.late)
    campaign = get_campaign(connection, danger.campaign_id)
    return {**readiness_by_channel(connection, campaign, now=now, allowed=allowed), **danger.late}


def note_dangers(
    connection: Connection, campaign_ids: Collection[str], *, now: datetime
) -> tuple[set[str], set[str]]:
    """Write down which campaigns are at risk; returns those that were not so before, and no longer are."""
    known = set(connection.execute(select(Campaign.id).where(Campaign.at_risk_since.is_not(None))).scalars())
    new, over = set(campaign_ids) - known, known - set(campaign_ids)
    for ids, since in ((new, now), (over, None)):
        if ids:
            lock_rows(connection, Campaign, among(Campaign.id, ids))
            connection.execute(update(Campaign).where(among(Campaign.id, ids)).values(at_risk_since=since))
    return new, over


def _as_allowed(allowed: float) -> UploadRate:
    return UploadRate(per_second=allowed, allowed=allowed, observed=False)


def _backlog(
    connection: Connection, *, channel_id: str | None = None
) -> defaultdict[str, list[PendingUploads]]:
    """What may be uploaded now, or will be once it was looked at, by channel."""
    uploads = select(Asset.channel_id, Asset.due_at, func.count()).where(
        _IS_LEFT, Asset.priority == Priority.CAMPAIGN
    )
    unseen = (
        select(Campaign.channel_id, Campaign.further_channels, Campaign.send_at, func.count())
        .join(Item, Item.campaign_id == Campaign.id)
        .where(_IS_UNSEEN, Campaign.cancelled_at.is_(None), Campaign.upload_from.is_(None))
    )
    if channel_id is not None:
        uploads = uploads.where(Asset.channel_id == channel_id)
        unseen = unseen.where(is_on(channel_id))
    found: defaultdict[str, list[PendingUploads]] = defaultdict(list)
    for channel, send_at, files in connection.execute(uploads.group_by(Asset.channel_id, Asset.due_at)):
        found[channel].append(PendingUploads(send_at=send_at, start=EARLIEST, files=files))
    unseen = unseen.group_by(Campaign.channel_id, Campaign.further_channels, Campaign.send_at)
    for first, further, send_at, files in connection.execute(unseen):
        for channel in (first, *further):
            if channel_id in (None, channel):
                found[channel].append(PendingUploads(send_at=send_at, start=EARLIEST, files=files))
    return found


def _scheduled(connection: Connection, channel_id: str) -> list[PendingUploads]:
    """What a channel uploads later."""
    statement = (
        select(Campaign.send_at, Campaign.upload_from, func.count())
        .join(Item, Item.campaign_id == Campaign.id)
        .where(
            is_on(channel_id),
            Campaign.upload_from.is_not(None),
            Campaign.cancelled_at.is_(None),
            Item.state != ItemState.REJECTED,
        )
        .group_by(Campaign.id, Campaign.send_at, Campaign.upload_from)
    )
    return [
        PendingUploads(send_at=send_at, start=start, files=files)
        for send_at, start, files in connection.execute(statement)
        if start is not None
    ]


def _sent_at(
    connection: Connection, channel_id: str, send_at: datetime, *, now: datetime
) -> list[tuple[str, bool, bool]]:
    """Campaigns on a channel, each with whether that is its first, and whether it has several."""
    statement = select(Campaign.id, Campaign.channel_id, Campaign.further_channels).where(
        is_on(channel_id),
        Campaign.send_at == send_at,
        Campaign.upload_from.is_(None),
        Campaign.cancelled_at.is_(None),
        Campaign.keep_until > now,
    )
    return [
        (campaign_id, first == channel_id, bool(further))
        for campaign_id, first, further in connection.execute(statement)
    ]
