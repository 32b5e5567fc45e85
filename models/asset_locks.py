"""Assets locked in the one order; see `models.locks`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from models.asset import Asset
from models.bulk import among_bound
from models.claim import Claim


class _ByNumber(FunctionElement[str]):
    """A text that is sorted by its letters' numbers, as Python does, and not as people sort names."""

    inherit_cache = True


@compiles(_ByNumber)
def _collated(element: _ByNumber, compiler: SQLCompiler, **options: Any) -> str:
    return f'{compiler.process(element.clauses, **options)} COLLATE "C"'


@compiles(_ByNumber, "sqlite")
def _as_it_is(element: _ByNumber, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


#: In which order assets are locked: that of :func:`want_assets`, whose rows are sorted by Python.
IN_LOCK_ORDER = tuple(_ByNumber(column) for column in (Asset.channel_id, Asset.sha256, Asset.mime_type))
_LOCKED = (
    select(Asset.id, Asset.token)
    .where(among_bound(Asset.id, "ids"))
    .order_by(*IN_LOCK_ORDER)
    .with_for_update()
)


def lock_assets(connection: Connection, asset_ids: Collection[int]) -> dict[int, int]:
    """Lock assets that are to be written, in the one order; returns their tokens."""
    return dict(connection.execute(_LOCKED, {"ids": list(asset_ids)}).all())


def lock_held(connection: Connection, claims: Sequence[Claim]) -> set[Claim]:
    """Lock assets, and return the claims that are still held."""
    tokens = lock_assets(connection, {claim.id for claim in claims})
    return {claim for claim in claims if tokens.get(claim.id) == claim.token}
