"""The assets that accepted contents need: made, put into the backlog again, or left alone.

Whoever sends an asset round again, for whatever reason, does so by :func:`put_back`: nothing of the attempts
before stays with it, least of all why they failed. A worker's own claim is given back in `asset_claims` and
`upload_outcomes`, and keeps what was tried.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, update

from greenroom.reasons import Reason
from models.asset import Asset, AssetState, Priority
from models.bulk import among_bound, insert_rows, update_rows
from models.states import in_state
from models.upsert import Insert

#: What nobody has tried yet is like.
_UNTRIED: dict[str, Any] = {"attempts": 0, "not_before": None, "reason": None, "detail": ""}
_NOT_QUEUED = in_state(Asset.state, AssetState.IDLE, AssetState.FAILED, AssetState.READY)
_NOT_WITH_A_WORKER = in_state(
    Asset.state, AssetState.IDLE, AssetState.FAILED, AssetState.READY, AssetState.WAITING
)
_BEFORE_REFRESHES = (
    update(Asset)
    .where(among_bound(Asset.id, "ids"), Asset.priority != Priority.CAMPAIGN)
    .values(priority=Priority.CAMPAIGN)
)


@dataclass(frozen=True, kw_only=True)
class NewAsset:
    """An accepted content, as inspection found it."""

    channel_id: str
    sha256: str
    mime_type: str
    category: str
    size: int
    file_name: str
    source: str
    due_at: datetime
    #: Whether it is uploaded for this campaign now, and not at a later date.
    begun: bool = True

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells assets apart, in the order in which they are locked."""
        return (self.channel_id, self.sha256, self.mime_type)


def want_assets(connection: Connection, new: Sequence[NewAsset]) -> dict[tuple[str, str, str], int]:
    """The IDs of the assets for these contents, made if need be, their rows locked by this transaction.

    A new one goes into the backlog, if its campaign's uploads have begun. The locks are what makes linking
    an item and retiring an unneeded asset exclude each other. They are had in the order that `models.locks`
    says.

    Returns:
        By channel, SHA-256 and MIME type.
    """
    latest: dict[tuple[str, str, str], NewAsset] = {}
    for one in new:
        known = latest.setdefault(one.key, one)
        if (not one.begun, one.due_at) < (not known.begun, known.due_at):
            latest[one.key] = one
    if not latest:
        return {}
    rows = [
        {
            "channel_id": one.channel_id,
            "sha256": one.sha256,
            "mime_type": one.mime_type,
            "category": one.category,
            "size": one.size,
            "file_name": one.file_name,
            "source": one.source,
            "due_at": one.due_at,
            "state": AssetState.WAITING if one.begun else AssetState.IDLE,
        }
        for _, one in sorted(latest.items())
    ]
    locked = insert_rows(connection, Asset, rows, more=_or_want)
    return {(row.channel_id, row.sha256, row.mime_type): row.id for row in locked}


def _or_want(statement: Insert) -> Any:
    given = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[Asset.channel_id, Asset.sha256, Asset.mime_type],
        set_={
            # The newest source is the likeliest to be there still when a refresh needs it.
            "source": given.source,
            "due_at": case(
                # Not NOT IN: its list could not be given once for many rows.
                (
                    and_(Asset.state != AssetState.WAITING, Asset.state != AssetState.CLAIMED),
                    given.due_at,
                ),
                (Asset.due_at > given.due_at, given.due_at),
                else_=Asset.due_at,
            ),
        },
    ).returning(Asset.id, Asset.channel_id, Asset.sha256, Asset.mime_type)


def put_back(
    connection: Connection,
    rows: Sequence[Mapping[str, Any]],
    *,
    only: ColumnElement[bool] = _NOT_WITH_A_WORKER,
    same: Mapping[str, Any] | None = None,
) -> int:
    """Put assets, locked by this transaction, into the backlog, as if nothing had been tried.

    Args:
        connection: an open transaction.
        rows: each with an asset's ``id``, and what each has of its own: ``due_at``, ``priority``.
        only: which states are put back, a condition of a module; never what a worker has.
        same: what is the same for all, of ``due_at`` and ``priority``. What neither says stays.

    Returns:
        How many they were.
    """
    fresh = {"state": AssetState.WAITING, **_UNTRIED, **(same or {})}
    return update_rows(connection, Asset, rows, same=fresh, only=only)


def put_aside(connection: Connection, asset_ids: Collection[int]) -> None:
    """Leave assets, locked by this transaction, alone, for nothing needs them; never what a worker has."""
    rows = [{"id": asset_id} for asset_id in asset_ids]
    aside = {"state": AssetState.IDLE, **_UNTRIED}
    update_rows(connection, Asset, rows, same=aside, only=_NOT_WITH_A_WORKER)


def give_up(connection: Connection, rows: Sequence[Mapping[str, Any]], *, reason: Reason) -> None:
    """Say of assets, locked by this transaction, that they cannot be sent; never of what a worker has.

    Args:
        connection: an open transaction.
        rows: each with an asset's ``id``, and the ``detail`` that campaigns are told.
        reason: the stable code of it.
    """
    failed = {"state": AssetState.FAILED, "attempts": 0, "not_before": None, "reason": reason}
    update_rows(connection, Asset, rows, same=failed, only=_NOT_WITH_A_WORKER)


def queue_uploads(connection: Connection, asset_ids: Collection[int]) -> None:
    """Put assets that have no media ID into the backlog, unless they are there or with a worker already.

    A refresh in progress becomes the campaign's own upload.
    """
    put_back(connection, [{"id": asset_id} for asset_id in asset_ids], only=_NOT_QUEUED)
    put_before_refreshes(connection, asset_ids)


def put_before_refreshes(connection: Connection, asset_ids: Collection[int]) -> None:
    """Have assets uploaded as a campaign's own, wherever they are on their way."""
    connection.execute(_BEFORE_REFRESHES, {"ids": list(asset_ids)})
