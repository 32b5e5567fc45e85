"""The arithmetic of a channel's pace: never too many in any second, never slower than that needs."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.rate_limit.sliding_log import (
    CUT,
    GROWTH,
    HOLD_AFTER_FIRST,
    HOLD_AFTER_OTHERS,
    MARGIN_PER_LATENESS,
    MARGIN_SECONDS,
    MOST_LATE,
    MOST_MARGIN_SECONDS,
    MOST_SLACK,
    PROVIDER_LIMIT_PER_SECOND,
    REPEATED_WITHIN,
    SAME_AS_FIRST,
    SLACK_HALVES,
    SLACK_STEP,
    Learned,
    SlidingLog,
)


def run(log: SlidingLog, uploads: int, *, sending: float = 0.0, now: float = 1000.0) -> list[float]:
    """Send one after the other as soon as may be, each for so long; returns when they began."""
    began = []
    for _ in range(uploads):
        now = max(now, log.earliest(now))
        log.begin(now)
        began.append(now)
        now += sending
        log.finish(now)
    return began


def most_in_a_second(moments: list[float]) -> int:
    """How many lie within any second, wherever it begins."""
    ordered = sorted(moments)
    return max(bisect_left(ordered, start + 1) - place for place, start in enumerate(ordered))


def test_the_whole_allowance_is_used() -> None:
    """25 in any second, and a hundredth less than that in the long run."""
    began = run(SlidingLog(25), 2500)
    assert most_in_a_second(began) == PROVIDER_LIMIT_PER_SECOND
    assert 2500 / (began[-1] - began[0]) > 24.75


def test_uploads_keep_a_distance() -> None:
    """No bursts, not even at the beginning."""
    began = run(SlidingLog(25), 60)
    assert min(after - before for before, after in pairwise(began)) > 0.03


@pytest.mark.parametrize("pace", [0.5, 1, 5, 23.5, 25])
def test_a_lower_pace_is_kept(pace: float) -> None:
    """Other programs may upload on the same number."""
    began = run(SlidingLog(pace), 200)
    assert most_in_a_second(began) <= math.ceil(pace)
    assert 199 / (began[-1] - began[0]) == pytest.approx(pace, rel=0.03)


@pytest.mark.parametrize("pace", [0, -1, math.nan, math.inf])
def test_an_impossible_pace(pace: float) -> None:
    """A pace that is no positive number is refused at the door."""
    with pytest.raises(ValueError, match="uploads_per_second"):
        SlidingLog(pace)


@given(
    st.lists(st.tuples(st.floats(0, 0.3), st.floats(0, 2), st.floats(0, 1)), min_size=30, max_size=120),
    st.sampled_from([3, 10, 25]),
)
def test_whatever_happens_no_second_holds_too_many(
    steps: list[tuple[float, float, float]], pace: int
) -> None:
    """Late wake-ups, slow sending, many at once: an upload arrives between its begin and its end."""
    log, now = SlidingLog(pace), 1000.0
    sending: list[tuple[float, float]] = []
    arrivals: list[float] = []
    for late, takes, arrives in steps:
        earliest = log.earliest(now)
        while earliest == math.inf or any(end <= max(now, earliest) for end, _ in sending):
            sending.sort()
            end, _ = sending.pop(0)
            now = max(now, end)
            log.finish(end)
            earliest = log.earliest(now)
        now = max(now, earliest) + late
        for end, _ in sorted(one for one in sending if one[0] <= now):
            log.finish(end)
        sending = [one for one in sending if one[0] > now]
        log.begin(now)
        sending.append((now + takes, now))
        arrivals.append(now + takes * arrives)
    assert most_in_a_second(arrivals) <= pace


def test_late_wake_ups_make_windows_longer_and_prompt_ones_short_again() -> None:
    """Up to a twentieth of the pace; a single late one changes next to nothing."""
    log = SlidingLog(25)
    shortest = log.window
    log.woke(0.020)
    assert log.window == shortest
    for _ in range(100):
        log.woke(0.008)
    assert log.window == pytest.approx(1 + MARGIN_PER_LATENESS * 0.008, rel=0.001)
    for _ in range(100):
        log.woke(10.0)
    assert log.window == 1 + MOST_MARGIN_SECONDS
    for _ in range(100):
        log.woke(0.0001)
    assert log.window == shortest


def test_what_a_busy_machine_delivers_late_is_not_too_much() -> None:
    """One upload in ten leaves the machine up to four times as late as wake-ups are on average."""
    dice = random.Random(0)
    log, now = SlidingLog(25), 1000.0
    arrivals: list[float] = []
    for _ in range(3000):
        late = dice.expovariate(1 / 0.005)
        now = max(now, log.earliest(now)) + late
        log.woke(late)
        log.begin(now)
        log.finish(now)
        arrivals.append(now + (dice.uniform(0, 0.015) if dice.random() < 0.1 else 0.0))
    assert most_in_a_second(arrivals[100:]) <= PROVIDER_LIMIT_PER_SECOND


def test_what_is_being_sent_counts() -> None:
    """25 that have begun and are not sent yet leave no room for another."""
    log, now = SlidingLog(25), 1000.0
    for _ in range(25):
        now = max(now, log.earliest(now))
        log.begin(now)
    assert log.earliest(now) == math.inf
    log.finish(now + 5)
    assert log.earliest(now + 5) == pytest.approx(now + 6 + MARGIN_SECONDS)


def test_what_may_arrive_late_keeps_its_place_for_longer() -> None:
    """The first upload on a connection, which the other side is still busy with."""
    log = SlidingLog(25, margin=0)
    for late in (0.3, 0.0, 0.0):
        log.begin(1000.0)
        log.finish(1000.0, late=late)
    assert list(log.sent) == pytest.approx([1000.0, 1000.0, 1000.3])
    log = SlidingLog(25, margin=0)
    log.begin(1000.0)
    log.finish(1000.0, late=60.0)
    assert list(log.sent) == [1000.0 + MOST_LATE]


def test_what_was_not_sent_after_all_takes_nothing() -> None:
    """A slot that is given back is free."""
    log = SlidingLog(1)
    log.begin(1000.0)
    log.cancel()
    assert log.earliest(1001.0) < 1001.0


def test_a_first_429_makes_windows_longer() -> None:
    """One alone is the network's unevenness: a hundredth of the pace, half of it for five minutes."""
    log = SlidingLog(25)
    assert log.on_throttled(1000.0, hold=None) == HOLD_AFTER_FIRST
    assert log.earliest(1000.0) == 1000.0 + HOLD_AFTER_FIRST
    assert log.allowed(1000.0) == 25
    assert log.slack(1000.0) == SLACK_STEP
    assert log.slack(1000.0 + SLACK_HALVES) == pytest.approx(SLACK_STEP / 2)


