"""Moments from outside lie within bounds, so that no sum with one is out of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from greenroom.clock import EARLIEST, LATEST, later, require_aware, require_plausible
from greenroom.errors import ManifestError
from greenroom.manifest import parse_moment, parse_plan

PLAN = {
    "id": "spring",
    "channel": "4915112345678",
    "send_at": "2026-06-01T12:00:00+00:00",
    "keep_until": "2026-06-08T12:00:00+00:00",
}
OUT_OF_BOUNDS = [
    "9999-12-31T23:59:59+00:00",
    "9999-12-31T23:59:59-05:00",
    "0001-01-01T00:00:00+05:00",
    "0001-01-01T00:00:00+00:00",
    "2100-01-01T00:00:01+00:00",
    "1999-12-31T23:59:59+00:00",
]


@pytest.mark.parametrize("moment", OUT_OF_BOUNDS)
@pytest.mark.parametrize("field", ["send_at", "keep_until"])
def test_a_campaign_far_away_is_refused(field: str, moment: str) -> None:
    """With a sentence that names the field, however the date is wrong."""
    with pytest.raises(ManifestError, match=rf"{field}: (must lie|\S+ is no moment in UTC)"):
        parse_plan({**PLAN, field: moment})


@pytest.mark.parametrize("moment", OUT_OF_BOUNDS)
def test_a_moment_far_away_is_refused(moment: str) -> None:
    """As a person writes it, and as a sender reports it."""
    with pytest.raises(ManifestError, match=r"must lie between the years 2000 and 2100|no point in time"):
        parse_moment(moment)


@pytest.mark.parametrize("moment", [EARLIEST, LATEST, datetime(2026, 6, 1, tzinfo=UTC)])
def test_the_bounds_themselves_are_taken(moment: datetime) -> None:
    """In any zone."""
    assert require_plausible(moment.astimezone(timezone(timedelta(hours=9)))) == moment
    assert parse_moment(moment.isoformat()) == moment


def test_what_utc_has_no_moment_for_is_a_value_error() -> None:
    """And not an `OverflowError`, which nobody expects of a date."""
    west = timezone(timedelta(hours=-5))
    with pytest.raises(ValueError, match="no moment in UTC"):
        require_aware(datetime.max.replace(tzinfo=west))


@pytest.mark.parametrize(
    ("moment", "by", "sum_"),
    [
        (datetime(2026, 6, 1, tzinfo=UTC), timedelta(days=1), datetime(2026, 6, 2, tzinfo=UTC)),
        (LATEST - timedelta(days=1), timedelta(days=1), LATEST),
        (LATEST, timedelta(days=1), LATEST),
        (datetime.max.replace(tzinfo=UTC), timedelta(days=365), LATEST),
    ],
)
def test_a_sum_ends_with_the_calendar(moment: datetime, by: timedelta, sum_: datetime) -> None:
    """A row from before the bounds stops nobody's task."""
    assert later(moment, by) == sum_
