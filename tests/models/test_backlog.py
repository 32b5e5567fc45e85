"""Whatever sends an asset round again, or leaves it alone: nothing of the attempts before stays with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection, update

from models import Asset, Media
from models.asset import Priority
from models.cancellation import cancel_campaign
from models.references import want_again
from models.retention import queue_refreshes, retire_unneeded
from models.usage_reports import UsageReport, record_dead
from models.wanted_assets import put_aside, put_back, queue_uploads
from tests.support.rows import asset_row, ready_item
from tests.support.world import CHANNEL, World

HOUR = timedelta(hours=1)
FAILED = {
    "state": "failed",
    "reason": "missing",
    "detail": "There is no file.",
    "attempts": 5,
    "priority": Priority.REFRESH,
}

Act = Callable[[World, Connection, int], object]


def accept(_world: World, connection: Connection, asset_id: int) -> None:
    """Another item has the same content, and inspection accepted it."""
    queue_uploads(connection, [asset_id])


def hand_over_again(world: World, connection: Connection, _asset_id: int) -> None:
    """The campaign is handed over again."""
    now = world.clock.now()
    want_again(connection, "spring", refs=None, due_at=now + HOUR, now=now)


def renew(world: World, connection: Connection, asset_id: int) -> None:
    """Its ID is due for renewal."""
    now = world.clock.now()
    connection.execute(update(Media).where(Media.asset_id == asset_id).values(refresh_at=now))
    queue_refreshes(connection, now=now, rules_of=world.context.settings.life_rules, limit=10)


def report_dead(world: World, connection: Connection, _asset_id: int) -> None:
    """A sender says that its ID is dead."""
    now = world.clock.now()
    record_dead(connection, [UsageReport(channel_id=CHANNEL, media_id="1", at=now)], now=now)


def cancel_and(act: Act) -> Act:
    """Nothing needs it any more, and then something happens."""

    def both(world: World, connection: Connection, asset_id: int) -> None:
        cancel_campaign(connection, "spring", now=world.clock.now())
        act(world, connection, asset_id)

    return both


def retire(world: World, connection: Connection, _asset_id: int) -> None:
    """It is looked at whether anything needs it."""
    retire_unneeded(connection, now=world.clock.now(), keep_after=HOUR, limit=10)


@pytest.mark.parametrize(
    ("act", "state"),
    [
        pytest.param(accept, "waiting", id="accepted"),
        pytest.param(hand_over_again, "waiting", id="handed-over-again"),
        pytest.param(renew, "waiting", id="renewed"),
        pytest.param(report_dead, "waiting", id="dead"),
        pytest.param(cancel_and(renew), "idle", id="not-renewed"),
        pytest.param(cancel_and(report_dead), "idle", id="dead-and-not-needed"),
        pytest.param(cancel_and(retire), "idle", id="retired"),
    ],
)
def test_no_stale_reason_stays(world: World, act: Act, state: str) -> None:
    """An upload was given up, with a reason that the operator reads; then its asset's state changes."""
    asset_id = ready_item(world, "one", media_id="1")
    failed = {**FAILED, "not_before": world.clock.now() + HOUR}
    with world.database.write() as connection:
        connection.execute(update(Asset).where(Asset.id == asset_id).values(failed))
        act(world, connection, asset_id)
    asset = asset_row(world, asset_id)
    assert (asset.state, asset.reason, asset.detail) == (state, None, "")
    assert (asset.attempts, asset.not_before) == (0, None)


@pytest.mark.parametrize("state", ["claimed", "uploading"])
def test_what_a_worker_has_is_neither_put_back_nor_aside(world: World, state: str) -> None:
    """Its claim ends first, whoever asks."""
    asset_id = ready_item(world, "one", media_id="1")
    with world.database.write() as connection:
        connection.execute(update(Asset).where(Asset.id == asset_id).values(state=state, attempts=2))
    before = asset_row(world, asset_id)
    with world.database.write() as connection:
        put_back(connection, [{"id": asset_id}])
        put_aside(connection, [asset_id])
    assert asset_row(world, asset_id) == before
