"""Who lives: claims of a process that is gone are back long before their leases are over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from greenroom.clock import SystemClock
from greenroom.errors import DatabaseUnavailable
from greenroom.rate_limit.ownership import OWNERSHIP_SECONDS
from models.asset_claims import renew_assets, take_assets
from models.item_claims import take_items
from tasks.dispatch import claims_from_json, dispatch
from tasks.runtime import heartbeat as beating
from tasks.runtime.behind import Behind
from tasks.runtime.heartbeat import (
    BEAT_SECONDS,
    BLIND_SECONDS,
    HEARTBEATS,
    IDLE_BEAT_SECONDS,
    SILENT_SECONDS,
    Heartbeat,
    PeerWatch,
    beat_seconds,
)
from tasks.runtime.running import noted
from tasks.sweep import NOT_RENEWED, sweep
from tests.support.rows import asset_row, item_rows
from tests.support.world import CHANNEL, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import claims_handed_out, upload_all


def looks(watch: PeerWatch, *numbers: dict[str, int], begin: float = 0.0) -> list[str]:
    """One look a second; whom the last one takes for dead."""
    silent: list[str] = []
    for second, beats in enumerate(numbers):
        silent = watch.silent_peers(beats, at=begin + second * BEAT_SECONDS)
    return silent


def test_who_stands_still_for_long_enough_is_dead() -> None:
    """And not before; who goes on, or begins anew at a smaller number, lives."""
    seconds = int(SILENT_SECONDS / BEAT_SECONDS)
    still = [{"a": 7, "b": beat, "c": 100 - beat} for beat in range(seconds + 1)]
    assert looks(PeerWatch(), *still[:-1]) == []
    assert looks(PeerWatch(), *still) == ["a"]
    assert looks(PeerWatch(), *still, {"a": 8, "b": 99, "c": 1}) == []


def test_nobody_is_dead_whom_one_could_not_watch() -> None:
    """After a freeze, or a Redis that was away: what was seen before says nothing."""
    watch, seconds = PeerWatch(), int(SILENT_SECONDS / BEAT_SECONDS)
    looks(watch, *[{"a": 7}] * seconds)
    woken = seconds + BLIND_SECONDS + 1
    assert looks(watch, *[{"a": 7}] * seconds, begin=woken) == []
    assert looks(watch, {"a": 7}, begin=woken + SILENT_SECONDS) == ["a"]
    # A Redis that was wiped knows nobody, until they beat again.
    assert watch.silent_peers({}, at=woken + SILENT_SECONDS + 1) == []
    assert watch.silent_peers({"a": 1}, at=woken + SILENT_SECONDS + 2) == []


def test_a_dead_process_is_known_within_what_recovery_may_take() -> None:
    """Fifteen seconds in all; and never before its ownership of channels is over."""
    assert OWNERSHIP_SECONDS < SILENT_SECONDS
    assert SILENT_SECONDS + 2 * BEAT_SECONDS <= 10
    # Where all others have nothing to do, too.
    assert SILENT_SECONDS + IDLE_BEAT_SECONDS + BEAT_SECONDS <= 10


def test_whoever_has_nothing_to_do_beats_seldom_and_finds_the_dead() -> None:
    """At three looks, the last of them by no more than the pause between two after six seconds."""
    assert beat_seconds() == IDLE_BEAT_SECONDS
    with noted("media.upload"):
        assert beat_seconds() == BEAT_SECONDS
    assert BEAT_SECONDS < IDLE_BEAT_SECONDS < BLIND_SECONDS < SILENT_SECONDS
    watch = PeerWatch()
    moments = [number * IDLE_BEAT_SECONDS for number in range(3)]
    assert [watch.silent_peers({"dead": 7, "idle": at}, at=at) for at in map(int, moments)] == [
        [],
        [],
        ["dead"],
    ]
    # Whoever beats as seldom as it looks is not taken for dead by those that look each second.
    busy, ever = PeerWatch(), range(30)
    assert [busy.silent_peers({"idle": at // int(IDLE_BEAT_SECONDS)}, at=at) for at in ever] == [[]] * 30


def test_what_a_dead_process_had_claimed_is_back_at_once(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files, those that it was to look at too; nobody else's; and under a new token."""
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(3)))
    inspect_all(world)
    hand_over(world, make_image("late.jpg", 9), campaign="summer")
    dispatch(world.context)
    looked_at = [message.args[0] for message in world.published if message.name == "media.inspect"][-1]
    (sent,) = (message.args[0][CHANNEL] for message in world.published if message.name == "media.upload")
    now, lease = world.clock.now(), world.context.settings.lease
    with world.database.write() as connection:
        first, *rest = claims_from_json(sent)
        (kept,) = take_assets(connection, [first], now=now, lease=lease, worker="alive")[CHANNEL]
        lost = take_assets(connection, rest, now=now, lease=lease, worker="dead")[CHANNEL]
        take_items(connection, claims_from_json(looked_at), now=now, lease=lease, worker="dead")
    moment = 0.0
    monkeypatch.setattr(beating, "boottime", lambda: moment)
    observer = Heartbeat(replace(world.context, worker="observer"))
    world.context.redis.hset(HEARTBEATS, mapping={"alive": 1, "dead": 1})
    while moment <= SILENT_SECONDS:
        observer.beat()
        world.context.redis.hincrby(HEARTBEATS, "alive")
        moment += BEAT_SECONDS
    assert asset_row(world, kept.claim.id).state == "uploading"
    assert {asset_row(world, one.claim.id).state for one in lost} == {"waiting"}
    assert {asset_row(world, one.claim.id).token for one in lost} == {lost[0].claim.token + 1}
    assert [row.state for row in item_rows(world)].count("inspecting") == 0
    assert set(world.context.redis.hkeys(HEARTBEATS)) == {b"alive", b"observer"}
    assert world.published[-1].name == "media.dispatch"
    observer.stop()
    assert world.context.redis.hkeys(HEARTBEATS) == [b"alive"]


