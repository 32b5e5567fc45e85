"""The sliding windows, driven with explicit stamps."""

from __future__ import annotations

import random

import pytest

from sandbox.rate_limits import ERROR_RULES, LookupThrottle, RuleWatch, SlidingSecond

MINUTE = 60.0
TWENTY, FIVE = ERROR_RULES


def test_25_in_a_second_and_not_26() -> None:
    """Page: "A limit of 25 requests per second (RPS) per phone number"."""
    second = SlidingSecond()
    assert [second.arrive(100.0) for _ in range(26)] == [True] * 25 + [False]
    assert second.peak == 26


def test_the_second_slides() -> None:
    """Page: "25 requests per second": any second, not the calendar's; 13 + 13 about its turn are too many."""
    second = SlidingSecond()
    assert all(second.arrive(0.9) for _ in range(13))
    assert [second.arrive(1.1) for _ in range(13)] == [True] * 12 + [False]


def test_an_arrival_leaves_the_window_after_a_second() -> None:
    """Page: "25 requests per second": exactly one second later it counts no more."""
    second = SlidingSecond()
    assert all(second.arrive(5.0) for _ in range(25))
    assert not second.arrive(5.999)
    assert second.arrive(6.0)


def test_refused_arrivals_count_too() -> None:
    """The limit is one of requests: who goes on at 50 a second is refused all but the first 25."""
    second = SlidingSecond()
    assert sum(second.arrive(number / 50) for number in range(500)) == 25


def test_a_steady_25_a_second_is_never_refused() -> None:
    """Page: "A limit of 25 requests per second": the limit itself is allowed."""
    second = SlidingSecond()
    assert all(second.arrive(whole + part / 32) for whole in range(40) for part in range(25))
    assert second.peak == 25


@pytest.mark.parametrize("seed", range(5))
def test_the_window_agrees_with_counting(seed: int) -> None:
    """The limit again, against the plainest possible count over random arrivals."""
    dice = random.Random(seed)
    stamps = sorted(dice.uniform(0, 10) for _ in range(400))
    second = SlidingSecond()
    for position, stamp in enumerate(stamps):
        within = sum(1 for each in stamps[: position + 1] if each > stamp - 1.0)
        assert second.arrive(stamp) == (within <= 25)


def test_more_than_five_failures_block_for_an_hour() -> None:
    """Page: "exceeds five (5) failed requests [...] within one hour [...] blocked [...] for one hour"."""
    throttle = LookupThrottle()
    for number in range(5):
        throttle.failed(number * MINUTE)
    assert throttle.blocked_until(5 * MINUTE) is None
    throttle.failed(5 * MINUTE)
    assert throttle.blocked_until(5 * MINUTE) == 65 * MINUTE
    assert throttle.blocked_until(65 * MINUTE - 1) == 65 * MINUTE
    assert throttle.blocked_until(65 * MINUTE) is None


def test_failures_an_hour_apart_do_not_add_up() -> None:
    """Page: "within one hour": the first of six is out of the window when the sixth comes an hour later."""
    throttle = LookupThrottle()
    for number in range(100):
        throttle.failed(number * 12 * MINUTE)  # five an hour
    assert throttle.blocked_until(99 * 12 * MINUTE) is None


def test_more_than_20_errors_block_for_30_minutes() -> None:
    """Page: "20 error responses within a 60-minute window. [...] exceeded [...] blocked for 30 minutes"."""
    watch = RuleWatch(TWENTY)
    for number in range(20):
        watch.error(number * MINUTE, refusal=False)
    assert watch.blocked_until(20 * MINUTE) is None
    watch.error(20 * MINUTE, refusal=False)
    assert watch.blocked_until(20 * MINUTE) == 50 * MINUTE
    assert watch.blocked_until(50 * MINUTE) is None


def test_20_errors_spread_over_more_than_an_hour_do_not_block() -> None:
    """Page: "within a 60-minute window"."""
    watch = RuleWatch(TWENTY)
    for number in range(200):
        watch.error(number * 3 * MINUTE, refusal=False)  # 20 an hour
    assert watch.blocked_until(199 * 3 * MINUTE) is None


def test_an_error_after_the_penalty_may_block_again() -> None:
    """Page: "20 error responses within a 60-minute window": the penalty does not empty the window."""
    watch = RuleWatch(TWENTY)
    for _ in range(21):
        watch.error(0.0, refusal=False)
    assert watch.blocked_until(30 * MINUTE) is None
    watch.error(31 * MINUTE, refusal=False)
    assert watch.blocked_until(31 * MINUTE) == 61 * MINUTE


def test_a_refusal_is_an_error_response_but_no_failed_request() -> None:
    """Where the page leaves a choice: "error responses" includes refusals, "failed requests" does not."""
    five, twenty = RuleWatch(FIVE), RuleWatch(TWENTY)
    for watch in (five, twenty):
        for _ in range(21):
            watch.error(0.0, refusal=True)
    assert five.blocked_until(1.0) is None
    assert twenty.blocked_until(1.0) == 30 * MINUTE


def test_a_block_has_a_fixed_term() -> None:
    """Page: "will be blocked for 30 minutes", "for one hour": running into a block does not lengthen it."""
    throttle = LookupThrottle()
    for _ in range(6):
        throttle.failed(0.0)
    for number in range(1000):
        throttle.refused(number * 0.5)
    assert throttle.blocked_until(600.0) == 60 * MINUTE
    assert throttle.blocked_until(60 * MINUTE) is None


def test_uploads_may_count_for_the_rule_of_five_alone() -> None:
    """Page: "five (5) failed requests to the /media endpoint"; the rule of 20 is about GET /<media_id>."""
    throttle = LookupThrottle()
    for _ in range(4):
        throttle.failed(0.0)
    throttle.upload_failed(0.0)
    assert throttle.blocked_until(0.0) is None
    throttle.upload_failed(0.0)
    assert throttle.blocked_until(0.0) == 60 * MINUTE
    many = LookupThrottle((TWENTY,))
    for _ in range(30):
        many.upload_failed(0.0)
    assert many.blocked_until(0.0) is None


@pytest.mark.parametrize("seed", range(3))
def test_arrivals_that_are_seen_late_count_where_they_came(seed: int) -> None:
    """A busy server sees requests in another order than they came in; the peak is the same."""
    dice = random.Random(seed)
    stamps = [dice.uniform(0, 10) for _ in range(400)]
    second, late = SlidingSecond(), SlidingSecond()
    for stamp in sorted(stamps):
        second.arrive(stamp)
    for stamp in sorted(stamps, key=lambda stamp: stamp + dice.uniform(0, 3)):
        late.arrive(stamp)
    assert late.peak == second.peak


def test_what_is_seen_much_too_late_is_not_refused() -> None:
    """It is not remembered any more what came then."""
    second = SlidingSecond()
    second.arrive(1000.0)
    assert second.arrive(900.0)
    assert second.peak == 1
