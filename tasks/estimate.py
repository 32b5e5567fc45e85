"""Estimate: when a campaign will be ready, or would be with so many files more, for schedulers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from celery import shared_task

from greenroom.answers import ChannelEstimate, Estimate
from greenroom.manifest import parse_plan
from greenroom.readiness import PendingUploads, Readiness, of_all
from greenroom.task_names import TaskName
from models.campaign_readiness import readiness_with
from models.channel import get_channel
from tasks.prepare import require_allowed_callback, upload_moment
from tasks.runtime.checked_task import CheckedTask
from tasks.runtime.context import Context, current_context


def estimate(context: Context, campaign: Mapping[str, Any], files: int) -> Estimate:
    """When a campaign would be ready that has so many files more than it has; nothing is written.

    Args:
        context: the world.
        campaign: the fields of :class:`greenroom.manifest.CampaignPlan`, as JSON values.
        files: how many more.

    Raises:
        ManifestError: a field of the campaign is missing or wrong.
        UnknownName: there is no such channel.
        Misuse: the operator does not allow its call-backs.
        TransientError: the database is away.
    """
    plan = parse_plan(campaign)
    require_allowed_callback(context, plan)
    now, allowed = context.clock.now(), context.settings.uploads_per_second
    with context.database.read() as connection:
        lives = [get_channel(connection, channel).media_life for channel in plan.channels]
        start = upload_moment(context, plan, *lives)
        more = PendingUploads(send_at=plan.send_at, start=start, files=files)
        found = readiness_with(connection, plan, more, now=now, allowed=allowed)
    return as_estimate(of_all(found.values()), now=now, by_channel=found)


def as_estimate(
    found: Readiness, *, now: datetime, by_channel: Mapping[str, Readiness] = MappingProxyType({})
) -> Estimate:
    """When a campaign will be ready, as schedulers are told of it."""
    several = by_channel if len(by_channel) > 1 else {}
    return Estimate(
        left=found.left,
        uploads_per_second=found.rate.per_second,
        observed=found.rate.observed,
        start=found.start,
        send_at=found.send_at,
        ready_at=found.ready_at,
        at_risk=found.at_risk,
        what_helps=list(found.what_helps(now=now)),
        channels=[
            ChannelEstimate(
                channel=channel,
                left=one.left,
                uploads_per_second=one.rate.per_second,
                observed=one.rate.observed,
                ready_at=one.ready_at,
                at_risk=one.at_risk,
            )
            for channel, one in several.items()
        ],
    )


@shared_task(base=CheckedTask, name=TaskName.ESTIMATE, ignore_result=False)
def estimate_task(campaign: Mapping[str, Any], files: int) -> dict[str, Any]:
    """Return when a campaign will be ready."""
    return estimate(current_context(), campaign, files).model_dump(mode="json")
