"""What a campaign's page shows, read from the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from greenroom.campaign_page import (
    BadGroup,
    CampaignGlance,
    CampaignPage,
    EndingFile,
    FileCounts,
    ShownChannel,
    ShownFile,
    WeekAhead,
)
from greenroom.rules import Category
from greenroom.settings import Settings
from greenroom.sources import source_name
from models.campaign import CampaignRow, get_campaign
from models.campaign_readiness import readiness_of
from models.channel import ChannelRow, get_channel
from models.forecast import at_risk, count_at_risk, renewals
from models.item_reports import ItemReport, campaign_items, count_reasons
from models.progress import ItemStatus, Progress, campaign_progress, progress_by_channel

#: Bad files that are shown of one reason; and images, of those that are ready and of those that are bad.
FILES_OF_A_REASON = 50
MOST_IMAGES = 24
#: Files at risk, and weeks.
MOST_ENDING = 50
WEEKS_SHOWN = 8

#: Where a thumbnail of an item's file is, for a page; empty where there is none.
ThumbnailOf = Callable[[ItemReport], str]
_IMAGES = (Category.IMAGE, Category.STICKER)
_BAD = (ItemStatus.REJECTED, ItemStatus.FAILED)


def campaign_page(
    connection: Connection, campaign_id: str, settings: Settings, *, now: datetime, thumbnail: ThumbnailOf
) -> CampaignPage:
    """All that the page of a campaign shows.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        settings: of the installation.
        now: the present.
        thumbnail: is asked for up to three times :data:`MOST_IMAGES` items.

    Raises:
        UnknownName: there is no such campaign.
    """
    row = get_campaign(connection, campaign_id)
    glance = campaign_glance(connection, row, settings, now=now)
    channels = [get_channel(connection, channel) for channel in row.channels]
    paused = [channel for channel in channels if channel.paused_at is not None]
    rules_of = settings.life_rules
    ending = at_risk(connection, now=now, rules_of=rules_of, campaign_id=campaign_id, limit=MOST_ENDING)
    more_ending = 0
    if len(ending) == MOST_ENDING:
        all_ending = count_at_risk(connection, campaign_id, now=now, rules_of=rules_of)
        more_ending = max(0, all_ending - len({one.ref for one in ending}))
    return CampaignPage(
        **vars(glance),
        channels=_channels(connection, row, now=now),
        upload_from=row.upload_from,
        keep_until=row.keep_until,
        paused=" ".join(_paused(channel, of=channels) for channel in paused),
        bad=_bad(connection, row, now=now, thumbnail=thumbnail),
        images=list(_images(connection, campaign_id, now=now, thumbnail=thumbnail)),
        weeks=_weeks(connection, row, now=now),
        ending=[
            EndingFile(ref=one.ref, ends_at=one.ends_at, why=one.why or "It waits for its turn.")
            for one in ending
        ],
        more_ending=more_ending,
    )


def campaign_glance(
    connection: Connection, row: CampaignRow, settings: Settings, *, now: datetime
) -> CampaignGlance:
    """What is said of a campaign at a glance: how many files stand where, and when it will be ready."""
    progress = campaign_progress(connection, row.id, now=now, further=row.further_channels)
    is_cancelled = row.cancelled_at is not None
    readiness = None
    if not is_cancelled:
        allowed = settings.uploads_per_second
        # On several channels, what is left differs.
        counted = None if row.further_channels else progress
        readiness = readiness_of(connection, row.id, now=now, allowed=allowed, progress=counted)
    return CampaignGlance(
        campaign_id=row.id,
        channel_id=", ".join(row.channels),
        made_at=now,
        send_at=row.send_at,
        is_cancelled=is_cancelled,
        counts=_counts(progress),
        readiness=readiness,
        hindrance=progress.hindrance,
    )


def _paused(channel: ChannelRow, *, of: Sequence[ChannelRow]) -> str:
    which = f"Number {channel.id}" if len(of) > 1 else "Its number"
    return f"{which} is paused: {channel.paused_reason or 'No reason was given.'}"


def _counts(progress: Progress) -> FileCounts:
    return FileCounts(
        ready=progress.ready,
        on_their_way=progress.waiting + progress.uploading,
        scheduled=progress.scheduled,
        checking=progress.checking,
        bad=progress.rejected + progress.failed,
    )


def _channels(connection: Connection, row: CampaignRow, *, now: datetime) -> list[ShownChannel]:
    """Its channels, where they are several."""
    if not row.further_channels:
        return []
    by_channel = progress_by_channel(connection, row, now=now)
    return [ShownChannel(name=name, counts=_counts(progress)) for name, progress in by_channel.items()]


def _bad(
    connection: Connection, row: CampaignRow, *, now: datetime, thumbnail: ThumbnailOf
) -> list[BadGroup]:
    """Bad files by reason, that of most files first; all are counted, and those that are shown are read."""
    first: defaultdict[str, list[ItemReport]] = defaultdict(list)
    enough: set[str] = set()
    counts = count_reasons(connection, row.id, now=now, statuses=_BAD, channels=row.channels)
    for item in campaign_items(
        connection, row.id, now=now, statuses=_BAD, channels=row.channels, but_reasons=enough
    ):
        reason = item.reason or ""
        if len(first[reason]) < FILES_OF_A_REASON:
            first[reason].append(item)
        if len(first[reason]) == min(FILES_OF_A_REASON, counts.get(reason, 0)):
            enough.add(reason)
        if enough >= counts.keys():
            break
    shown = _BadFiles(thumbnail)
    return [
        BadGroup(
            reason=reason,
            count=counts[reason],
            files=[shown_file(item, shown.of(item)) for item in first[reason]],
        )
        for reason in sorted(counts, key=lambda reason: (-counts[reason], reason))
    ]


def looks_like_image(item: ItemReport) -> bool:
    """Whether a thumbnail can be made of it, as far as its verdict says."""
    named = item.category in _IMAGES or (item.mime_type or "").startswith("image/")
    return named or " image" in f" {item.label}".lower()


class _BadFiles:
    """Thumbnails, of so many files at most."""

    def __init__(self, thumbnail: ThumbnailOf) -> None:
        self._thumbnail = thumbnail
        self._left = MOST_IMAGES

    def of(self, item: ItemReport) -> str:
        """A file's thumbnail; nothing, where it is no image, or there are enough."""
        if not self._left or not looks_like_image(item):
            return ""
        self._left -= 1
        return self._thumbnail(item)


