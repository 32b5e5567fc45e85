"""Items that wait to be inspected (again), in one way, whoever puts them back.

What was found of the file goes: nobody shall read of an item that it is being checked, and that it was
rejected. Whoever has a claim on it has lost it: its token has grown.

Assets go back by :func:`models.wanted_assets.put_back`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, update

from greenroom.reasons import Reason
from models.item import Item, ItemState

#: Nobody has it, and nothing is known of its file.
_UNSEEN: dict[str, Any] = {
    "lease_until": None,
    "worker": None,
    "not_before": None,
    "asset_id": None,
    "label": "",
    "category": None,
    "mime_type": None,
    "size": None,
    "sha256": None,
    "reason": None,
    "original_sha256": None,
    "fixed": "[]",
    "notices": "[]",
}


def waiting_anew() -> dict[str, Any]:
    """The columns of an item that was handed over anew, as if nothing had been tried; for an UPDATE."""
    return _UNSEEN | {"state": ItemState.WAITING, "token": Item.token + 1, "attempts": 0, "detail": ""}


def put_items_back(
    connection: Connection,
    which: ColumnElement[bool],
    *,
    counts: bool,
    detail: str | None,
    until: datetime | None = None,
) -> None:
    """Let items wait for inspection again.

    Args:
        connection: an open transaction.
        which: a condition on items.
        counts: whether this was an attempt of the file's.
        detail: why, for whoever waits; None where nothing was tried: what was said of the last time stays.
        until: not to be handed out before this moment; None for at once.
    """
    tried = {"attempts": Item.attempts + int(counts), "detail": Item.detail if detail is None else detail}
    values = waiting_anew() | tried | {"not_before": until}
    connection.execute(update(Item).where(which).values(values))


def reject_tried(
    connection: Connection, which: ColumnElement[bool], *, max_attempts: int, reason: Reason, detail: str
) -> None:
    """Reject items for which this attempt was the last; others stay, to be put back.

    Args:
        connection: an open transaction.
        which: a condition on items, of which rejected ones are none.
        max_attempts: how often a file is tried.
        reason: of the rejection.
        detail: the same in words.
    """
    rejected = {"state": ItemState.REJECTED, "reason": reason, "detail": detail}
    values = waiting_anew() | {"attempts": Item.attempts + 1} | rejected
    connection.execute(update(Item).where(which, Item.attempts + 1 >= max_attempts).values(values))
