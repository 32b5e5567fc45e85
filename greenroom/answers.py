"""What the public tasks return: workers make their answers of these models, and the client reads by them.

A newer worker may say more than a client knows; what is not known is passed over. Nothing is taken away
without a new version of the contract (:mod:`greenroom.contract`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, computed_field
from pydantic.types import AwareDatetime

from greenroom.task_names import TaskName

#: How many items.
Count = Annotated[int, Field(ge=0)]


def is_nothing(value: object) -> bool:
    """Whether a field says nothing that its absence does not: what is of several channels, on one."""
    return value is None or value == []


class TaskAnswer(BaseModel):
    """An answer's fields, by their names in JSON."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CampaignState(StrEnum):
    """Whether work is done for a campaign."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    OVER = "over"


class ChannelProgress(TaskAnswer):
    """How far a campaign is on one of several channels.

    Attributes:
        channel: which.
        state: ``paused`` until an operator acts; else that of the campaign.
        paused_reason: why it is paused; empty where it is not.
        hindrance: why some item has to wait there, in the words of its last failure; empty where none has to.
        checking: items that have not been judged yet; they are the same on all channels, as `rejected` ones.
        scheduled: items that were judged, and whose uploads begin later.
        waiting: items in the backlog of this channel.
        uploading: items with a worker that uploads them there.
        ready: items with a media ID of this channel that can be sent.
        rejected: items that inspection did not take.
        failed: items whose upload there was given up.
    """

    channel: str
    state: CampaignState
    paused_reason: str = ""
    hindrance: str = ""
    checking: Count = 0
    scheduled: Count = 0
    waiting: Count = 0
    uploading: Count = 0
    ready: Count = 0
    rejected: Count = 0
    failed: Count = 0


class CampaignStatus(TaskAnswer):
    """How far a campaign is at this moment.

    Each item counts once. On several channels it counts where it is furthest behind: so it is ready when it
    is ready on all of them.

    Attributes:
        campaign_id: which.
        channel: on which channel; the first, where it is on several.
        send_at: when it is sent.
        keep_until: until when its media are kept alive.
        upload_from: when its uploads begin; None where they have begun.
        at_risk_since: since when its uploads are known to come too late for `send_at`; None if they do not.
        state: ``running``; ``paused``, with one of its channels, until an operator acts; ``cancelled``; or
            ``over``, after `keep_until`.
        paused_reason: why its channel is paused; empty where it is not.
        hindrance: why some item has to wait, in the words of its last failure; empty where none has to.
        checking: items that have not been judged yet.
        scheduled: items that were judged, and whose uploads begin later.
        waiting: items in the backlog: judged, and not with a worker that uploads.
        uploading: items with a worker that uploads them.
        ready: items with a media ID that can be sent.
        rejected: items that inspection did not take.
        failed: items whose upload was given up.
        at_risk: of those that are ready, how many have an ID that ends soon and could not be renewed.
        channels: how far it is on each channel, where they are several; else nothing.
    """

    campaign_id: str
    channel: str
    send_at: AwareDatetime
    keep_until: AwareDatetime
    upload_from: AwareDatetime | None = None
    at_risk_since: AwareDatetime | None = None
    state: CampaignState
    paused_reason: str = ""
    hindrance: str = ""
    checking: Count = 0
    scheduled: Count = 0
    waiting: Count = 0
    uploading: Count = 0
    ready: Count = 0
    rejected: Count = 0
    failed: Count = 0
    at_risk: Count = 0
    channels: list[ChannelProgress] = Field(default=[], exclude_if=is_nothing)

    @computed_field  # type: ignore[prop-decorator] # mypy knows no other decorator around property
    @property
    def total(self) -> int:
        """All items."""
        return self._on_their_way + self.ready + self.rejected + self.failed

    @property
    def _on_their_way(self) -> int:
        return self.checking + self.scheduled + self.waiting + self.uploading

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def is_settled(self) -> bool:
        """Whether waiting changes nothing: no item is on its way, or the campaign is cancelled or over."""
        ended = self.state in (CampaignState.CANCELLED, CampaignState.OVER)
        return ended or not self._on_their_way

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def is_ready(self) -> bool:
        """Whether it has items, and each of them can be sent."""
        return 0 < self.total == self.ready


class ChannelEstimate(TaskAnswer):
    """When a campaign will be ready on one of several channels; fields as of :class:`Estimate`."""

    channel: str
    left: Count
    uploads_per_second: float
    observed: bool
    ready_at: AwareDatetime | None = None
    at_risk: bool


class Estimate(TaskAnswer):
    """When a campaign will be ready, as far as arithmetic can say (:mod:`greenroom.readiness`).

    On several channels it is ready when the last of them is: what is said of a channel is said of that one.

    Attributes:
        left: uploads that it waits for, at most: files that are equal, or are rejected, need none.
        uploads_per_second: how fast its channel uploads.
        observed: whether that was seen in the last minute; else it is what the provider allows.
        start: when its uploads begin, or have begun at the latest.
        send_at: when it is sent.
        ready_at: when the last of its files is uploaded; None while its channel is paused.
        at_risk: whether some file will not be ready when it is sent.
        what_helps: what can be done about that, a sentence each.
        channels: the same of each channel, where they are several; else nothing.
    """

    left: Count
    uploads_per_second: float
    observed: bool
    start: AwareDatetime
    send_at: AwareDatetime
    ready_at: AwareDatetime | None = None
    at_risk: bool
    what_helps: list[str] = []
    channels: list[ChannelEstimate] = Field(default=[], exclude_if=is_nothing)


class RejectedItem(TaskAnswer):
    """An item that cannot be sent as it is.

    Attributes:
        ref: the scheduler's own reference.
        status: ``rejected`` by inspection, or ``failed``: its upload was given up.
        reason: the stable code; one that is not of `greenroom.reasons.Reason` is a newer version's.
        detail: a sentence with what was found and what is allowed.
        advice: what to do about it; empty for a reason that has none.
        channel: where its upload was given up, of a campaign on several channels, for each of which there is
            one of these; None where it is the same on all.
    """

    ref: str
    status: str
    reason: str
    detail: str
    advice: str
    channel: str | None = Field(default=None, exclude_if=is_nothing)


class RejectedPage(TaskAnswer):
    """Some of the items that cannot be sent; none does not mean that there are no more.

    Attributes:
        items: in the order of their refs, those of one channel after those of another.
        after: what to ask with for the next ones; None where there are no more.
    """

    items: list[RejectedItem]
    after: str | None


class MediaIdsPage(TaskAnswer):
    """Some of a campaign's live media IDs; none does not mean that there are no more.

    Attributes:
        media_ids: by ref.
        after: what to ask with for the next ones; None where there are no more.
    """

    media_ids: dict[str, str]
    after: str | None


class PartTaken(TaskAnswer):
    """What a part of a submission did, or would do.

    Attributes:
        added: items that the campaign did not have.
        changed: items that have another source, kind or wish to be fixed now; they are inspected anew.
        unchanged: items that stay; those of them that were rejected or given up are looked at once more.
    """

    added: Count
    changed: Count
    unchanged: Count


class RemovedPage(TaskAnswer):
    """What the end of a submission removed.

    Attributes:
        removed: items that did not stand in it.
        after: what to ask with to remove the next ones; None where there are no more.
    """

    removed: Count
    after: str | None


class RetriedPage(TaskAnswer):
    """What is tried again.

    Attributes:
        inspected: items that were rejected, and are inspected anew.
        uploaded: items whose upload was given up, and that are in the backlog again.
        after: what to ask with for the next ones; None where there are no more.
    """

    inspected: Count
    uploaded: Count
    after: str | None


class RetriedItems(TaskAnswer):
    """What is tried again of a campaign, in items; see :class:`RetriedPage`."""

    inspected: Count = 0
    uploaded: Count = 0


class SubmissionChanges(TaskAnswer):
    """What a whole submission did, or would do, in items; see :class:`PartTaken` and :class:`RemovedPage`."""

    added: Count = 0
    changed: Count = 0
    unchanged: Count = 0
    removed: Count = 0


class TaskFailure(TaskAnswer):
    """What a task failed with, as Celery writes it.

    Attributes:
        exc_type: the error's name.
        exc_message: what it was made with: its sentence.
        exc_module: where it is defined.
    """

    exc_type: str
    exc_message: list[Any]
    exc_module: str


class ResultRecord(TaskAnswer):
    """What lies under ``celery-task-meta-`` and a task's ID, as JSON, from its beginning on for an hour.

    Attributes:
        task_id: whose.
        status: ``SUCCESS`` and ``FAILURE`` are the end; ``RETRY`` is on the way.
        result: the task's answer after ``SUCCESS``; a failure after ``FAILURE`` and ``RETRY``.
        traceback: of a failure, for whoever looks after the workers.
    """

    task_id: str
    status: Literal["RETRY", "SUCCESS", "FAILURE", "REVOKED"]
    result: TaskFailure | Any
    traceback: str | None = None


#: By task, what a caller is told. Reports of use and of death are not answered.
ANSWERS: dict[TaskName, TypeAdapter[Any]] = {
    TaskName.PREPARE: TypeAdapter(Count),
    TaskName.BEGIN_SUBMISSION: TypeAdapter(Count),
    TaskName.SUBMIT: TypeAdapter(PartTaken),
    TaskName.END_SUBMISSION: TypeAdapter(RemovedPage),
    TaskName.RESOLVE: TypeAdapter(dict[str, str]),
    TaskName.STATUS: TypeAdapter(CampaignStatus),
    TaskName.ESTIMATE: TypeAdapter(Estimate),
    TaskName.REJECTED: TypeAdapter(RejectedPage),
    TaskName.MEDIA_IDS: TypeAdapter(MediaIdsPage),
    TaskName.COMPARE: TypeAdapter(PartTaken),
    TaskName.RETRY: TypeAdapter(RetriedPage),
    TaskName.MOVE: TypeAdapter(None),
    TaskName.CANCEL: TypeAdapter(None),
}
