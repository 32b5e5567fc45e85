"""Prepare: write a campaign and its items, in bulk and idempotently, then have them looked at."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from celery import Task, shared_task
from sqlalchemy import Connection

from greenroom.errors import ManifestError, Misuse
from greenroom.log_fields import about
from greenroom.manifest import CampaignPlan, ManifestItem, parse_items, parse_plan
from greenroom.task_names import TaskName
from greenroom.untrusted_text import one_line
from models.callback import has_callback, note_change, save_callback
from models.campaign import CampaignRow, channel_and_campaign, find_campaign, hold_campaign
from models.channel import get_channel
from models.manifest_items import add_items, lock_items, reject_items, save_items, seem_new
from models.moving import save_and_move
from models.references import want_again
from models.submissions import ItemChanges, note_submission, pass_over_standing, require_submission
from tasks.runtime.announcements import announce_inspection
from tasks.runtime.bisecting_writes import write_bisecting
from tasks.runtime.checked_task import CheckedTask, until_done
from tasks.runtime.context import Context, current_context

logger = logging.getLogger(__name__)

#: Refs that an error names.
MOST_REFS_SHOWN = 10


def prepare(context: Context, campaign: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> int:
    """Take over (a part of) a campaign's manifest; returns how many items it had.

    What may never be opened is rejected at once, and costs no other item anything.

    The same again changes nothing of what is in flight or ready; what was rejected or given up is looked at
    once more, for somebody may have fixed it meanwhile.

    Args:
        context: the world.
        campaign: the fields of :class:`greenroom.manifest.CampaignPlan`, as JSON values.
        items: the fields of :class:`greenroom.manifest.ManifestItem` each, as JSON values.

    Raises:
        ManifestError: something of it is missing or wrong, and nothing was written; or the database refused
            items for reasons of its own, and has the others.
        Misuse: the channel is not known, the campaign is another channel's or cancelled, or the operator does
            not allow its call-backs.
        TransientError: the database is away; nothing was written.
    """
    take_over(context, campaign, items)
    return len(items)


def take_over(
    context: Context,
    campaign: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]],
    *,
    submission: int | None = None,
) -> list[ItemChanges]:
    """Write (a part of) a manifest; arguments and errors as above.

    Args:
        context: the world.
        campaign: as above.
        items: as above.
        submission: the number of the submission that it is a part of; None for items that are only added.

    Returns:
        What changed, of each transaction; of a submission alone.

    Raises:
        SubmissionSuperseded: another submission began since.
    """
    plan = parse_plan(campaign)
    require_allowed_callback(context, plan)
    # In one order for all: two messages that share items must not lock them crosswise.
    rows = sorted(parse_items(items), key=lambda item: item.ref)
    now = context.clock.now()
    refused: list[str] = []

    def write(connection: Connection, part: Sequence[ManifestItem]) -> Written:
        upload_from, known, begun_elsewhere = look_up(context, connection, plan)
        # Most often all are new, or as they were: then there is nothing to be locked. What another part is
        # writing now will stand as this one has it.
        stands = begun_elsewhere or (known is not None and known.stands_as(plan, upload_from=upload_from))
        written = (
            write_beside(connection, plan, part, upload_from=upload_from, now=now, submission=submission)
            if stands
            else None
        )
        if written is None:
            written = _write(connection, plan, part, upload_from=upload_from, now=now, submission=submission)
        sources = context.sources
        never = {row.ref: refusal for row in written.items if (refusal := sources.refusal(row.source))}
        reject_items(connection, campaign_id=plan.id, refused=never)
        return written

    def refuse(item: ManifestItem, error: Exception) -> Written:
        logger.error(
            "An item cannot be written: %s", one_line(item.ref), exc_info=error, extra=about(ref=item.ref)
        )
        refused.append(item.ref)
        return Written()

    written = list(write_bisecting(context.database, rows, write, refused=refuse))
    if any(one.items for one in written):
        announce_inspection(context, why=f"campaign {plan.id} has come in")
    if refused:
        shown = ", ".join(map(repr, refused[:MOST_REFS_SHOWN]))
        raise ManifestError(
            f"The database refused {len(refused)} of {len(rows)} items of campaign {plan.id}, and has the "
            f"others: {shown}. The worker's log says why."
        )
    return [one.changes for one in written]


def require_allowed_callback(context: Context, plan: CampaignPlan) -> None:
    """Refuse a campaign whose call-backs would never be delivered.

    Raises:
        Misuse: the operator does not allow where they go.
    """
    refused = None if plan.callback is None else context.callbacks.refusal(plan.callback)
    if refused is not None:
        raise Misuse(f"Campaign {plan.id}: {refused}")


def look_up(
    context: Context, connection: Connection, plan: CampaignPlan
) -> tuple[datetime, CampaignRow | None, bool]:
    """When a campaign's uploads are to begin; and the campaign, as `channel_and_campaign` has it.

    Raises:
        UnknownName: one of its channels is not known.
    """
    first, known, begun_elsewhere = channel_and_campaign(
        connection, channel_id=plan.channel, campaign_id=plan.id
    )
    others = [get_channel(connection, channel).media_life for channel in plan.channels[1:]]
    return upload_moment(context, plan, first, *others), known, begun_elsewhere


def upload_moment(context: Context, plan: CampaignPlan, *media_lives: timedelta | None) -> datetime:
    """When uploads begin: as the plan says; else as long ahead as settings and the lives of IDs allow.

    Args:
        context: the world.
        plan: the campaign.
        media_lives: how long each of its channels keeps IDs; None for the setting that holds for all.
    """
    if plan.upload_from is not None:
        return plan.upload_from
    ahead = timedelta(days=context.settings.upload_days_before)
    rules = map(context.settings.life_rules, media_lives)
    return max(each.upload_from(plan.send_at, ahead=ahead) for each in rules)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What came of lines in one transaction: what changed, and those for which something was done."""

    changes: ItemChanges = field(default_factory=ItemChanges)
    items: Sequence[ManifestItem] = ()


