"""A scheduler that waits for a campaign: until when, how often it asks, and what it is told at the end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from greenroom.answers import CampaignStatus
from greenroom.errors import DatabaseUnavailable, UnknownName
from greenroom.waiting import NotSettledInTime, wait_until_settled

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def standing(**counts: Any) -> CampaignStatus:
    """A campaign's status."""
    return CampaignStatus.model_validate(
        {
            "campaign_id": "spring",
            "channel": "49",
            "send_at": NOW,
            "keep_until": NOW + timedelta(days=1),
            "state": "running",
            **counts,
        }
    )


class Waiting:
    """Somebody who waits, with a clock that moves where they sleep or ask."""

    def __init__(self, answers: Iterable[CampaignStatus | Exception], *, a_look_takes: float = 0.0) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.seen: list[CampaignStatus] = []
        self.patience: list[float] = []
        self._answers = iter(answers)
        self._takes = a_look_takes

    def look(self, seconds: float) -> CampaignStatus:
        """Ask."""
        self.patience.append(seconds)
        self.now += self._takes
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        """Be later."""
        self.slept.append(seconds)
        self.now += seconds

    def until_settled(self, timeout: float) -> CampaignStatus:
        """Wait."""
        return wait_until_settled(
            self.look,
            timeout=timeout,
            on_progress=self.seen.append,
            monotonic=lambda: self.now,
            sleep=self.sleep,
        )


@pytest.mark.parametrize(
    "last",
    [
        standing(ready=3),
        standing(ready=1, rejected=1, failed=1),
        standing(waiting=3, state="cancelled"),
        standing(checking=3, state="over"),
        standing(),
    ],
)
def test_it_ends_where_waiting_changes_nothing(last: CampaignStatus) -> None:
    """Ready, rejected, cancelled, over or empty; each status on the way was told."""
    on_the_way = [standing(checking=3), standing(waiting=2, ready=1), standing(uploading=1, ready=2)]
    waiting = Waiting([*on_the_way, last])
    assert waiting.until_settled(60) == last
    assert waiting.seen == [*on_the_way, last]


def test_a_paused_channel_is_waited_for_and_named_at_the_end() -> None:
    """An operator may resume it; if nobody does, the error says what is wrong, and has the counts."""
    paused = standing(waiting=2, ready=1, rejected=1, state="paused", paused_reason="The key is wrong.")
    with pytest.raises(NotSettledInTime) as caught:
        Waiting([paused] * 1000).until_settled(60)
    assert str(caught.value) == (
        "Campaign spring is not settled after 60 seconds: of 4 items, 1 ready, 2 waiting, 1 rejected. "
        "Channel 49 is paused: The key is wrong."
    )
    assert caught.value.status == paused


def test_what_has_to_wait_says_why() -> None:
    """In the words of its last failure."""
    with pytest.raises(NotSettledInTime, match=r"Waiting to try again: No disk\."):
        Waiting([standing(waiting=1, hindrance="No disk.")] * 1000).until_settled(1)


def test_failures_of_the_moment_are_waited_out() -> None:
    """Until the time is over; others are not."""
    away = DatabaseUnavailable("away")
    assert Waiting([away, away, standing(ready=1)]).until_settled(60).is_ready
    with pytest.raises(DatabaseUnavailable):
        Waiting([standing(waiting=1), *[away] * 1000]).until_settled(60)
    with pytest.raises(UnknownName):
        Waiting([UnknownName("no")]).until_settled(60)


def test_whoever_waits_takes_a_tenth_of_a_workers_time() -> None:
    """A look at a large campaign takes long, and is asked for less often; nobody waits past the end."""
    waiting = Waiting([standing(waiting=1)] * 1000, a_look_takes=2.0)
    with pytest.raises(NotSettledInTime):
        waiting.until_settled(100)
    assert set(waiting.slept[:-1]) == {20.0}
    quick = Waiting([standing(waiting=1)] * 1000)
    with pytest.raises(NotSettledInTime):
        quick.until_settled(10)
    assert set(quick.slept) == {0.5}
    assert quick.patience[0] == 10
    slow = Waiting([standing(waiting=1)] * 1000, a_look_takes=10.0)
    with pytest.raises(NotSettledInTime):
        slow.until_settled(100)
    assert slow.slept == [30.0, 30.0, 10.0]
    assert slow.now == 110
