"""Compare: what a manifest would change of a campaign, before it is handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from celery import shared_task

from greenroom.answers import PartTaken
from greenroom.manifest import parse_items
from greenroom.task_names import TaskName
from models.campaign import get_campaign
from models.submissions import compare_items
from tasks.runtime.checked_task import CheckedTask
from tasks.runtime.context import Context, current_context


def compare(context: Context, campaign_id: str, items: Sequence[Mapping[str, Any]]) -> PartTaken:
    """How many of these items the campaign does not have, has with another file, and has as they are.

    Args:
        context: the world.
        campaign_id: which.
        items: (a part of) a manifest, as of :func:`tasks.prepare.prepare`.

    Raises:
        UnknownName: there is no such campaign.
        ManifestError: something of an item is missing or wrong.
        TransientError: the database is away.
    """
    given = parse_items(items)
    with context.database.read() as connection:
        found = compare_items(connection, get_campaign(connection, campaign_id), given)
    return PartTaken(added=found.added, changed=found.changed, unchanged=found.unchanged)


@shared_task(base=CheckedTask, name=TaskName.COMPARE, ignore_result=False)
def compare_task(campaign_id: str, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a manifest would change."""
    return compare(current_context(), campaign_id, items).model_dump(mode="json")
