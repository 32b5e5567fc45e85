"""The pace of channels, against a real Valkey; time is read from it and never slept through."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from greenroom.errors import LimiterUnavailable, NoSlotInTime, TransientError
from greenroom.limiter import (
    ABSURD_SECONDS,
    COLD_START_SECONDS,
    DEFAULT_PACE_PER_SECOND,
    LONGEST_PUSH_BACK_SECONDS,
    MOST_SLOTS,
    PROVIDER_LIMIT_PER_SECOND,
    Limiter,
)

CHANNEL = "4915112345678"
KEY = f"greenroom:next-slot:{CHANNEL}"


class FakeTime:
    """A monotonic clock that moves only when somebody sleeps, by what was asked for plus ``oversleep``."""

    def __init__(self, *oversleep: float) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._oversleep = list(oversleep)

    def monotonic(self) -> float:
        """Seconds, as by time.monotonic."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Sleep, as by time.sleep, and wake up late."""
        self.slept.append(seconds)
        self.now += seconds + (self._oversleep.pop(0) if self._oversleep else 0.0)


def redis_now(redis: Redis) -> int:
    """Redis's clock in microseconds."""
    seconds, micro = redis.time()
    return seconds * 1_000_000 + micro


def set_next_slot(redis: Redis, seconds_from_now: float) -> int:
    """Store a channel's next free slot, relative to now."""
    slot = redis_now(redis) + round(seconds_from_now * 1_000_000)
    redis.set(KEY, slot)
    return slot


def test_the_default_pace_leaves_room_for_jitter() -> None:
    """26 slots at the default pace span more than the provider's one second, by at least 20 ms."""
    assert PROVIDER_LIMIT_PER_SECOND / DEFAULT_PACE_PER_SECOND > 1.02


def test_slots_follow_each_other_at_the_interval(limiter_redis: Redis) -> None:
    """Consecutive reservations on a busy channel are exactly one interval apart."""
    limiter = Limiter(limiter_redis, pace=20)
    slots = [limiter.take(CHANNEL).slot for _ in range(30)]
    assert {after - before for before, after in pairwise(slots)} == {50_000}


def test_an_interval_is_rounded_up(limiter_redis: Redis) -> None:
    """Rounding never makes the pace faster than asked."""
    assert Limiter(limiter_redis, pace=24).interval == 41_667


def test_several_slots_in_one_call(limiter_redis: Redis) -> None:
    """A reservation of n slots keeps the next caller off for n intervals."""
    limiter = Limiter(limiter_redis, pace=10)
    first = limiter.take(CHANNEL, 50)
    assert limiter.take(CHANNEL).slot - first.slot == 50 * 100_000


def test_an_idle_channel_goes_at_once_and_saves_nothing_up(limiter_redis: Redis) -> None:
    """After a pause the first slot is now, the second an interval later: the burst is one."""
    limiter = Limiter(limiter_redis, pace=10)
    set_next_slot(limiter_redis, -3600)
    first = limiter.take(CHANNEL)
    assert first.wait == 0
    assert limiter.take(CHANNEL).slot == first.slot + 100_000


def test_an_unknown_channel_starts_a_second_from_now(limiter_redis: Redis) -> None:
    """A wiped Redis cannot know what was sent in the last second, so it counts as full."""
    limiter = Limiter(limiter_redis)
    assert limiter.reserve(CHANNEL) == COLD_START_SECONDS
    limiter_redis.flushall()
    assert limiter.reserve(CHANNEL) == COLD_START_SECONDS


def test_channels_do_not_share_a_pace(limiter_redis: Redis) -> None:
    """One channel's backlog delays no other."""
    limiter = Limiter(limiter_redis, pace=10)
    limiter.reserve("one", 500)
    assert limiter.reserve("another") == COLD_START_SECONDS


def test_namespaces_do_not_share_a_pace(limiter_redis: Redis) -> None:
    """Two installations on one Redis do not meet."""
    Limiter(limiter_redis, namespace="a").reserve(CHANNEL, 500)
    assert Limiter(limiter_redis, namespace="b").reserve(CHANNEL) == COLD_START_SECONDS


def test_the_key_never_expires(limiter_redis: Redis) -> None:
    """A key that expired could give a slot out twice."""
    limiter = Limiter(limiter_redis)
    limiter.reserve(CHANNEL)
    limiter.push_back(CHANNEL, 5)
    assert limiter_redis.ttl(KEY) == -1


def test_a_429_holds_the_channel_back(limiter_redis: Redis) -> None:
    """The next slot is at least as far away as the provider asked."""
    limiter = Limiter(limiter_redis)
    set_next_slot(limiter_redis, -10)
    limiter.push_back(CHANNEL, 7)
    assert 6 < limiter.reserve(CHANNEL) <= 7


