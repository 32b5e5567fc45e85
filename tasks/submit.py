"""Submit: take over a whole manifest, in parts, in place of what the campaign had before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from celery import Task, shared_task
from sqlalchemy import Connection

from greenroom.answers import PartTaken, RemovedPage
from greenroom.chunks import chunks
from greenroom.manifest import parse_plan
from greenroom.task_names import TaskName
from models.callback import save_callback
from models.campaign import get_campaign, hold_campaign
from models.moving import save_and_move
from models.submissions import close_submission, next_submission, others_of, remove_others, require_submission
from tasks.prepare import look_up, require_allowed_callback, take_over
from tasks.runtime.checked_task import CheckedTask, until_done
from tasks.runtime.context import Context, current_context

#: Items that one transaction removes, and all of one message's.
REMOVED_AT_ONCE = 1_000
REMOVED_A_MESSAGE = 20_000


def begin_submission(context: Context, campaign: Mapping[str, Any], key: str) -> int:
    """Write the campaign, or move it, and begin a submission; returns its number, the same for the same key.

    Args:
        context: the world.
        campaign: the fields of :class:`greenroom.manifest.CampaignPlan`, as JSON values.
        key: anything that no other submission of the campaign has.

    Raises:
        ManifestError: something of it is missing or wrong.
        Misuse: the channel is not known, the campaign is another channel's, cancelled or over, or its
            call-backs are not allowed.
        TransientError: the database is away; nothing was written.
    """
    plan = parse_plan(campaign)
    require_allowed_callback(context, plan)
    with context.database.write() as connection:
        upload_from, *_ = look_up(context, connection, plan)
        save_and_move(connection, plan, upload_from=upload_from, now=context.clock.now(), complete=True)
        save_callback(connection, plan.id, plan.callback)
        return next_submission(connection, plan.id, key=key)


def submit(
    context: Context, campaign: Mapping[str, Any], items: Sequence[Mapping[str, Any]], submission: int
) -> PartTaken:
    """Take over a part of a submission; once more is fine.

    Args:
        context: the world.
        campaign: as it was begun with.
        items: as of :func:`tasks.prepare.prepare`.
        submission: its number.

    Raises:
        ManifestError: as of `prepare`; or a ref stood in the submission before, with another file.
        SubmissionSuperseded: another submission began since.
        Misuse: as of `prepare`.
        TransientError: the database is away; nothing was written.
    """
    found = take_over(context, campaign, items, submission=submission)
    return PartTaken(
        added=sum(one.added for one in found),
        changed=sum(one.changed for one in found),
        unchanged=sum(one.unchanged for one in found),
    )


def end_submission(context: Context, campaign_id: str, submission: int, after: str = "") -> RemovedPage:
    """Remove items that did not come with the submission: a bounded number, and where the next begin.

    Args:
        context: the world.
        campaign_id: whose.
        submission: its number; all of its parts have come in.
        after: what the last page ended with.

    Raises:
        UnknownName: there is no such campaign.
        SubmissionSuperseded: another submission began since.
        TransientError: the database is away; some may be removed.
    """
    with context.database.read() as connection:
        require_submission(get_campaign(connection, campaign_id), submission)
        others = others_of(connection, campaign_id, number=submission, after=after, limit=REMOVED_A_MESSAGE)
    removed, refs = 0, others.refs
    is_last = len(refs) < REMOVED_A_MESSAGE
    for some in chunks(refs, REMOVED_AT_ONCE):
        with _of_submission(context, campaign_id, submission) as connection:
            removed += remove_others(
                connection,
                campaign_id,
                number=submission,
                refs=some,
                parts=others.parts,
                now=context.clock.now(),
            )
    if is_last:
        with _of_submission(context, campaign_id, submission) as connection:
            close_submission(connection, campaign_id, number=submission)
    return RemovedPage(removed=removed, after=None if is_last else refs[-1])


@contextmanager
def _of_submission(context: Context, campaign_id: str, submission: int) -> Iterator[Connection]:
    """A transaction that holds the campaign, whose latest submission it is."""
    with context.database.write() as connection:
        hold_campaign(connection, campaign_id, shared=False)
        require_submission(get_campaign(connection, campaign_id), submission)
        yield connection


#: What these three have in common.
_UNTIL_DONE: Any = {"base": CheckedTask, "bind": True, "max_retries": None, "ignore_result": False}


@shared_task(name=TaskName.BEGIN_SUBMISSION, **_UNTIL_DONE)
def begin_submission_task(self: Task[Any, Any], campaign: Mapping[str, Any], key: str) -> int:
    """Begin a submission."""
    return until_done(self, lambda: begin_submission(current_context(), campaign, key))


@shared_task(name=TaskName.SUBMIT, **_UNTIL_DONE)
def submit_task(
    self: Task[Any, Any], campaign: Mapping[str, Any], items: Sequence[Mapping[str, Any]], submission: int
) -> dict[str, Any]:
    """Take over a part of a submission."""
    taken = until_done(self, lambda: submit(current_context(), campaign, items, submission))
    return taken.model_dump(mode="json")


@shared_task(name=TaskName.END_SUBMISSION, **_UNTIL_DONE)
def end_submission_task(
    self: Task[Any, Any], campaign_id: str, submission: int, after: str = ""
) -> dict[str, Any]:
    """Remove what did not come with a submission."""
    page = until_done(self, lambda: end_submission(current_context(), campaign_id, submission, after))
    return page.model_dump(mode="json")
