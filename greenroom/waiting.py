"""Waiting for a campaign: ask how far it is, again and again, until nothing of it is on its way."""

from __future__ import annotations

import time
from collections.abc import Callable

from greenroom.answers import CampaignState, CampaignStatus
from greenroom.errors import TransientError

#: Seconds between two looks: ten times what the last one took, so that waiting for a campaign of a million
#: items takes a worker a tenth of its time; and between these.
SHORTEST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
PAUSES_A_LOOK = 10


class NotSettledInTime(TransientError):
    """A campaign still has items on their way; the text says what they wait for.

    Attributes:
        status: how far it is.
    """

    def __init__(self, status: CampaignStatus, timeout: float) -> None:
        super().__init__(
            f"Campaign {status.campaign_id} is not settled after {timeout:g} seconds: {_standing(status)}."
            f"{_obstacle(status)}"
        )
        self.status = status


def _standing(status: CampaignStatus) -> str:
    counts = {
        "ready": status.ready,
        "to be checked": status.checking,
        "scheduled": status.scheduled,
        "waiting": status.waiting,
        "uploading": status.uploading,
        "rejected": status.rejected,
        "failed": status.failed,
    }
    return f"of {status.total} items, " + ", ".join(f"{n} {name}" for name, n in counts.items() if n)


def _obstacle(status: CampaignStatus) -> str:
    if status.state is CampaignState.PAUSED:
        return f" Channel {status.channel} is paused: {status.paused_reason}"
    return f" Waiting to try again: {status.hindrance}" if status.hindrance else ""


class SettlingWait:
    """When to look at a campaign that is waited for, and when that is over; whoever waits looks and sleeps.

    Args:
        timeout: seconds, for all of it.
        monotonic: seconds on a clock that never jumps.
    """

    def __init__(self, *, timeout: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._timeout = timeout
        self._monotonic = monotonic
        self._until = monotonic() + timeout
        self._asked = 0.0

    def patience(self) -> float:
        """How many seconds a look that begins now may take."""
        self._asked = self._monotonic()
        return max(self._until - self._asked, SHORTEST_PAUSE)

    def pause_after(self, last: CampaignStatus | TransientError) -> float:
        """How many seconds to sleep before the next look.

        Args:
            last: what the last look found, or failed with.

        Raises:
            NotSettledInTime: items are still on their way.
            TransientError: the last look failed, and the time is over.
        """
        now = self._monotonic()
        left = self._until - now
        if left <= 0:
            raise last if isinstance(last, TransientError) else NotSettledInTime(last, self._timeout)
        pause = min(max((now - self._asked) * PAUSES_A_LOOK, SHORTEST_PAUSE), LONGEST_PAUSE)
        return min(pause, left)


def wait_until_settled(
    look: Callable[[float], CampaignStatus],
    *,
    timeout: float,
    on_progress: Callable[[CampaignStatus], object] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> CampaignStatus:
    """Look until nothing is on its way; returns how far the campaign is then.

    Failures of the moment (the broker, the database) are waited out.

    Args:
        look: asks how far it is, within a number of seconds.
        timeout: seconds, for all of it.
        on_progress: is told of each look.
        monotonic: seconds on a clock that never jumps.
        sleep: waits for seconds.

    Raises:
        NotSettledInTime: items are still on their way.
        TransientError: the last look failed, and the time is over.
    """
    wait = SettlingWait(timeout=timeout, monotonic=monotonic)
    while True:
        last: CampaignStatus | TransientError
        try:
            last = look(wait.patience())
        except TransientError as error:
            last = error
        else:
            if on_progress is not None:
                on_progress(last)
            if last.is_settled:
                return last
        sleep(wait.pause_after(last))
