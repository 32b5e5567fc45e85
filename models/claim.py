"""A claim: the right to work on one row until its lease ends, proved by a fencing token."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Update, bindparam, or_, select, update

from models.bulk import among, among_bound


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row, and the token that it had when it was claimed.

    The token grows by one at each claim. Every later write says ``WHERE id = ? AND token = ?``, so that
    whoever has lost a claim, by a lapsed lease or a message delivered twice, can write nothing.
    """

    id: int
    token: int


def renew(connection: Connection, table: Any, claims: Sequence[Claim], *, until: datetime) -> list[Claim]:
    """Keep the claims of a living worker from lapsing; returns those that it has lost all the same.

    Rows that somebody has locked are left for the next time, and are no loss yet: most often it is their own
    worker that writes down what came of them, and nobody puts back what is locked.

    Args:
        connection: an open transaction.
        table: assets or items.
        claims: on its rows.
        until: when they lapse now.
    """
    seen, renewed = _renewal(table)
    tokens: dict[int, int] = dict(connection.execute(seen, {"ids": [claim.id for claim in claims]}).all())
    held = [claim.id for claim in claims if tokens.get(claim.id) == claim.token]
    connection.execute(renewed, {"ids": held, "until": until})
    return [claim for claim in claims if tokens.get(claim.id, claim.token) != claim.token]


@cache
def _renewal(table: Any) -> tuple[Select[int, int], Update]:
    mine = among_bound(table.id, "ids")
    return (
        select(table.id, table.token).where(mine).with_for_update(skip_locked=True),
        # What came to its end has no lease.
        update(table).where(mine, table.lease_until.is_not(None)).values(lease_until=bindparam("until")),
    )


def lock_lapsed(
    connection: Connection,
    table: Any,
    with_a_worker: ColumnElement[bool],
    *,
    now: datetime,
    limit: int,
    silent: Collection[str],
) -> list[int]:
    """Lock and return rows whose lease is over, or whose worker is one of the `silent`, up to `limit`.

    Args:
        connection: an open transaction.
        table: assets or items.
        with_a_worker: which of its states are claims.
        now: the present.
        limit: rows at most.
        silent: workers that are gone.
    """
    lapsed = (
        select(table.id)
        .where(with_a_worker, or_(table.lease_until <= now, among(table.worker, silent)))
        .order_by(table.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(connection.execute(lapsed).scalars())