def test_429s_of_one_overshoot_count_once() -> None:
    """Several uploads may be refused before the first answer is there."""
    log = SlidingLog(25)
    for late in (0.0, 0.1, SAME_AS_FIRST - 0.01):
        log.on_throttled(1000.0 + late, hold=None)
    assert (log.allowed(1001.0), log.slack(1000.0)) == (25, SLACK_STEP)


def test_slack_has_an_end() -> None:
    """However uneven the network, nine tenths of the allowance are used."""
    log = SlidingLog(25)
    for number in range(100):
        log.on_throttled(1000.0 + number * REPEATED_WITHIN, hold=None)
    assert log.learned.slack == MOST_SLACK
    assert log.allowed(2000.0) == 25


def test_the_pace_falls_when_429s_continue_and_finds_its_way_back() -> None:
    """Somebody else uploads on the number."""
    log = SlidingLog(25)
    log.on_throttled(1000.0, hold=None)
    assert log.on_throttled(1001.0, hold=None) == HOLD_AFTER_OTHERS
    assert log.allowed(1001.0) == int(25 * CUT)
    log.on_throttled(1002.0, hold=None)
    assert log.allowed(1002.0) == int(int(25 * CUT + GROWTH) * CUT)
    assert log.allowed(1002.0 + 4) == log.allowed(1002.0) + 4 * GROWTH
    assert log.allowed(1100.0) == 25


def test_the_pace_never_falls_to_nothing() -> None:
    """One upload a second is always tried."""
    log = SlidingLog(25)
    for number in range(100):
        log.on_throttled(1000.0 + number * SAME_AS_FIRST, hold=None)
    assert log.allowed(1000.0 + 99 * SAME_AS_FIRST) == 1


def test_another_program_on_the_number_gets_its_share() -> None:
    """It takes ten a second, and the provider refuses what is too much: most of what is left is used."""
    log, now = SlidingLog(25), 1000.0
    taken: list[float] = []
    others = [1000.0 + number / 10 for number in range(1200)]
    refused = 0
    while now < 1120.0:
        now = max(now, log.earliest(now))
        recent = [at for at in taken[-25:] if at > now - 1]
        recent += [at for at in others if now - 1 < at <= now]
        log.begin(now)
        log.finish(now)
        if len(recent) < PROVIDER_LIMIT_PER_SECOND:
            taken.append(now)
        else:
            refused += 1
            log.on_throttled(now, hold=None)
    late = [at for at in taken if at > 1020.0]
    assert len(late) / 100 > 10
    assert refused / len(taken) < 0.05


def test_what_a_provider_asks_for_is_waited_for() -> None:
    """Its own word goes before ours, and a later and shorter one does not shorten it."""
    log = SlidingLog(25)
    assert log.on_throttled(1000.0, hold=30.0) == 30.0
    log.on_throttled(1000.1, hold=1.0)
    assert log.earliest(1000.1) == 1030.0


def test_a_log_goes_on_from_another() -> None:
    """As if it were one: what was sent and what was learned."""
    first, second = SlidingLog(25), SlidingLog(25)
    began = run(first, 40)
    first.on_throttled(began[-1], hold=None)
    second.adopt(first.sent, first.learned)
    assert second.earliest(began[-1]) == first.earliest(began[-1])
    assert most_in_a_second(began + run(second, 40, now=began[-1])) == 25


def test_channels_that_begin_together_do_not_stay_in_step() -> None:
    """A delay of its own for each, on top of the second that is taken to have been full."""
    log = SlidingLog(25)
    log.adopt([1000.0] * 25, Learned(), after=0.02)
    assert log.earliest(1000.0) == pytest.approx(1001.02 + MARGIN_SECONDS)
