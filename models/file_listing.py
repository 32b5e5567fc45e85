"""The files of a campaign by pages, for people who look through them; each page is bounded."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from models.item_pages import looks
from models.item_reports import ItemReport, reports_between
from models.progress import ItemStatus

#: Files of a page.
FILES_A_PAGE: Final = 50


def files_page(
    connection: Connection,
    campaign_id: str,
    *,
    after: str,
    statuses: Collection[ItemStatus],
    now: datetime,
    channel: str | None = None,
) -> tuple[list[ItemReport], str | None]:
    """Files that stand at one of these, in the order of their refs.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        after: the ref that the page before ended with; empty for the first.
        statuses: where they stand.
        now: the present.
        channel: a further one of the campaign's; None for its first.

    Returns:
        At most :data:`FILES_A_PAGE`, and where the next page begins: None where there is none. So many items
        are looked at, and no more: then there may be a next page though this one is not full.
    """
    found: list[ItemReport] = []
    last: str | None = after
    for begin, last in looks(connection, campaign_id, after):
        left = FILES_A_PAGE + 1 - len(found)
        found += reports_between(
            connection,
            campaign_id,
            refs=(begin, last),
            channel=channel,
            statuses=statuses,
            now=now,
            limit=left,
        )
        if len(found) > FILES_A_PAGE:
            return found[:FILES_A_PAGE], found[FILES_A_PAGE - 1].ref
    return found, last
