"""How a claim on an asset ends: uploaded, failed, or back in the backlog."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from greenroom.reasons import Reason
from models.asset import Asset, AssetState, Priority
from models.bulk import among_bound
from models.claim import Claim

#: What a claim leaves behind when it ends.
_AT_REST: dict[str, Any] = {
    "lease_until": None,
    "not_before": None,
    "attempts": 0,
    "priority": Priority.CAMPAIGN,
    "reason": None,
    "detail": "",
}
_FINISHED = update(Asset).where(among_bound(Asset.id, "ids")).values(state=AssetState.READY, **_AT_REST)


def finish_asset(
    connection: Connection,
    claim: Claim,
    *,
    state: AssetState,
    reason: Reason | None = None,
    detail: str = "",
) -> bool:
    """End a claim with its outcome; returns False where it was lost and nothing was written."""
    result = connection.execute(
        update(Asset)
        .where(Asset.id == claim.id, Asset.token == claim.token)
        .values(state=state, **_AT_REST | {"reason": reason, "detail": detail})
    )
    return result.rowcount == 1


def finish_uploads(connection: Connection, asset_ids: Collection[int]) -> None:
    """End claims, proved to be held by :func:`lock_held`, whose files were uploaded."""
    connection.execute(_FINISHED, {"ids": list(asset_ids)})


def postpone_asset(
    connection: Connection,
    claim: Claim,
    *,
    until: datetime | None,
    detail: str,
    counts: bool,
    answer_lost: bool = False,
) -> bool:
    """Give a claim back to the backlog.

    Args:
        connection: an open transaction.
        claim: what is given back.
        until: not to be handed out before this moment; None for at once.
        detail: why, for the operator.
        counts: whether this was an attempt of the file's (a throttled or paused channel is not).
        answer_lost: whether the upload may have succeeded unseen.
    """
    result = connection.execute(
        update(Asset)
        .where(Asset.id == claim.id, Asset.token == claim.token)
        .values(
            state=AssetState.WAITING,
            lease_until=None,
            not_before=until,
            attempts=Asset.attempts + int(counts),
            lost_answers=Asset.lost_answers + int(answer_lost),
            detail=detail,
        )
    )
    return result.rowcount == 1
