"""Every rule at its boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.lifecycle import LifeRules

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
BORN = datetime(2026, 1, 1, tzinfo=UTC)
RULES = LifeRules(
    life=30 * DAY,
    margin=3 * DAY,
    spread=2 * DAY,
    trust_last_use=False,
    verify_after=7 * DAY,
    verify_every=2 * DAY,
)
TRUSTING = replace(RULES, trust_last_use=True)


def test_the_page_counts_from_the_last_use() -> None:
    """Or from the upload, before any use, and for a use that was reported from before it."""
    assert RULES.expires_at(BORN, None) == BORN + 30 * DAY
    assert RULES.expires_at(BORN, BORN + 4 * DAY) == BORN + 34 * DAY
    assert RULES.expires_at(BORN, BORN - 4 * DAY) == BORN + 30 * DAY


def test_an_id_is_relied_on_for_a_life_from_its_upload() -> None:
    """Unless the operator trusts last use."""
    assert RULES.end(BORN, BORN + 4 * DAY) == BORN + 30 * DAY
    assert TRUSTING.end(BORN, BORN + 4 * DAY) == BORN + 34 * DAY


@pytest.mark.parametrize(
    ("lot", "days"), [(0, 27.0), (1000, 27.0), (500, 26.0), (250, 26.5), (999, 25.002), (1999, 25.002)]
)
def test_lots_share_the_spread(lot: int, days: float) -> None:
    """The first has all the time that the margin leaves; the last, two days less."""
    assert RULES.refresh_at(BORN, None, lot=lot) == BORN + days * DAY


def test_a_use_moves_a_renewal_only_where_it_is_trusted() -> None:
    """By as much as it moves the end."""
    assert RULES.refresh_at(BORN, BORN + 4 * DAY, lot=0) == BORN + 27 * DAY
    assert TRUSTING.refresh_at(BORN, BORN + 4 * DAY, lot=0) == BORN + 31 * DAY


@pytest.mark.parametrize(("life", "lead"), [(30 * DAY, 3 * DAY), (12 * DAY, 3 * DAY), (8 * DAY, 2 * DAY)])
def test_a_short_life_leaves_a_quarter_as_margin(life: timedelta, lead: timedelta) -> None:
    """And a quarter at most to be spread over."""
    rules = replace(RULES, life=life)
    assert rules.lead == lead
    assert rules.look_every == lead / 12
    widest = rules.refresh_at(BORN, None, lot=0) - rules.refresh_at(BORN, None, lot=999)
    assert widest == min(2 * DAY, life / 4) * 999 / 1000


def test_the_last_third_of_the_margin_hurries() -> None:
    """From that moment on, and not before."""
    end = BORN + 30 * DAY
    assert RULES.hurries(end, end - DAY)
    assert not RULES.hurries(end, end - DAY - MOMENT)


def test_the_first_look_up_waits_and_others_follow() -> None:
    """None comes sooner than the first, however early an ID was seen alive."""
    assert RULES.verify_at(BORN, None) == BORN + 7 * DAY
    assert RULES.verify_at(BORN, BORN + DAY) == BORN + 7 * DAY
    assert RULES.verify_at(BORN, BORN + 8 * DAY) == BORN + 10 * DAY


def test_what_is_renewed_before_is_not_looked_up() -> None:
    """Unless it is not renewed by then, because its last use is trusted."""
    assert RULES.verify_at(BORN, BORN + 25 * DAY) is None
    assert RULES.verify_at(BORN, BORN + 25 * DAY - MOMENT) == BORN + 27 * DAY - MOMENT
    assert TRUSTING.verify_at(BORN, BORN + 25 * DAY) == BORN + 27 * DAY
    assert replace(RULES, life=timedelta(hours=1)).verify_at(BORN, None) is None


def test_the_fingerprint_tells_any_two_rules_apart() -> None:
    """Each part of it matters, and nothing else."""
    others = [
        replace(RULES, life=29 * DAY),
        replace(RULES, margin=2 * DAY),
        replace(RULES, spread=DAY),
        replace(RULES, verify_after=6 * DAY),
        replace(RULES, verify_every=DAY),
        TRUSTING,
    ]
    assert len({rules.fingerprint for rules in [RULES, *others]}) == 7
    assert replace(RULES).fingerprint == RULES.fingerprint
    assert RULES.fingerprint == "2592000/259200/172800/604800/172800/False"


LENGTHS = st.timedeltas(min_value=timedelta(minutes=1), max_value=365 * DAY)


@given(life=LENGTHS, margin=LENGTHS, spread=LENGTHS, lot=st.integers(0, 10**12), used=LENGTHS)
def test_whatever_the_rules_are_a_renewal_comes_within_the_life(
    life: timedelta, margin: timedelta, spread: timedelta, lot: int, used: timedelta
) -> None:
    """In its second half, and before the end by the margin or by a quarter."""
    rules = replace(RULES, life=life, margin=margin, spread=spread)
    at = rules.refresh_at(BORN, BORN + used, lot=lot)
    assert BORN + life / 2 - MOMENT <= at <= BORN + life - min(margin, life / 4)