def _images(
    connection: Connection, campaign_id: str, *, now: datetime, thumbnail: ThumbnailOf
) -> Iterator[ShownFile]:
    """The first images that are ready, as far as a thumbnail of them can be made."""
    found = 0
    ready: Iterable[ItemReport] = campaign_items(
        connection, campaign_id, now=now, statuses=(ItemStatus.READY,), categories=_IMAGES
    )
    for tried, item in enumerate(ready, 1):
        if image := thumbnail(item):
            found += 1
            yield shown_file(item, image)
        if found == MOST_IMAGES or tried == 2 * MOST_IMAGES:
            return


def shown_file(item: ItemReport, thumbnail: str) -> ShownFile:
    """An item as pages show it."""
    name = source_name(item.source)
    bad_on_one = item.channel_id is not None and item.status is ItemStatus.FAILED
    on = f"On {item.channel_id}: " if bad_on_one else ""
    return ShownFile(
        ref=item.ref,
        name="" if item.ref.endswith(name) else name,
        detail=f"{on}{item.detail or item.reason or ''}",
        thumbnail=thumbnail,
    )


def _weeks(connection: Connection, row: CampaignRow, *, now: datetime) -> list[WeekAhead]:
    if row.cancelled_at is not None or row.keep_until <= now:
        return []
    until = min(row.keep_until, now + WEEKS_SHOWN * timedelta(days=7))
    files = {week.monday: week.files for week in renewals(connection, row.id, now=now, until=until)}
    today = now.astimezone(UTC).date()
    monday = today - timedelta(days=today.weekday())
    weeks = []
    while monday <= until.astimezone(UTC).date():
        weeks.append(WeekAhead(monday=monday, files=files.get(monday, 0)))
        monday += timedelta(days=7)
    return weeks
