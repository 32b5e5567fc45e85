"""What a call-back says: the same JSON as the body of a request and as the argument of a task.

As Standard Webhooks has it: a type, a moment, and the data. A newer Greenroom may say more.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic.types import AwareDatetime

from greenroom.answers import Count, Estimate, RejectedItem, TaskAnswer

#: Items that one names; the rest is counted, and `greenroom.client.Greenroom.rejected` has all.
MOST_UNSENDABLE: Final = 20
MOST_AT_RISK: Final = 20


class CallbackEvent(StrEnum):
    """What happened to a campaign."""

    READY = "campaign.ready"
    REJECTED = "campaign.rejected"
    AT_RISK = "campaign.at_risk"


class RiskReason(StrEnum):
    """Why a campaign is at risk."""

    #: Uploads will not be over when it is sent.
    UPLOADS_LATE = "uploads_late"
    #: Media IDs end while it needs them, and could not be renewed.
    IDS_ENDING = "ids_ending"
    #: Since it was said to be ready, media IDs have died and could not be replaced: files have failed.
    IDS_LOST = "ids_lost"


class MediaAtRisk(TaskAnswer):
    """An item whose media ID ends while the campaign needs it, and could not be renewed.

    Attributes:
        ref: the scheduler's own reference.
        channel: on which channel.
        ends_at: until when its ID can be relied on.
        why: what kept it from being renewed; empty while it waits for its turn.
    """

    ref: str
    channel: str
    ends_at: AwareDatetime
    why: str


class CallbackData(TaskAnswer):
    """How the campaign was when it happened.

    Attributes:
        campaign_id: which.
        channel: on which channel; the first, where it is on several.
        channels: all of them, where they are several.
        version: of its manifest: a number that grows when that changes, or is tried again.
        send_at: when it is sent.
        total: items.
        ready: items with a media ID that can be sent.
        rejected: items that inspection did not take.
        failed: items whose upload was given up.
        unsendable: the first of those that are rejected or failed, by their refs.
        reasons: why it is at risk; this and what follows of ``campaign.at_risk`` alone.
        estimate: when it will be ready, if uploads come too late.
        at_risk: items whose media ID ends, and could not be renewed.
        media_at_risk: the first of those, by the end of their IDs.
    """

    campaign_id: str
    channel: str
    channels: tuple[str, ...] | None = None
    version: Count
    send_at: AwareDatetime
    total: Count
    ready: Count
    rejected: Count
    failed: Count
    unsendable: tuple[RejectedItem, ...] = ()
    reasons: tuple[RiskReason, ...] | None = None
    estimate: Estimate | None = None
    at_risk: Count | None = None
    media_at_risk: tuple[MediaAtRisk, ...] | None = None


class CallbackPayload(TaskAnswer):
    """One call-back.

    Attributes:
        id: the same each time that it is delivered, and no other's; also the task's, and the header
            ``webhook-id``.
        type: what happened.
        timestamp: when.
        data: how the campaign was then.
    """

    id: str
    type: CallbackEvent
    timestamp: AwareDatetime
    data: CallbackData
