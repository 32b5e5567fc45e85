"""Call-backs of campaigns that are at risk: uploads that come too late, IDs that end or have died.

Each says all that is at risk at its moment, whatever it was that had it written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from greenroom.answers import Estimate
from greenroom.callbacks.payload import MOST_AT_RISK, CallbackEvent, RiskReason
from models.callback import WatchedCampaign, watched_campaigns
from models.campaign import get_campaign
from models.forecast import SOON, at_risk, count_at_risk, watched_at_risk, watched_failures
from models.life_rules import RulesOf
from models.outbox import latest_callback, latest_number, put_in_outbox, was_told_since
from tasks.runtime.callback_payload import Danger, payload_of

#: A campaign that is just in time, or just not, is at risk now and then: that is told once.
AGAIN_AFTER = timedelta(hours=1)
_EVENT: Final = CallbackEvent.AT_RISK


@dataclass(frozen=True, kw_only=True)
class _Risks:
    """What is at risk of one campaign now.

    Attributes:
        late: whether its uploads come too late.
        ending: items whose ID ends, and could not be renewed.
        failed: items that have failed, of a campaign that was said to be ready.
        failed_then: how many had, when that was said.
    """

    late: bool
    ending: int
    failed: int
    failed_then: int

    @property
    def reasons(self) -> Iterator[RiskReason]:
        """Why it is at risk; none where it is not."""
        if self.late:
            yield RiskReason.UPLOADS_LATE
        if self.ending:
            yield RiskReason.IDS_ENDING
        if self.failed > self.failed_then:
            yield RiskReason.IDS_LOST


def write_risk_callbacks(
    connection: Connection,
    late: Collection[str],
    estimate_of: Callable[[str], Estimate],
    *,
    now: datetime,
    rules_of: RulesOf,
) -> None:
    """Write one for each campaign that wants to know, and of which something new is to be said.

    Args:
        connection: an open transaction.
        late: the campaigns whose uploads come too late; those that were late before, too: another version is
            told anew, and so is who wants it from now on.
        estimate_of: when one of those will be ready, for whoever is told.
        now: the present.
        rules_of: the channels' rules, which say when an ID ends.
    """
    ending = watched_at_risk(connection, now=now, rules_of=rules_of)
    failed = watched_failures(connection, now=now)
    some = sorted(ending | failed.keys() | set(late))
    for campaign_id, mine in watched_campaigns(connection, some, now=now).items():
        if was_told_since(connection, mine, _EVENT, since=now - AGAIN_AFTER):
            continue
        ready = latest_callback(connection, mine, CallbackEvent.READY)
        risks = _Risks(
            late=campaign_id in late,
            ending=count_at_risk(connection, campaign_id, now=now, rules_of=rules_of)
            if campaign_id in ending
            else 0,
            failed=failed.get(campaign_id, 0),
            failed_then=ready.data.failed if ready else 0,
        )
        if _is_new(connection, mine, risks, now):
            estimate = estimate_of(campaign_id) if risks.late else None
            _write(connection, mine, risks, estimate, now=now, rules_of=rules_of)


def _is_new(connection: Connection, watched: WatchedCampaign, risks: _Risks, now: datetime) -> bool:
    """Whether something was not told yet: lateness since it began, or more items than the last time.

    A call-back that is older than IDs are at risk was about others.
    """
    reasons = set(risks.reasons)
    if RiskReason.UPLOADS_LATE in reasons and not _lateness_was_told(connection, watched, now):
        return True
    last = latest_callback(connection, watched, _EVENT)
    if last is None:
        return bool(reasons)
    more = risks.ending > (last.data.at_risk or 0) or (risks.ending and last.timestamp <= now - SOON)
    return bool(more) or (RiskReason.IDS_LOST in reasons and risks.failed > last.data.failed)


def _lateness_was_told(connection: Connection, watched: WatchedCampaign, now: datetime) -> bool:
    """Whether it was since it began."""
    began = get_campaign(connection, watched.campaign_id).at_risk_since or now
    return was_told_since(connection, watched, _EVENT, since=began)


def _write(
    connection: Connection,
    watched: WatchedCampaign,
    risks: _Risks,
    estimate: Estimate | None,
    *,
    now: datetime,
    rules_of: RulesOf,
) -> None:
    media = at_risk(
        connection, now=now, rules_of=rules_of, campaign_id=watched.campaign_id, limit=MOST_AT_RISK
    )
    danger = Danger(reasons=list(risks.reasons), estimate=estimate, at_risk=risks.ending, media=media)
    payload = payload_of(connection, watched, _EVENT, now=now, danger=danger)
    put_in_outbox(connection, payload, number=latest_number(connection, watched, _EVENT) + 1)
