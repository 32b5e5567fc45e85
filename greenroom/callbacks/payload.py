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


class CallbackEvent(StrEnum):
    """What happened to a campaign."""

    READY = "campaign.ready"
    REJECTED = "campaign.rejected"
    AT_RISK = "campaign.at_risk"


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
        estimate: when it will be ready; of ``campaign.at_risk`` alone.
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
    estimate: Estimate | None = None


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
