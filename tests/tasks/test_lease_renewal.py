"""A file that takes long does not cost a living worker its claims."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from models.asset_claims import claim_assets, renew_assets, sweep_assets
from models.claim import Claim
from tasks.runtime.lease_renewal import renewing
from tests.support.rows import accepted_item
from tests.support.world import CHANNEL, World


def test_a_renewal_that_fails_in_any_way_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that found no memory must not be the last."""
    monkeypatch.setattr("tasks.runtime.lease_renewal.TRY_AGAIN_SECONDS", 0.01)
    failures: list[Exception] = [MemoryError(), KeyError("nobody foresaw this")]
    renewed = threading.Event()

    def renew(connection: Connection, claims: Sequence[Claim], *, until: datetime) -> list[Claim]:
        if failures:
            raise failures.pop()
        renewed.set()
        return renew_assets(connection, claims, until=until)

    with renewing(world.context, list, renew, every=0.01):
        assert renewed.wait(30)


@pytest.mark.parametrize("started", [True, False])
def test_a_thread_that_finds_no_memory_holds_nothing_up(
    world: World, monkeypatch: pytest.MonkeyPatch, *, started: bool
) -> None:
    """Whether the system says so, or it is started and never runs: the work is done without renewals."""

    def start(*_: object) -> int:
        if not started:
            raise RuntimeError("can't start new thread")
        return 0

    for name in ("_thread.start_new_thread", "threading._start_new_thread"):
        monkeypatch.setattr(name, start)
    waited: list[float] = []
    monkeypatch.setattr("tasks.runtime.background.END_SECONDS", 0.01)
    monkeypatch.setattr(threading.Event, "wait", lambda _, seconds: waited.append(seconds))
    with renewing(world.context, list, renew_assets):
        pass
    assert not waited


def test_claims_are_renewed_while_the_work_goes_on(world: World) -> None:
    """A lease and a half later, the sweep finds nothing to put back."""
    accepted_item(world, "a")
    lease = world.context.settings.lease
    with world.database.write() as connection:
        (asset,) = claim_assets(connection, [CHANNEL], limit=1, now=world.clock.now(), lease=lease)[CHANNEL]
    renewed = threading.Event()

    def renew(connection: Connection, claims: Sequence[Claim], *, until: datetime) -> list[Claim]:
        lost = renew_assets(connection, claims, until=until)
        if until >= world.clock.now() + lease:
            renewed.set()
        return lost

    with renewing(world.context, lambda: [asset.claim], renew, every=0.01):
        for _ in range(3):
            renewed.clear()
            world.clock.advance(lease / 2)
            assert renewed.wait(30)
    # The transaction of the last renewal is over: the block waits for its thread.
    with world.database.write() as connection:
        assert sweep_assets(connection, now=world.clock.now(), max_attempts=10, limit=10) == 0
        later = world.clock.now() + lease + timedelta(seconds=1)
        assert sweep_assets(connection, now=later, max_attempts=10, limit=10) == 1
