"""The schedulers' client: hands manifests over, looks how far they are, reads media IDs, reports use.

It needs the broker alone: no database, no API key. Example::

    greenroom = Greenroom("redis://localhost:6379/0")
    greenroom.submit(plan, items)
    status = greenroom.wait_until_ready("spring-sale", timeout=3600)
    media_ids = greenroom.resolve("spring-sale", ["hero.jpg"])
    greenroom.mark_used([("4915112345678", media_ids["hero.jpg"], datetime.now(UTC))])

Each method raises, beside what it names, `BrokerUnavailable` where no worker answered in time, and
`greenroom.errors.WorkerFailed` where one failed in a way that has no type; all are `GreenroomError`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from greenroom.answers import (
    CampaignState,
    CampaignStatus,
    Estimate,
    MediaIdsPage,
    PartTaken,
    RejectedItem,
    RejectedPage,
    RemovedPage,
    RetriedItems,
    RetriedPage,
    SubmissionChanges,
)
from greenroom.chunks import chunks
from greenroom.clock import require_aware
from greenroom.errors import EmptyManifest
from greenroom.manifest import CampaignPlan, ManifestItem, items_as_json
from greenroom.task_calls import BrokerUnavailable, SentTask, TaskCalls
from greenroom.task_names import TaskName
from greenroom.waiting import NotSettledInTime, wait_until_settled

__all__ = [
    "BrokerUnavailable",
    "CampaignState",
    "CampaignStatus",
    "Estimate",
    "Greenroom",
    "NotSettledInTime",
    "RejectedItem",
    "RetriedItems",
    "SubmissionChanges",
]

#: Items in one message: small enough for any broker (most often some 200 KB, 9 MB at the very most), large
#: enough that a message's own cost, its commit above all, is shared by many.
ITEMS_A_MESSAGE = 2_000
#: Messages of one hand-over that are with the broker at a time: enough for all workers, and a manifest of
#: millions of lines never fills its memory.
MESSAGES_AHEAD = 32
#: Refs in one `resolve`, whose answer goes through the result backend.
REFS_A_MESSAGE = 1_000
REPORTS_A_MESSAGE = 1_000


class Greenroom:
    """What a campaign scheduler talks to; also a context manager, which closes it.

    Args:
        broker_url: the broker of the workers.
        result_url: where answers come back, if not by the broker: a Redis.
        sentinel_master: the name of Redis's master, where one of the two is the addresses of sentinels.
        timeout: seconds to wait for an answer. A broker that refuses connections is tried as long, but for
            20 seconds at most.

    Raises:
        Misuse: the broker needs one of the next two besides.
    """

    def __init__(
        self,
        broker_url: str,
        *,
        result_url: str | None = None,
        sentinel_master: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        self._calls = TaskCalls(
            broker_url, result_url=result_url, sentinel_master=sentinel_master, timeout=timeout
        )

    def add_items(self, plan: CampaignPlan, items: Iterable[ManifestItem]) -> int:
        """Hand items over, and wait until each of them is in the database; returns how many.

        The campaign is made where there is none, and moved where it has other dates or channels. Items of
        other refs stay as they are. The same again changes nothing. Items are taken as they are needed: an
        iterator over millions of them is fine.

        Raises:
            EmptyManifest: there are none; nothing was done.
            ManifestError: an item is wrong, or the database refused it; the text says which.
            UnknownName: there is no such channel.
            Misuse: the campaign is on other channels alone, was cancelled, is over, or ends before it is
                sent.
            BrokerUnavailable: not all of it was acknowledged; hand it over again.
        """
        handed_over = 0
        for taken in self._hand_over(TaskName.PREPARE, plan, _some(items, plan.id)):
            handed_over += taken
        return handed_over

    def submit(
        self, plan: CampaignPlan, items: Iterable[ManifestItem], *, allow_empty: bool = False
    ) -> SubmissionChanges:
        """Hand a whole manifest over, in place of what the campaign had before; returns what that changed.

        Items of new refs are added, those with another file are inspected anew, and those that are not in it
        any more are removed; what only they needed is deleted at the provider. The same again changes
        nothing. Items are taken as they are needed: an iterator over millions of them is fine. Nothing is
        removed before all of them are in the database. Where a worker died in the middle, items that it had
        added or removed may be counted as unchanged, or not at all.

        On a channel that it did not have before, what was accepted is uploaded without another inspection;
        what only it needed on one that it has no more is deleted there.

        Args:
            plan: the campaign; one that is known is moved to these dates and channels.
            items: all of them.
            allow_empty: whether to remove all there are is meant, where there are none.

        Raises:
            EmptyManifest: there are none; nothing was done.
            ManifestError: an item is wrong, stands twice, or the database refused it; nothing was removed.
            SubmissionSuperseded: another submission of the campaign began meanwhile.
            UnknownName: there is no such channel.
            Misuse: the campaign is on other channels alone, was cancelled, is over, or ends before it is
                sent.
            BrokerUnavailable: not all of it was acknowledged; submit it again.
        """
        given = iter(items) if allow_empty else _some(items, plan.id)
        summary = f"campaign {plan.id} on {plan.channel}"
        begun = [plan.as_message(), str(uuid4())]
        number: int = self._calls.ask(TaskName.BEGIN_SUBMISSION, begun, summary)
        added = changed = unchanged = removed = 0
        for taken in self._hand_over(TaskName.SUBMIT, plan, given, number):
            added, changed = added + taken.added, changed + taken.changed
            unchanged += taken.unchanged
        page: RemovedPage
        for page in self._pages(TaskName.END_SUBMISSION, [plan.id, number], summary):
            removed += page.removed
        return SubmissionChanges(added=added, changed=changed, unchanged=unchanged, removed=removed)

    def compare(self, campaign_id: str, items: Iterable[ManifestItem]) -> SubmissionChanges:
        """What :meth:`submit` of a whole manifest would change at this moment; nothing is written.

        Args:
            campaign_id: whose manifest it would be.
            items: all of them, each ref once.

        Raises:
            UnknownName: there is no such campaign.
            ManifestError: an item is wrong.
            DatabaseUnavailable: ask again later.
        """
        had = self.status(campaign_id).total
        added = changed = unchanged = 0
        found: PartTaken
        for found in self._by_parts(TaskName.COMPARE, campaign_id, items, where=f"campaign {campaign_id}"):
            added, changed = added + found.added, changed + found.changed
            unchanged += found.unchanged
        removed = max(had - changed - unchanged, 0)
        return SubmissionChanges(added=added, changed=changed, unchanged=unchanged, removed=removed)

    def _hand_over(
        self, name: TaskName, plan: CampaignPlan, items: Iterable[ManifestItem], *more: object
    ) -> Iterator[Any]:
        where = f"campaign {plan.id} on {plan.channel}"
        return self._by_parts(name, plan.as_message(), items, *more, where=where)

    def _by_parts(
        self, name: TaskName, whose: object, items: Iterable[ManifestItem], *more: object, where: str
    ) -> Iterator[Any]:
        """Send items in parts, some of them at a time; yields what was answered to each."""
        in_flight: deque[SentTask] = deque()
        for part in chunks(items, ITEMS_A_MESSAGE):
            if len(in_flight) == MESSAGES_AHEAD:
                yield self._calls.answer(in_flight.popleft())
            summary = f"{where}: {len(part)} items"
            in_flight.append(self._calls.send(name, [whose, items_as_json(part), *more], summary))
        for sent in in_flight:
            yield self._calls.answer(sent)

    def _pages(self, name: TaskName, args: Sequence[object], summary: str) -> Iterator[Any]:
        """All that a task answers by pages, each asked for when it is needed."""
        after: str | None = ""
        while after is not None:
            page = self._page(name, args, summary, after)
            yield page
            after = page.after

    def _page(self, name: TaskName, args: Sequence[object], summary: str, after: str) -> Any:
        return self._calls.ask(name, [*args, after], summary)

    def status(self, campaign_id: str) -> CampaignStatus:
        """How far a campaign is at this moment.

        Raises:
            UnknownName: there is no such campaign.
            DatabaseUnavailable: ask again later.
        """
        return self._status(campaign_id, timeout=None)

    def _status(self, campaign_id: str, *, timeout: float | None) -> CampaignStatus:
        summary = f"campaign {campaign_id}"
        found: CampaignStatus = self._calls.ask(TaskName.STATUS, [campaign_id], summary, timeout=timeout)
        return found

    def estimate(self, plan: CampaignPlan, files: int = 0) -> Estimate:
        """When a campaign will be ready, or would be with so many files more; nothing is handed over.

        Each file counts as an upload: of files that are equal, or are rejected, it takes less time.

        Args:
            plan: the campaign, which need not be known.
            files: how many more than it has.

        Raises:
            UnknownName: there is no such channel.
            Misuse: the operator does not allow its call-backs.
            DatabaseUnavailable: ask again later.
        """
        summary = f"campaign {plan.id} with {files:,} files more"
        found: Estimate = self._calls.ask(TaskName.ESTIMATE, [plan.as_message(), files], summary)
        return found

    def wait_until_ready(
        self,
        campaign_id: str,
        *,
        timeout: float,
        on_progress: Callable[[CampaignStatus], object] | None = None,
    ) -> CampaignStatus:
        """Wait until all of a campaign is ready, or what is not is settled; returns how far it is then.

        `is_ready` of it says whether all can be sent; `rejected` and `failed` count what cannot, and
        :meth:`rejected` says why. It also ends with a campaign that is cancelled or over. A channel that is
        paused, and failures of the moment, are waited for.

        Args:
            campaign_id: which.
            timeout: seconds.
            on_progress: is called with each status on the way, once in half a second to half a minute.

        Raises:
            UnknownName: there is no such campaign.
            NotSettledInTime: items are still on their way; the text says what they wait for, and its
                `status` how far it is.
            TransientError: the broker or the database was away at the end of the time.
        """
        return wait_until_settled(
            lambda seconds: self._status(campaign_id, timeout=seconds),
            timeout=timeout,
            on_progress=on_progress,
        )

    def rejected(self, campaign_id: str) -> Iterator[RejectedItem]:
        """Items that cannot be sent: what inspection rejected, and uploads that were given up.

        They come by pages, in the order of their refs, as they are needed.

        Raises:
            UnknownName: there is no such campaign.
            DatabaseUnavailable: ask again later.
        """
        page: RejectedPage
        for page in self._pages(TaskName.REJECTED, [campaign_id], f"campaign {campaign_id}"):
            yield from page.items

    def rejected_page(self, campaign_id: str, after: str = "") -> RejectedPage:
        """Some of the items that :meth:`rejected` yields, for who hands them on by pages.

        Args:
            campaign_id: which.
            after: what the page before has as `after`; nothing for the first.

        Raises:
            UnknownName: there is no such campaign.
            DatabaseUnavailable: ask again later.
        """
        page: RejectedPage = self._page(TaskName.REJECTED, [campaign_id], f"campaign {campaign_id}", after)
        return page

    def media_ids_page(
        self, campaign_id: str, after: str = "", *, channel: str | None = None
    ) -> MediaIdsPage:
        """Some of the media IDs that :meth:`media_ids` yields; as :meth:`rejected_page`."""
        asked, summary = [campaign_id, after, *_named(channel)], f"campaign {campaign_id}"
        page: MediaIdsPage = self._calls.ask(TaskName.MEDIA_IDS, asked, summary)
        return page

    def resolve(self, campaign_id: str, refs: Iterable[str], *, channel: str | None = None) -> dict[str, str]:
        """The live media ID of each ref; a ref without one is left out.

        Args:
            campaign_id: which.
            refs: the scheduler's own references.
            channel: on which channel the messages are sent, for an ID is good on one alone; None for a
                campaign that has one.

        Raises:
            UnknownName: there is no such campaign, or it is not on that channel.
            Misuse: it is on several channels, which the text names, and none was given.
            DatabaseUnavailable: ask again later.
        """
        return dict(self.media_ids(campaign_id, refs, channel=channel))

    def media_ids(
        self, campaign_id: str, refs: Iterable[str] | None = None, *, channel: str | None = None
    ) -> Iterator[tuple[str, str]]:
        """Refs of a campaign and the live media ID of each; those without one are left out.

        They come by pages, as they are needed.

        Args:
            campaign_id: which.
            refs: of these, an iterator over millions of them is fine; None for all that there are, in the
                order of the refs.
            channel: as for :meth:`resolve`.

        Raises:
            UnknownName: there is no such campaign, or it is not on that channel.
            Misuse: it is on several channels, which the text names, and none was given.
            DatabaseUnavailable: ask again later.
        """
        if refs is not None:
            for part in chunks(refs, REFS_A_MESSAGE):
                summary = f"campaign {campaign_id}: {len(part)} refs"
                asked = [campaign_id, part, *_named(channel)]
                found: dict[str, str] = self._calls.ask(TaskName.RESOLVE, asked, summary)
                yield from found.items()
            return
        after: str | None = ""
        while after is not None:
            page = self.media_ids_page(campaign_id, after, channel=channel)
            yield from page.media_ids.items()
            after = page.after

    def retry(
        self, campaign_id: str, refs: Iterable[str] | None = None, *, every_reason: bool = False
    ) -> RetriedItems:
        """Try again what was rejected or given up; returns how many items, and how.

        What was rejected is inspected anew, what was given up is uploaded from where it was. Items that are
        ready or on their way stay as they are: nothing is uploaded twice.

        Args:
            campaign_id: which.
            refs: these items, whatever the reason; None for all that may be taken now though nobody has
                changed the file: it was missing, unreadable or not allowed, or its upload was given up.
            every_reason: of all items, those too whose file would have to be another one, or was refused by
                the provider.

        Raises:
            UnknownName: there is no such campaign, or no such item.
            Misuse: it was cancelled, or is over.
            BrokerUnavailable: not all of it was acknowledged; retry once more.
        """
        summary = f"campaign {campaign_id}"
        pages: Iterable[RetriedPage]
        if refs is None:
            pages = self._pages(TaskName.RETRY, [campaign_id, None, every_reason], summary)
        else:
            pages = (
                self._calls.ask(TaskName.RETRY, [campaign_id, part], f"{summary}: {len(part)} refs")
                for part in chunks(refs, REFS_A_MESSAGE)
            )
        inspected = uploaded = 0
        for page in pages:
            inspected, uploaded = inspected + page.inspected, uploaded + page.uploaded
        return RetriedItems(inspected=inspected, uploaded=uploaded)

    def move(
        self,
        campaign_id: str,
        *,
        send_at: datetime,
        keep_until: datetime,
        upload_from: datetime | None = None,
    ) -> None:
        """Give a campaign other dates; what it needs is uploaded, and kept alive, by those from now on.

        Args:
            campaign_id: which.
            send_at: when it is sent.
            keep_until: until when its media are kept alive.
            upload_from: from when its media are uploaded; None for the operator's setting.

        Raises:
            ValueError: a moment is naive.
            UnknownName: there is no such campaign.
            Misuse: it was cancelled, or would be over already, or would end before it is sent.
        """
        moments = (send_at, keep_until, *([] if upload_from is None else [upload_from]))
        dates = [require_aware(moment).isoformat() for moment in moments]
        self._calls.ask(TaskName.MOVE, [campaign_id, *dates], f"campaign {campaign_id}")

    def cancel(self, campaign_id: str) -> None:
        """Say that a campaign needs nothing any more; it does not come back to life. Once more is fine.

        What only it needed is not uploaded, and deleted at the provider.

        Raises:
            UnknownName: there is no such campaign.
        """
        self._calls.ask(TaskName.CANCEL, [campaign_id], f"campaign {campaign_id}")

    def mark_used(self, uses: Iterable[tuple[str, str, datetime]]) -> None:
        """Report uses: channel, media ID, and when the message was sent (aware). It does not wait.

        Raises:
            ValueError: a moment is naive.
            BrokerUnavailable: the broker is away; some reports may be enqueued. Report again.
        """
        self._report(TaskName.MARK_USED, uses, "uses")

    def mark_dead(self, reports: Iterable[tuple[str, str, datetime]]) -> None:
        """Report media IDs that the provider did not know: channel, media ID, and when (aware).

        They are answered no more, and what a campaign still needs is uploaded anew at once. It does not wait.

        Raises:
            ValueError: a moment is naive.
            BrokerUnavailable: the broker is away; some reports may be enqueued. Report again.
        """
        self._report(TaskName.MARK_DEAD, reports, "dead media IDs")

    def report_error(
        self, failed: Iterable[tuple[str, str | None, datetime, Sequence[Mapping[str, Any]]]]
    ) -> None:
        """Report messages that the provider took and then did not deliver, as its webhooks tell.

        A dead media ID is replaced as by :meth:`mark_dead`; a file that cannot be sent is given up, and
        shown so to its campaigns; what is not about media is ignored.

        Args:
            failed: channel, media ID of the message (None where it is not known), when (aware), and the
                errors as they are in ``statuses[].errors`` of the webhook.
        """
        for part in chunks(failed, REPORTS_A_MESSAGE):
            rows = [
                [channel, media_id, require_aware(at).isoformat(), list(errors)]
                for channel, media_id, at, errors in part
            ]
            self._calls.send(TaskName.REPORT_ERROR, [rows], f"{len(rows)} failed messages")

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _report(self, name: TaskName, reports: Iterable[tuple[str, str, datetime]], what: str) -> None:
        for part in chunks(reports, REPORTS_A_MESSAGE):
            rows = [[channel, media_id, require_aware(at).isoformat()] for channel, media_id, at in part]
            self._calls.send(name, [rows], f"{len(rows)} {what}")


def _named(channel: str | None) -> list[str]:
    """An argument that workers of before do not know, where it is given."""
    return [] if channel is None else [channel]


def _some(items: Iterable[ManifestItem], campaign_id: str) -> Iterator[ManifestItem]:
    """The same items, of which there is one at least."""
    iterator = iter(items)
    for first in iterator:
        return chain([first], iterator)
    raise EmptyManifest(f"The manifest of campaign {campaign_id} has no items; nothing was handed over.")