def test_looking_at_the_next_slot_takes_none(limiter_redis: Redis) -> None:
    """The dispatcher looks at each tick whether a channel is held back."""
    limiter = Limiter(limiter_redis)
    limiter.push_back(CHANNEL, 30)
    before = limiter_redis.get(KEY)
    assert 29 < limiter.delay(CHANNEL) <= 30
    assert limiter_redis.get(KEY) == before
    set_next_slot(limiter_redis, -5)
    assert limiter.delay(CHANNEL) == 0


def test_a_429_never_brings_a_slot_nearer(limiter_redis: Redis) -> None:
    """Pushing back by less than what is taken already changes nothing."""
    limiter = Limiter(limiter_redis)
    slot = set_next_slot(limiter_redis, 60)
    for seconds in (0, -5, 1, 59, float("nan"), float("-inf")):
        limiter.push_back(CHANNEL, seconds)
    assert limiter.take(CHANNEL).slot == slot


@pytest.mark.parametrize("seconds", [86_400, 1e12, float("inf")])
def test_an_absurd_retry_after_is_bounded(limiter_redis: Redis, seconds: float) -> None:
    """No single answer can stop a channel for more than ten minutes."""
    limiter = Limiter(limiter_redis)
    limiter.push_back(CHANNEL, seconds)
    assert limiter.reserve(CHANNEL) <= LONGEST_PUSH_BACK_SECONDS


@pytest.mark.parametrize("stored", [str(10**18), "1e300", "inf", "nan", "rubbish", ""])
def test_a_slot_that_cannot_be_is_forgotten(limiter_redis: Redis, stored: str) -> None:
    """After a clock set back, or a broken value, the channel starts as an unknown one does."""
    limiter_redis.set(KEY, stored)
    assert Limiter(limiter_redis).reserve(CHANNEL) == COLD_START_SECONDS


@pytest.mark.parametrize("pace", [25, 1.2, 1, 0.1])
def test_no_reservation_can_become_absurd(limiter_redis: Redis, pace: float) -> None:
    """However much is reserved, what is stored stays below the bound at which it would be forgotten."""
    limiter = Limiter(limiter_redis, pace=pace)
    for slots in (1, MOST_SLOTS, MOST_SLOTS, MOST_SLOTS, 10, 1):
        with suppress(NoSlotInTime):
            limiter.reserve(CHANNEL, slots)
    stored = limiter_redis.get(KEY)
    assert isinstance(stored, bytes)
    assert int(stored) - redis_now(limiter_redis) < ABSURD_SECONDS * 1_000_000


@pytest.mark.parametrize("slots", [0, -1, MOST_SLOTS + 1])
def test_an_impossible_number_of_slots(limiter_redis: Redis, slots: int) -> None:
    """Nobody takes no slots, or so many that the channel is blocked for all others."""
    with pytest.raises(ValueError, match="slots"):
        Limiter(limiter_redis).reserve(CHANNEL, slots)


@pytest.mark.parametrize("pace", [0, -1, float("nan"), float("inf")])
def test_an_impossible_pace(limiter_redis: Redis, pace: float) -> None:
    """A pace that is no positive number is refused at the door."""
    with pytest.raises(ValueError, match="pace"):
        Limiter(limiter_redis, pace=pace)


def test_a_server_that_forgot_its_scripts(limiter_redis: Redis) -> None:
    """A restarted Redis has no scripts; they are sent again."""
    limiter = Limiter(limiter_redis, pace=10)
    first = limiter.take(CHANNEL)
    limiter_redis.script_flush()
    assert limiter.take(CHANNEL).slot == first.slot + 100_000
    limiter_redis.script_flush()
    limiter.push_back(CHANNEL, 1)


def test_a_client_that_decodes_its_answers(limiter_redis: Redis) -> None:
    """Redis clients with ``decode_responses`` serve as well."""
    port = limiter_redis.connection_pool.connection_kwargs["port"]
    with Redis(port=port, decode_responses=True) as decoding:
        assert Limiter(decoding).reserve(CHANNEL) == COLD_START_SECONDS


def test_threads_never_get_the_same_slot(limiter_redis: Redis) -> None:
    """8 threads with a limiter each take 400 slots: all distinct, all at least an interval apart."""
    limiters = [Limiter(limiter_redis, pace=100) for _ in range(8)]

    def work(limiter: Limiter) -> list[int]:
        return [limiter.take(CHANNEL).slot for _ in range(50)]

    with ThreadPoolExecutor(8) as threads:
        slots = sorted(slot for taken in threads.map(work, limiters) for slot in taken)
    assert len(set(slots)) == 400
    assert min(after - before for before, after in pairwise(slots)) >= 10_000


_STEPS = st.one_of(
    st.tuples(st.just("take"), st.integers(1, 60)),
    st.tuples(st.just("push"), st.floats(0, 30)),
    st.tuples(st.just("idle"), st.floats(0, 5)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEPS, max_size=20), pace=st.floats(1, 25))
