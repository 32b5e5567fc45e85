"""Retry: what was rejected is inspected once more, and what was given up is uploaded again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Task, shared_task
from sqlalchemy import Connection

from greenroom.answers import RetriedPage
from greenroom.errors import UnknownName
from greenroom.reasons import may_have_passed
from greenroom.task_names import TaskName
from models.callback import note_change
from models.item_pages import UnsendableItem, unsendable_among, unsendable_items
from models.manifest_items import known_refs
from models.progress import ItemStatus
from models.retrying import hold_open_campaign, inspect_rejected_again, upload_again
from tasks.runtime.announcements import announce_dispatch, announce_inspection
from tasks.runtime.checked_task import CheckedTask, until_done
from tasks.runtime.context import Context, current_context


def retry(
    context: Context,
    campaign_id: str,
    refs: Sequence[str] | None = None,
    every_reason: bool = False,  # noqa: FBT001, FBT002 - as the message has it
    after: str = "",
) -> RetriedPage:
    """Try some items of a campaign again, and say where the next begin. Others stay as they are.

    Args:
        context: the world.
        campaign_id: whose.
        refs: these, whatever the reason; None for all that may be taken now.
        every_reason: of all, those too whose file would have to be another one.
        after: what the last page ended with.

    Raises:
        UnknownName: there is no such campaign, or no item of such a ref.
        Misuse: the campaign was cancelled, or is over.
        TransientError: the database is away; nothing was written.
    """
    now = context.clock.now()
    with context.database.write() as connection:
        campaign = hold_open_campaign(connection, campaign_id, now=now)
        last = None
        if refs is None:
            found, last = unsendable_items(connection, campaign_id, campaign.channels, after=after, now=now)
            found = [one for one in found if every_reason or may_have_passed(one.reason)]
        else:
            _require_known(connection, campaign_id, refs)
            found = unsendable_among(connection, campaign_id, campaign.channels, refs, now=now)
        # What is given up before its campaign begins uploads is put back when it begins.
        failed = [] if campaign.upload_from else _of(found, ItemStatus.FAILED)
        upload_again(connection, campaign, refs=failed, now=now)
        inspected = inspect_rejected_again(connection, campaign_id, refs=_of(found, ItemStatus.REJECTED))
        if failed or inspected:
            note_change(connection, campaign_id)
    if inspected:
        announce_inspection(context, why=f"campaign {campaign_id} is tried again")
    if failed:
        announce_dispatch(context, why=f"campaign {campaign_id} is tried again")
    return RetriedPage(inspected=inspected, uploaded=len(failed), after=last)


def _of(items: Sequence[UnsendableItem], status: ItemStatus) -> list[str]:
    # Each once, though it may have been given up on several channels.
    return list(dict.fromkeys(item.ref for item in items if item.status is status))


def _require_known(connection: Connection, campaign_id: str, refs: Sequence[str]) -> None:
    known = set(known_refs(connection, campaign_id=campaign_id, refs=refs))
    if missing := next((ref for ref in refs if ref not in known), None):
        raise UnknownName(
            f"Campaign {campaign_id} has no item {missing!r}; nothing of these was tried again."
        )


@shared_task(base=CheckedTask, name=TaskName.RETRY, bind=True, max_retries=None, ignore_result=False)
def retry_task(
    self: Task[Any, Any],
    campaign_id: str,
    refs: Sequence[str] | None = None,
    every_reason: bool = False,  # noqa: FBT001, FBT002 - as above
    after: str = "",
) -> dict[str, Any]:
    """Try items of a campaign again."""
    page = until_done(self, lambda: retry(current_context(), campaign_id, refs, every_reason, after))
    return page.model_dump(mode="json")