def test_the_dead_are_put_back_when_the_database_is_there_again(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then they are not forgotten."""
    hand_over(world, make_image())
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    now, lease = world.clock.now(), world.context.settings.lease
    with world.database.write() as connection:
        take_assets(connection, claims_from_json(claims), now=now, lease=lease, worker="dead")
    moment = 0.0
    monkeypatch.setattr(beating, "boottime", lambda: moment)
    observer = Heartbeat(world.context)
    world.context.redis.hset(HEARTBEATS, "dead", 1)

    def away(*_: object) -> None:
        raise DatabaseUnavailable("away")

    with monkeypatch.context() as without:
        without.setattr(beating, "put_back_claims_of", away)
        while moment <= 2 * SILENT_SECONDS:
            observer.beat()
            moment += BEAT_SECONDS
    assert world.context.redis.hexists(HEARTBEATS, "dead")
    observer.beat()
    assert not world.context.redis.hexists(HEARTBEATS, "dead")
    assert upload_all(world)["uploaded"] == 1


class WrongClock(SystemClock):
    """That of a machine whose clock has jumped."""

    def __init__(self, hours: int) -> None:
        self._hours = hours

    def now(self) -> datetime:
        """Not the present moment."""
        return super().now() + timedelta(hours=self._hours)


def test_a_worker_whose_clock_jumped_ahead_puts_no_work_of_others_back(
    world: World, make_image: MakeImage
) -> None:
    """A lease is over when it is so by Redis's clock as well."""
    hand_over(world, make_image())
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    real, lease = SystemClock().now(), world.context.settings.lease
    with world.database.write() as connection:
        (taken,) = take_assets(connection, claims_from_json(claims), now=real, lease=lease)[CHANNEL]
    jumped = replace(world.context, clock=WrongClock(2))
    assert sweep(jumped)["uploads"] == 0
    assert asset_row(world, taken.claim.id).state == "uploading"
    with world.database.write() as connection:
        renew_assets(connection, [taken.claim], until=real)
    assert sweep(jumped)["uploads"] == 1


def test_what_a_worker_claims_whose_clock_was_set_back_is_its_own(
    world: World, make_image: MakeImage
) -> None:
    """Its leases hold for all others, too; and what it claimed just before is left to it until it renews."""
    hand_over(world, make_image())
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    wrong = replace(world.context, clock=WrongClock(-2), behind=Behind())
    redis, own = world.context.redis, Heartbeat(wrong)
    own.beat()
    assert redis.delete(NOT_RENEWED) == 1
    own.beat()
    assert redis.exists(NOT_RENEWED) == 0
    with world.database.write() as connection:
        now, lease = wrong.clock.now(), wrong.lease
        (taken,) = take_assets(connection, claims_from_json(claims), now=now, lease=lease)[CHANNEL]
    assert sweep(replace(world.context, clock=SystemClock()))["uploads"] == 0
    assert asset_row(world, taken.claim.id).state == "uploading"


def test_a_clock_that_stays_as_far_behind_was_not_set_back_again() -> None:
    """Though it be seen now a little within what the way may take, and now a little beyond."""
    clock, behind = SystemClock(), Behind()
    told = []
    for seconds in (1.9, 2.1, 1.9, 2.2, 1.8, 2.1):
        at = clock.now() + timedelta(seconds=seconds)
        told.append(behind.note(clock, (int(at.timestamp()), at.microsecond)))
    assert told == [False] * 6


def test_clocks_that_differ_by_little_are_alike(world: World) -> None:
    """And one that a test moves is nobody's."""
    right = replace(world.context, clock=SystemClock(), behind=Behind())
    Heartbeat(right).beat()
    Heartbeat(world.context).beat()
    assert right.lease == world.context.lease == world.context.settings.lease