def test_any_sequence_keeps_the_distance(
    limiter_redis: Redis, steps: list[tuple[str, float]], pace: float
) -> None:
    """Whatever is reserved, pushed back or left idle: slots grow by an interval each and lie ahead."""
    limiter_redis.flushall()
    limiter = Limiter(limiter_redis, pace=pace)
    taken: list[int] = []
    earliest = 0
    for step, amount in steps:
        if step == "take":
            try:
                reservation = limiter.take(CHANNEL, int(amount))
            except NoSlotInTime:
                continue
            assert reservation.slot >= max(reservation.now, earliest)
            taken += [reservation.slot + n * limiter.interval for n in range(int(amount))]
        elif step == "push":
            earliest = redis_now(limiter_redis) + int(amount * 1_000_000)
            limiter.push_back(CHANNEL, amount)
        elif taken:  # idle: as if that much time had gone by, though never so that a slot comes back
            stored = limiter_redis.get(KEY)
            assert isinstance(stored, bytes)
            limiter_redis.set(KEY, max(int(stored), taken[-1] + limiter.interval))
    assert all(after - before >= limiter.interval for before, after in pairwise(taken))


def test_waiting_sleeps_until_the_slot(limiter_redis: Redis) -> None:
    """One reservation, one sleep of the length that it says."""
    time = FakeTime()
    set_next_slot(limiter_redis, 3)
    Limiter(limiter_redis, monotonic=time.monotonic).wait(CHANNEL, timeout=10, sleep=time.sleep)
    assert len(time.slept) == 1
    assert 2.5 < time.slept[0] <= 3


def test_a_slot_slept_through_is_thrown_away(limiter_redis: Redis) -> None:
    """Woken too late, the limiter takes a later slot instead of sending into the next one."""
    time = FakeTime(0.6)
    limiter = Limiter(limiter_redis, pace=10, monotonic=time.monotonic)
    slot = set_next_slot(limiter_redis, 3)
    limiter.wait(CHANNEL, timeout=10, sleep=time.sleep)
    assert len(time.slept) == 2
    assert limiter.take(CHANNEL).slot == slot + 2 * limiter.interval


def test_a_slightly_late_wake_up_is_used(limiter_redis: Redis) -> None:
    """Being late by less than a third of the slack costs no slot."""
    time = FakeTime()
    limiter = Limiter(limiter_redis, monotonic=time.monotonic)
    time = FakeTime(limiter.lateness * 0.9)
    limiter = Limiter(limiter_redis, monotonic=time.monotonic)
    limiter.wait(CHANNEL, timeout=10, sleep=time.sleep)
    assert len(time.slept) == 1


def test_a_machine_always_late_still_sends(limiter_redis: Redis) -> None:
    """Where every wake-up is late, slots are not thrown away for ever."""
    time = FakeTime(*[0.4] * 100)
    limiter = Limiter(limiter_redis, monotonic=time.monotonic)
    limiter.wait(CHANNEL, timeout=1000, sleep=time.sleep)
    assert len(time.slept) == 5


def test_no_slot_is_taken_that_comes_too_late(limiter_redis: Redis) -> None:
    """A caller who cannot wait so long is told at once how long it would be, and takes nothing."""
    time = FakeTime()
    limiter = Limiter(limiter_redis, monotonic=time.monotonic)
    slot = set_next_slot(limiter_redis, 60)
    with pytest.raises(NoSlotInTime) as caught:
        limiter.wait(CHANNEL, timeout=5, sleep=time.sleep)
    assert caught.value.retry_after is not None
    assert 55 < caught.value.retry_after <= 60
    assert time.slept == []
    assert limiter.take(CHANNEL).slot == slot


def test_redis_away_waits_and_then_gives_up(limiter_nowhere: Redis) -> None:
    """While Redis is away the wait goes on with growing pauses, to the deadline and no further."""
    time = FakeTime()
    with pytest.raises(LimiterUnavailable) as caught:
        Limiter(limiter_nowhere, monotonic=time.monotonic).wait(CHANNEL, timeout=20, sleep=time.sleep)
    assert isinstance(caught.value, TransientError)
    assert sum(time.slept) == pytest.approx(20)
    assert time.slept[:3] == [0.05, 0.1, 0.2]
    assert max(time.slept) == 2.0


def test_redis_back_in_time(limiter_redis: Redis) -> None:
    """An outage shorter than the time-out only delays: here the server refuses commands for a while."""
    time = FakeTime()
    limiter_redis.config_set("maxmemory", 1)  # every write is refused

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if len(time.slept) == 3:
            limiter_redis.config_set("maxmemory", 0)

    Limiter(limiter_redis, monotonic=time.monotonic).wait(CHANNEL, timeout=20, sleep=sleep)
    assert time.slept[-1] == COLD_START_SECONDS


@pytest.mark.parametrize("ask", [lambda one: one.reserve(CHANNEL), lambda one: one.push_back(CHANNEL, 1)])
def test_redis_away_is_a_typed_error(limiter_nowhere: Redis, ask: object) -> None:
    """Reserving and pushing back say by their error that nothing may be sent."""
    assert callable(ask)
    with pytest.raises(LimiterUnavailable):
        ask(Limiter(limiter_nowhere))
