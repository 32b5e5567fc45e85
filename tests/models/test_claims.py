"""A claim is a lease with a fencing token: whoever has lost it can write nothing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text

from greenroom.reasons import Reason
from models import AssetState
from models.asset_claims import AssetClaim, claim_assets, renew_assets, sweep_assets, take_assets
from models.claim import Claim
from models.item_claims import claim_and_take_items, claim_items, postpone_item, renew_items, take_items
from models.upload_outcomes import finish_asset
from models.wanted_assets import want_assets
from tasks.prepare import prepare
from tests.support.rows import accepted_item, asset_row, item_rows, new_asset, sha256
from tests.support.world import CHANNEL, World

LEASE = timedelta(seconds=60)


def claim(world: World, limit: int = 10) -> list[AssetClaim]:
    """Claim as the dispatcher does."""
    with world.database.write() as connection:
        return claim_assets(connection, [CHANNEL], limit=limit, now=world.clock.now(), lease=LEASE)[CHANNEL]


def take(world: World, *claims: Claim) -> list[Claim]:
    """Take as an upload does."""
    with world.database.write() as connection:
        taken = take_assets(connection, claims, now=world.clock.now(), lease=LEASE)
    return [asset.claim for asset in taken.get(CHANNEL, [])]


def sweep(world: World, max_attempts: int = 10) -> int:
    """Sweep as beat does."""
    with world.database.write() as connection:
        return sweep_assets(connection, now=world.clock.now(), max_attempts=max_attempts, limit=100)


def test_the_token_grows_by_one_at_each_claim(world: World) -> None:
    """Claimed: 1. Taken: 2. So a message delivered twice, with token 1, finds nothing to do."""
    asset_id = accepted_item(world, "a")
    (claimed,) = claim(world)
    assert claimed.claim == Claim(id=asset_id, token=1)
    assert take(world, claimed.claim) == [Claim(id=asset_id, token=2)]
    assert take(world, claimed.claim) == []


def test_what_is_claimed_is_not_claimed_again_before_its_lease_ends(world: World) -> None:
    """The lease, and not the message, decides."""
    accepted_item(world, "a")
    assert len(claim(world)) == 1
    assert claim(world) == []
    world.clock.advance(LEASE - timedelta(microseconds=1))
    assert sweep(world) == 0
    world.clock.advance(timedelta(microseconds=1))
    assert sweep(world) == 1
    (again,) = claim(world)
    assert again.claim.token == 3


def test_who_has_lost_a_claim_can_write_nothing(world: World) -> None:
    """Every later write says WHERE id = ? AND token = ?."""
    accepted_item(world, "a")
    (claimed,) = claim(world)
    (old,) = take(world, claimed.claim)
    world.clock.advance(LEASE)
    sweep(world)
    (new,) = take(world, claim(world)[0].claim)
    with world.database.write() as connection:
        until = world.clock.now() + LEASE
        assert renew_assets(connection, [old, new], until=until) == [old]
        assert not finish_asset(connection, old, state=AssetState.FAILED, reason=Reason.BROKEN)
        assert finish_asset(connection, new, state=AssetState.READY)
    assert asset_row(world, new.id).state == AssetState.READY


def test_a_renewed_claim_does_not_lapse(world: World) -> None:
    """A living worker keeps what it has, however long it takes."""
    accepted_item(world, "a")
    (mine,) = take(world, claim(world)[0].claim)
    world.clock.advance(LEASE * 0.9)
    with world.database.write() as connection:
        renew_assets(connection, [mine], until=world.clock.now() + LEASE)
    world.clock.advance(LEASE * 0.9)
    assert sweep(world) == 0


def test_an_upload_whose_worker_died_counts_as_a_possible_orphan(world: World) -> None:
    """It may have arrived; one that was still on its way to a worker cannot have."""
    first, second = accepted_item(world, "a"), accepted_item(world, "b")
    claims = {asset.claim.id: asset.claim for asset in claim(world)}
    take(world, claims[first])
    world.clock.advance(LEASE)
    sweep(world)
    assert (asset_row(world, first).lost_answers, asset_row(world, second).lost_answers) == (1, 0)
    assert (asset_row(world, first).attempts, asset_row(world, second).attempts) == (1, 0)


def test_a_file_that_brings_its_worker_down_each_time_is_given_up(world: World) -> None:
    """Else it would take a worker with it for ever."""
    asset_id = accepted_item(world, "a")
    world.clock.advance(timedelta(hours=1))
    for _ in range(3):
        take(world, claim(world)[0].claim)
        world.clock.advance(LEASE)
        sweep(world, max_attempts=3)
    assert asset_row(world, asset_id).state == AssetState.FAILED
    assert asset_row(world, asset_id).reason == Reason.UPLOAD_FAILED


def test_a_worker_that_dies_gives_no_file_up_before_its_campaign_is_sent(world: World) -> None:
    """An outage of hours burns many attempts; a worker stopped after it must not cost what waited."""
    asset_id = accepted_item(world, "a", hours=1)
    for _ in range(3):
        take(world, claim(world)[0].claim)
        world.clock.advance(LEASE)
        sweep(world, max_attempts=3)
    assert asset_row(world, asset_id).state == AssetState.WAITING


def test_the_earliest_send_time_goes_first_and_refreshes_last(world: World) -> None:
    """A campaign due sooner overtakes one that came in before it."""
    late = accepted_item(world, "late", campaign="late", hours=9)
    soon = accepted_item(world, "soon", campaign="soon", hours=2)
    assert [asset.claim.id for asset in claim(world)] == [soon, late]


@pytest.mark.parametrize("threads", [4])
def test_two_dispatchers_never_claim_one_asset_twice(world: World, threads: int) -> None:
    """Many at once: each asset is handed out exactly once."""
    assets = {accepted_item(world, f"file-{number}") for number in range(40)}
    claimed: list[Claim] = []
    start = threading.Barrier(threads)

    def work() -> None:
        start.wait()
        while found := claim(world, limit=3):
            claimed.extend(asset.claim for asset in found)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    while left := claim(world):  # SKIP LOCKED may end a thread while another one still holds rows
        claimed.extend(asset.claim for asset in left)
    assert len(claimed) == 40
    assert {one.id for one in claimed} == assets
    assert all(one.token == 1 for one in claimed)


def wait_until_blocked(world: World) -> None:
    """Until some transaction waits for another one's rows."""
    statement = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    deadline = time.monotonic() + 30
    while True:
        with world.database.read() as connection:
            if connection.execute(statement).scalar_one():
                return
        assert time.monotonic() < deadline, "nothing waits"


