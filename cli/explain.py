"""The whole story of one file in sentences, and as values for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from cli.formats import counted, zoned
from cli.when_ready import length
from greenroom.figures import human_size
from greenroom.reasons import advice_on
from greenroom.sources import unsigned
from models.asset import AssetState
from models.item import ItemState
from models.item_story import ItemStory, MediaStory, StepStory, UploadStory
from models.progress import ItemStatus


def headlines(story: ItemStory) -> Iterator[tuple[str, str]]:
    """How far it is, with a colour; on each of several channels, where that differs."""
    stories = (story, *story.further)
    alike = len({one.report.status for one in stories}) == 1
    for one in stories[:1] if alike else stories:
        on = "" if alike else f" on channel {one.channel.id}"
        yield f"{one.report.status}{on}", COLOURS.get(one.report.status, "yellow")


def sentences(story: ItemStory, *, now: datetime, uploads_per_second: Mapping[str, float]) -> Iterator[str]:
    """One file's story, in the order in which it happened, and what comes next.

    Args:
        story: what the tables hold.
        now: the present.
        uploads_per_second: how fast each of its channels uploads.
    """
    yield from _handed_over(story)
    yield from _inspection(story, now=now)
    for one in (story, *story.further):
        on = f"On channel {one.channel.id}: " if story.further else ""
        for sentence in _on_channel(one, now=now, uploads_per_second=uploads_per_second[one.channel.id]):
            yield f"{on}{sentence}"


def _on_channel(story: ItemStory, *, now: datetime, uploads_per_second: float) -> Iterator[str]:
    yield from map(_former_id, (one for one in story.media if not one.is_current))
    for one in story.media:
        if one.is_current:
            yield from _current_id(story, one, now=now)
    if story.upload is not None:
        yield from _upload(story, story.upload, now=now, uploads_per_second=uploads_per_second)


def _handed_over(story: ItemStory) -> Iterator[str]:
    campaign = story.campaign
    channels = f"{'channels' if story.further else 'channel'} {', '.join(campaign.channels)}"
    yield (
        f"Campaign {campaign.id} was first handed over at {zoned(campaign.created_at)}, for {channels}. Its "
        f"send time is {zoned(campaign.send_at)}, and it needs its files until {zoned(campaign.keep_until)}."
    )
    if campaign.cancelled_at is not None:
        yield f"The campaign was cancelled at {zoned(campaign.cancelled_at)}: it needs nothing any more."


def _inspection(story: ItemStory, *, now: datetime) -> Iterator[str]:
    step, report = story.inspection, story.report
    if step.state == ItemState.WAITING:
        cancelled = story.campaign.cancelled_at is not None
        yield "It was not inspected." if cancelled else _waits_for_inspection(step, now=now)
    elif step.state == ItemState.CLAIMED:
        yield "It was handed out for inspection, and waits for a worker."
    elif step.state == ItemState.INSPECTING:
        yield f"{_worker(step)} inspects it now, and keeps it until {_lease(step)}."
    elif step.state == ItemState.REJECTED:
        yield f"Inspection rejected it ({report.reason}). {report.detail} {advice_on(report.reason)}"
        if report.label:
            yield f"It really is: {report.label}."
    else:
        size = "" if report.size is None else f", {human_size(report.size)}"
        yield f"Inspection accepted it: {report.label}{size}, sent as {report.mime_type}."
    if report.fixed:
        yield f"It was fixed: {' '.join(report.fixed)}"
    for notice in report.notices:
        yield f"To know: {notice.detail}"


def _waits_for_inspection(step: StepStory, *, now: datetime) -> str:
    if step.ahead is None and step.not_before is not None:
        return f"Its inspection is tried again at {_in(step.not_before, now)}{_failures(step)}"
    return f"It waits for inspection, with {counted(step.ahead or 0, 'file')} of its campaign before it."


def _former_id(one: MediaStory) -> str:
    told = f"Media ID {one.media_id} was given at {zoned(one.uploaded_at)}{_use(one)}"
    if one.died_at is not None:
        told += f", found dead at {zoned(one.died_at)}"
    if one.deleted_at is not None:
        return f"{told}, taken out of service, and deleted at {zoned(one.deleted_at)}."
    if one.delete_after is not None:
        return f"{told}, and taken out of service; it is deleted after {zoned(one.delete_after)}."
    return f"{told}, and taken out of service."


def _current_id(story: ItemStory, one: MediaStory, *, now: datetime) -> Iterator[str]:
    by = ""
    if story.upload is not None and story.upload.worker and story.upload.state == AssetState.READY:
        by = f" by {_worker(story.upload)}"
    yield f"It was uploaded{by} at {zoned(one.uploaded_at)}: media ID {one.media_id}{_use(one)}."
    if one.died_at is not None:
        yield f"That ID was found dead at {zoned(one.died_at)}."
    if one.seen_alive_at is not None:
        yield f"The provider was asked, and had it still at {zoned(one.seen_alive_at)}."
    if one.doubted_at is not None:
        yield f"The provider refused to say anything of it at {zoned(one.doubted_at)}, so it is renewed."
    if one.deleted_at is not None:
        yield f"It was deleted at {zoned(one.deleted_at)}."
        return
    ended = one.ends_at <= now
    yield f"It {'ended' if ended else 'ends'} at {zoned(one.ends_at)}{_need(story, one, now=now)}"


def _need(story: ItemStory, one: MediaStory, *, now: datetime) -> str:
    until = story.needed_until
    if until is None or until <= now:
        return ". No campaign needs it now, so it is not renewed."
    if one.refresh_at is None or until <= one.refresh_at:
        return f". It is needed until {zoned(until)}, so it is not renewed."
    if one.refresh_at <= now:
        return f", and is to be renewed now: it is needed until {zoned(until)}."
    return f", and is renewed from {zoned(one.refresh_at)} on: it is needed until {zoned(until)}."


def _use(one: MediaStory) -> str:
    return f", last used at {zoned(one.last_used_at)}" if one.last_used_at else ", not known to be used"


def _upload(
    story: ItemStory, step: UploadStory, *, now: datetime, uploads_per_second: float
) -> Iterator[str]:
    what = "renewal" if any(one.is_current for one in story.media) else "upload"
    if step.lost_answers:
        yield (
            f"{counted(step.lost_answers, 'upload')} of it may have arrived though the answer was lost: each "
            "is a possible orphan at the provider."
        )
    if step.state == AssetState.IDLE:
        yield _idle(story)
    elif step.state == AssetState.CLAIMED:
        yield f"Its {what} was handed out, and waits for a worker."
    elif step.state == AssetState.UPLOADING:
        yield f"{_worker(step)} uploads it now, and keeps it until {_lease(step)}."
    elif step.state == AssetState.FAILED:
        yield f"Its {what} was given up. {story.report.detail} {advice_on(story.report.reason)}"
    elif step.state == AssetState.WAITING:
        yield from _waits_for_upload(story, step, what, now=now, uploads_per_second=uploads_per_second)


def _idle(story: ItemStory) -> str:
    campaign = story.campaign
    if campaign.upload_from is not None and campaign.cancelled_at is None:
        return f"It is scheduled: its campaign's uploads begin at {zoned(campaign.upload_from)}."
    return "Nothing needs it, so it is not uploaded."


def _waits_for_upload(
    story: ItemStory, step: UploadStory, what: str, *, now: datetime, uploads_per_second: float
) -> Iterator[str]:
    channel = story.channel
    if channel.paused_at is not None:
        yield (
            f"Its {what} waits, for channel {channel.id} is paused since {zoned(channel.paused_at)}: "
            f"{channel.paused_reason} Resume it with: greenroom channel resume {channel.id}"
        )
    if step.ahead is None and step.not_before is not None:
        yield f"Its {what} is tried again at {_in(step.not_before, now)}{_failures(step)}"
    elif channel.paused_at is not None:
        yield f"It has {counted(step.ahead or 0, 'upload')} of its channel before it."
    else:
        seconds = timedelta(seconds=(step.ahead or 0) / uploads_per_second)
        yield (
            f"Its {what} waits for its turn, with {counted(step.ahead or 0, 'upload')} of its channel before "
            f"it: about {length(seconds)} at {uploads_per_second:.1f} a second."
        )


def _failures(step: StepStory) -> str:
    """How often it failed, and why, to end a sentence."""
    count = f", after {counted(step.attempts, 'failure')}" if step.attempts else ""
    return f"{count}: {step.detail}" if step.detail else f"{count}."


def _worker(step: StepStory) -> str:
    return f"worker {step.worker}" if step.worker else "a worker"


def _lease(step: StepStory) -> str:
    return "it is done" if step.lease_until is None else f"{zoned(step.lease_until)} unless it says it lives"


def _in(moment: datetime, now: datetime) -> str:
    return f"{zoned(moment)}, in {length(moment - now)}"


def story_as_json(story: ItemStory) -> dict[str, Any]:
    """The same for programs; of its channel, nothing but the pause."""
    campaign, report = story.campaign, story.report
    return {
        "campaign": campaign.id,
        "channel": campaign.channel_id,
        "ref": report.ref,
        "source": unsigned(report.source),
        "status": report.status,
        "handed_over_at": campaign.created_at,
        "send_at": campaign.send_at,
        "keep_until": campaign.keep_until,
        "upload_from": campaign.upload_from,
        "cancelled_at": campaign.cancelled_at,
        "channel_paused_at": story.channel.paused_at,
        "channel_paused_reason": story.channel.paused_reason,
        "label": report.label,
        "category": report.category,
        "mime_type": report.mime_type,
        "size": report.size,
        "sha256": report.sha256,
        "original_sha256": report.original_sha256,
        "fixed": report.fixed,
        "notices": [asdict(notice) for notice in report.notices],
        "reason": report.reason,
        "detail": report.detail,
        "advice": advice_on(report.reason),
        "inspection": asdict(story.inspection),
        "upload": None if story.upload is None else asdict(story.upload),
        "media": [asdict(one) for one in story.media],
        "needed_until": story.needed_until,
        **({"channels": [_channel_as_json(one) for one in (story, *story.further)]} if story.further else {}),
    }


def _channel_as_json(story: ItemStory) -> dict[str, Any]:
    """What is told of one of several channels; the fields of before are those of the first."""
    return {
        "channel": story.channel.id,
        "status": story.report.status,
        "channel_paused_at": story.channel.paused_at,
        "channel_paused_reason": story.channel.paused_reason,
        "reason": story.report.reason,
        "detail": story.report.detail,
        "upload": None if story.upload is None else asdict(story.upload),
        "media": [asdict(one) for one in story.media],
        "needed_until": story.needed_until,
    }


#: How each status is coloured.
COLOURS = {ItemStatus.READY: "green", ItemStatus.REJECTED: "red", ItemStatus.FAILED: "red"}
