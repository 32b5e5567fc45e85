"""What inspection said of items, written down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from greenroom.untrusted_text import LONGEST_SENTENCE, storable
from greenroom.verdict import Verdict
from models.bulk import among_bound, update_rows
from models.claim import Claim
from models.item import Item, ItemState
from models.item_asset import set_assets

_LOCKED = select(Item.id, Item.token).where(among_bound(Item.id, "ids")).order_by(Item.id).with_for_update()


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A verdict on an item.

    Attributes:
        claim: under which the item was inspected.
        verdict: on what will be sent: on the fixed file, where there is one.
        asset_id: what it will be sent as; None where it is rejected.
        further_assets: what it will be sent as on further channels, each with its name.
        original_sha256: of the source, where it was fixed.
        fixed: what fixing did.
    """

    claim: Claim
    verdict: Verdict
    asset_id: int | None
    original_sha256: str | None = None
    fixed: Sequence[str] = ()
    further_assets: Sequence[tuple[str, int]] = ()


def record_verdicts(
    connection: Connection, judged: Sequence[Judged], *, also: Sequence[Claim] = ()
) -> set[int]:
    """Write what inspection said.

    Args:
        connection: an open transaction.
        judged: the verdicts.
        also: claims whose items are to be written afterwards, and are locked with the others, in one order.

    Returns:
        The items whose claims were held; of no others a verdict was written.
    """
    tokens = {one.claim.id: one.claim.token for one in judged}
    ids = [*tokens, *(claim.id for claim in also)]
    rows = connection.execute(_LOCKED, {"ids": ids}).all()
    held = {item_id for item_id, token in rows if token == tokens.get(item_id)}
    taken = [one for one in judged if one.claim.id in held]
    update_rows(connection, Item, [_as_row(one) for one in taken])
    set_assets(connection, [row for one in taken for row in _further_rows(one)])
    return held


def _further_rows(one: Judged) -> Iterator[dict[str, Any]]:
    for channel_id, asset_id in one.further_assets:
        yield {
            "item_id": one.claim.id,
            "channel_id": channel_id,
            "asset_id": asset_id,
            "token": one.claim.token,
        }


def _as_row(one: Judged) -> dict[str, Any]:
    verdict = one.verdict
    return {
        "id": one.claim.id,
        "state": ItemState.REJECTED if verdict.reason else ItemState.ACCEPTED,
        "lease_until": None,
        "asset_id": one.asset_id,
        "label": verdict.label,
        "category": verdict.category,
        "mime_type": verdict.mime_type,
        "size": verdict.size,
        "sha256": verdict.sha256,
        "reason": verdict.reason,
        "detail": verdict.detail,
        "original_sha256": one.original_sha256,
        # JSON writes what no database keeps in other letters, and whoever reads it has it again.
        "fixed": json.dumps([_sentence(step) for step in one.fixed]),
        "notices": json.dumps(
            [{"code": notice.code, "detail": _sentence(notice.detail)} for notice in verdict.notices]
        ),
    }


def _sentence(text: str) -> str:
    return storable(text, longest=LONGEST_SENTENCE)