def test_an_upload_and_an_inspection_never_wait_for_each_other(world: World) -> None:
    """Both lock assets in the order of their hashes, whatever the order of their IDs."""
    if world.database.dialect == "sqlite":
        pytest.skip("there is one writer at a time on SQLite")
    contents = sorted(("a", "b"), key=sha256, reverse=True)
    ids = [accepted_item(world, content) for content in contents]
    assert ids == sorted(ids)
    claims = [asset.claim for asset in claim(world)]
    taken: list[Claim] = []
    upload = threading.Thread(target=lambda: taken.extend(take(world, *claims)))
    with world.database.write() as connection:
        for content in reversed(contents):
            want_assets(connection, [new_asset(world, content)])
            if not upload.ident:
                upload.start()
                wait_until_blocked(world)
    upload.join()
    assert {one.id for one in taken} == set(ids)


def test_a_renewal_waits_for_nobody(world: World) -> None:
    """A batch renews in one thread and writes its verdicts in another: neither may block the other."""
    if world.database.dialect == "sqlite":
        pytest.skip("there is one writer at a time on SQLite")
    now = world.clock.now()
    campaign = world.campaign()
    prepare(world.context, campaign, [{"ref": ref, "source": f"/{ref}"} for ref in "ab"])
    with world.database.write() as connection:
        claims = claim_items(connection, limit=2, now=now, lease=LEASE)
        first, second = (
            item.claim for item in take_items(connection, [one.claim for one in claims], now=now, lease=LEASE)
        )
    with world.database.write() as connection:
        postpone_item(connection, first, until=now, detail="")
        with world.database.write() as other:
            other.execute(text("SET LOCAL lock_timeout = '5s'"))
            renew_items(other, [first, second], until=now + 2 * LEASE)
    rows = {row.id: row for row in item_rows(world)}
    assert (rows[first.id].lease_until, rows[second.id].lease_until) == (None, now + 2 * LEASE)


def many_items(world: World, campaign: str, channel: str, count: int, *, hours: float = 1) -> None:
    """A campaign whose items wait for inspection."""
    plan = {**world.campaign(campaign, channel)}
    plan["send_at"] = (world.clock.now() + timedelta(hours=hours)).isoformat()
    prepare(world.context, plan, [{"ref": f"{n:04}", "source": f"/media/{n}.jpg"} for n in range(count)])


def shares(world: World, limit: int) -> Counter[str]:
    """How many items of each campaign are claimed."""
    with world.database.write() as connection:
        claims = claim_items(connection, limit=limit, now=world.clock.now(), lease=LEASE)
        taken = take_items(connection, [one.claim for one in claims], now=world.clock.now(), lease=LEASE)
    return Counter(item.campaign_id for item in taken)


def test_each_number_gets_its_share_of_inspection(world: World) -> None:
    """A campaign of any size on one number keeps nobody else's files waiting."""
    for channel in ("4920", "4930"):
        world.add_channel(channel, f"key-{channel}")
    many_items(world, "huge", CHANNEL, 500)
    many_items(world, "middling", "4920", 60)
    many_items(world, "small", "4930", 7)
    assert shares(world, 90) == {"huge": 42, "middling": 41, "small": 7}
    assert shares(world, 90) == {"huge": 71, "middling": 19}


def test_within_a_number_the_earliest_send_time_comes_first(world: World) -> None:
    """However many wait that are due later."""
    many_items(world, "later", CHANNEL, 100, hours=5)
    many_items(world, "sooner", CHANNEL, 30, hours=1)
    assert shares(world, 40) == {"sooner": 30, "later": 10}


def test_with_more_numbers_than_room_all_get_their_turn(world: World) -> None:
    """Not the same ones each time."""
    channels = [world.add_channel(f"49{number:02}", f"key-{number}") for number in range(20)]
    for channel in channels:
        many_items(world, f"of-{channel}", channel, 20)
    served: Counter[str] = Counter()
    for _ in range(40):
        served += shares(world, 10)
        world.clock.advance(timedelta(milliseconds=3))
    assert len(served) == 20
    assert sum(served.values()) == 400


def test_a_worker_that_goes_on_leaves_what_failed_before(world: World) -> None:
    """That is handed out alone, so that it takes no other file with it."""
    many_items(world, "spring", CHANNEL, 4)
    now = world.clock.now()
    with world.database.write() as connection:
        claims = claim_items(connection, limit=2, now=now, lease=LEASE)
        for one in claims:
            postpone_item(connection, one.claim, until=now, detail="away")
        taken = claim_and_take_items(connection, limit=10, now=now, lease=LEASE)
    assert len(taken) == 2
    assert not {item.claim.id for item in taken} & {one.claim.id for one in claims}
