"""Foresee: say of campaigns that will not be ready in time that they will not, as soon as it is known."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from celery import shared_task

from greenroom.answers import Estimate
from greenroom.figures import human_time
from greenroom.log_fields import about
from greenroom.readiness import of_all
from greenroom.task_names import TaskName
from models.campaign_readiness import (
    CampaignReadiness,
    campaigns_in_danger,
    note_dangers,
    readiness_where_late,
)
from tasks.estimate import as_estimate
from tasks.runtime.context import Context, current_context
from tasks.runtime.reporting_task import ReportingTask
from tasks.runtime.risk_callbacks import write_risk_callbacks
from tasks.runtime.sentences import what_was_done

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """Campaigns that will not be ready in time.

    Attributes:
        at_risk: all of them.
        new: those that were not at risk when somebody looked last.
        over: those that were then, and are not any more.
    """

    at_risk: Sequence[str]
    new: Collection[str]
    over: Collection[str]


def foresee(context: Context) -> Foreseen:
    """Note which campaigns are at risk, and log a line for each that was not before."""
    now, allowed = context.clock.now(), context.settings.uploads_per_second
    with context.database.read() as connection:
        dangers = campaigns_in_danger(connection, now=now, allowed=allowed)
    with context.database.write() as connection:
        new, over = note_dangers(connection, {one.campaign_id for one in dangers}, now=now)
        late = {one.campaign_id: one for one in dangers}

        def estimate_of(campaign_id: str) -> Estimate:
            found = readiness_where_late(connection, late[campaign_id], now=now, allowed=allowed)
            return as_estimate(of_all(found.values()), now=now, by_channel=found)

        write_risk_callbacks(connection, late, estimate_of, now=now, rules_of=context.settings.life_rules)
    for one in dangers:
        if one.campaign_id in new:
            help_ = " ".join(one.readiness.what_helps(now=now))
            fields = about(campaign=one.campaign_id, channel=one.channel_id)
            logger.warning("Campaign %s is at risk: %s %s", one.campaign_id, _why(one), help_, extra=fields)
    for campaign_id in sorted(over):
        logger.info("Campaign %s is at risk no more.", campaign_id, extra=about(campaign=campaign_id))
    return Foreseen(at_risk=[one.campaign_id for one in dangers], new=new, over=over)


def _why(one: CampaignReadiness) -> str:
    it = one.readiness
    where = f" on channel {one.channel_id}" if one.is_on_several else ""
    left = f"{it.left:,} files are to be uploaded{where} before {it.send_at.isoformat(timespec='seconds')}"
    if it.ready_at is None:
        return f"{left}, and channel {one.channel_id} is paused."
    late = human_time((it.ready_at - it.send_at).total_seconds())
    return f"{left}, which takes until {it.ready_at.isoformat(timespec='seconds')}: {late} too long."


@shared_task(base=ReportingTask, name=TaskName.FORESEE)
def foresee_task() -> str:
    """Say which campaigns will not be ready in time."""
    found = foresee(current_context())
    return what_was_done(
        {
            f"at risk now: {', '.join(sorted(found.new))}": len(found.new),
            f"at risk no more: {', '.join(sorted(found.over))}": len(found.over),
        }
    )
