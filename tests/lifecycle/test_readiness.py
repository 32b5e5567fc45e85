"""When uploads are over: by their number, the rate, and what goes first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.readiness import PendingUploads, Readiness, UploadRate, finish_times

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def job(files: int, *, send_in: timedelta, start_in: timedelta = -HOUR) -> PendingUploads:
    """Uploads that are sent after so long."""
    return PendingUploads(send_at=NOW + send_in, start=NOW + start_in, files=files)


def seconds(*jobs: PendingUploads, per_second: float = 25) -> list[float]:
    """When each send time's uploads are over, in seconds from now, the earliest send time first."""
    ends = finish_times(jobs, now=NOW, per_second=per_second)
    return [round((end - NOW).total_seconds(), 3) for _, end in sorted(ends.items())]


def test_what_is_sent_first_is_uploaded_first() -> None:
    """3,000 files take 120 s; what is sent later waits for them."""
    assert seconds(job(3000, send_in=HOUR)) == [120]
    assert seconds(job(500, send_in=2 * HOUR), job(3000, send_in=HOUR)) == [120, 140]
    assert seconds(job(500, send_in=HOUR), job(3000, send_in=HOUR)) == [140]
    assert seconds() == []


def test_what_begins_later_overtakes_if_it_is_sent_sooner() -> None:
    """1,000 files of another campaign wait for 250 that begin 10 s from now."""
    urgent = job(250, send_in=HOUR, start_in=10 * SECOND)
    assert seconds(urgent, job(1000, send_in=2 * HOUR)) == [20, 50]
    relaxed = job(250, send_in=3 * HOUR, start_in=10 * SECOND)
    assert seconds(relaxed, job(1000, send_in=2 * HOUR)) == [40, 50]


def test_a_pause_before_the_next_begins() -> None:
    """Between two campaigns there may be nothing to do."""
    assert seconds(job(25, send_in=HOUR), job(50, send_in=2 * HOUR, start_in=HOUR)) == [1, 3602]


def test_no_date_is_beyond_the_calendar() -> None:
    """However much there is to do."""
    assert finish_times([job(10**9, send_in=HOUR)], now=NOW, per_second=0.001)


JOBS = st.lists(
    st.builds(
        lambda files, send, start: job(files, send_in=send * SECOND, start_in=start * SECOND),
        st.integers(1, 500),
        st.integers(0, 20),
        st.integers(-10, 60),
    ),
    max_size=8,
)


@given(JOBS)
def test_no_upload_is_lost_or_done_twice(jobs: list[PendingUploads]) -> None:
    """The last end is that of a queue without priorities, and each send time has one, after its start."""
    ends = finish_times(jobs, now=NOW, per_second=25)
    assert set(ends) == {one.send_at for one in jobs}
    over = NOW
    for one in sorted(jobs, key=lambda one: one.start):
        over = max(over, one.start) + one.files / 25 * SECOND
    assert abs(max(ends.values(), default=NOW) - over) < SECOND
    for one in jobs:
        assert ends[one.send_at] >= max(one.start, NOW) + one.files / 25 * SECOND - SECOND / 25


RATE = UploadRate(per_second=25, allowed=25, observed=False)


def readiness(**more: object) -> Readiness:
    """Of a campaign that is sent in an hour."""
    values = {"left": 10, "rate": RATE, "start": NOW, "send_at": NOW + HOUR, "ready_at": NOW + 2 * HOUR}
    return Readiness(**{**values, **more})  # type: ignore[arg-type] # of the fields above


@pytest.mark.parametrize(
    ("more", "at_risk", "words"),
    [
        ({"ready_at": NOW + HOUR}, False, []),
        ({"left": 0}, False, []),
        ({}, True, ["another number", "Move it"]),
        ({"ready_at": None}, True, ["resume"]),
        ({"start": NOW + HOUR / 2}, True, ["sooner", "another number", "Move it"]),
        (
            {"rate": UploadRate(per_second=8.13, allowed=25, observed=True)},
            True,
            ["8.1 files a second of the 25", "Move it"],
        ),
    ],
)
def test_a_risk_comes_with_what_helps(more: dict[str, object], *, at_risk: bool, words: list[str]) -> None:
    """In order: sooner, faster or elsewhere, later."""
    one = readiness(**more)
    assert one.at_risk is at_risk
    said = one.what_helps(now=NOW)
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))
