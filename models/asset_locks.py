"""Assets locked in the one order; see `models.locks`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    select,
)

from models.asset import Asset
from models.bulk import among_bound, on_postgresql
from models.claim import Claim


def lock_held(connection: Connection, claims: Sequence[Claim]) -> set[Claim]:
    """Lock assets, and return the claims that are still held."""
    tokens = _lock(connection, {claim.id for claim in claims})
    return {claim for claim in claims if tokens.get(claim.id) == claim.token}


def in_lock_order(*, postgresql: bool) -> list[ColumnElement[Any]]:
    """In which order assets are locked: that of :func:`want_assets`, whose rows are sorted by Python."""
    columns: list[ColumnElement[Any]] = [
        column.expression for column in (Asset.channel_id, Asset.sha256, Asset.mime_type)
    ]
    # By their letters' numbers, and not as people of the database's country sort names.
    return [column.collate("C") for column in columns] if postgresql else columns


def lock_assets(connection: Connection, asset_ids: Collection[int]) -> None:
    """Lock assets that are to be written, in the one order; see `models.locks`."""
    _lock(connection, asset_ids)


def _lock(connection: Connection, asset_ids: Collection[int]) -> dict[int, int]:
    """Lock assets, in the order in which everybody does (see `models.locks`); returns their tokens."""
    statement = _locked_in_order(postgresql=on_postgresql(connection))
    return dict(connection.execute(statement, {"ids": list(asset_ids)}).all())


@cache
def _locked_in_order(*, postgresql: bool) -> Select[int, int]:
    return (
        select(Asset.id, Asset.token)
        .where(among_bound(Asset.id, "ids", postgresql=postgresql))
        .order_by(*in_lock_order(postgresql=postgresql))
        .with_for_update()
    )