def write_beside(
    connection: Connection,
    plan: CampaignPlan,
    rows: Sequence[ManifestItem],
    *,
    upload_from: datetime,
    now: datetime,
    submission: int | None = None,
) -> Written | None:
    """Write a part of a campaign, beside others who do so, if each item is new or stands as it is.

    A campaign that somebody writes for the first time is waited for.

    Args:
        connection: an open transaction.
        plan: the campaign.
        rows: in order of ref.
        upload_from: when its uploads begin.
        now: the present.
        submission: which it is a part of, if of any.

    Returns:
        What was written; None, and nothing was changed or is locked, where more has to be done.
    """
    with connection.begin_nested() as savepoint:
        hold_campaign(connection, plan.id, shared=True)
        campaign = find_campaign(connection, plan.id)
        if campaign is not None and _is_as_planned(connection, campaign, plan, upload_from, now):
            number = _submission(campaign, submission)
            if seem_new(connection, plan.id, rows) and add_items(
                connection, campaign_id=plan.id, due_at=plan.send_at, items=rows, submission=number
            ):
                note_change(connection, plan.id)
                return Written(changes=ItemChanges(added=len(rows)), items=rows)
            looked = pass_over_standing(connection, campaign, rows, submission=submission)
            if not looked.known and add_items(
                connection, campaign_id=plan.id, due_at=plan.send_at, items=looked.others, submission=number
            ):
                if looked.others:
                    note_change(connection, plan.id)
                added = ItemChanges(added=len(looked.others), unchanged=looked.standing)
                return Written(changes=added, items=looked.others)
        savepoint.rollback()
    return None


def _is_as_planned(
    connection: Connection, campaign: CampaignRow, plan: CampaignPlan, upload_from: datetime, now: datetime
) -> bool:
    return (
        plan.keep_until > now
        and campaign.stands_as(plan, upload_from=upload_from)
        and (plan.callback is None or has_callback(connection, plan.id, plan.callback))
    )


def _write(
    connection: Connection,
    plan: CampaignPlan,
    rows: Sequence[ManifestItem],
    *,
    upload_from: datetime,
    now: datetime,
    submission: int | None,
) -> Written:
    """Write the campaign, and what is new or changed; queue anew what somebody has fixed meanwhile."""
    campaign = save_and_move(connection, plan, upload_from=upload_from, now=now)
    number = _submission(campaign, submission)
    looked = pass_over_standing(connection, campaign, rows, submission=submission)
    written = 0
    if looked.known and not campaign.moved:
        if campaign.upload_from is None:
            written += want_again(connection, plan.id, refs=looked.known, due_at=plan.send_at, now=now)
        lock_items(connection, campaign_id=plan.id, refs=looked.known)
    changes = ItemChanges(unchanged=looked.standing)
    if submission is not None:
        changes += note_submission(connection, campaign, looked.others)
    written += save_items(
        connection,
        campaign_id=plan.id,
        due_at=plan.send_at,
        items=looked.others,
        submission=number,
        known=not campaign.created,
    )
    save_callback(connection, plan.id, plan.callback)
    if (written or campaign.channels_before) and not campaign.created:
        note_change(connection, plan.id)
    return Written(changes=changes, items=looked.others)


def _submission(campaign: CampaignRow, given: int | None) -> int:
    """The submission in which new items stand: what is only added belongs to the latest one."""
    if given is not None:
        require_submission(campaign, given)
    return campaign.submission


@shared_task(base=CheckedTask, name=TaskName.PREPARE, bind=True, max_retries=None, ignore_result=False)
def prepare_task(
    self: Task[Any, Any], campaign: Mapping[str, Any], items: Sequence[Mapping[str, Any]]
) -> int:
    """Take over (a part of) a campaign's manifest."""
    return until_done(self, lambda: prepare(current_context(), campaign, items))
