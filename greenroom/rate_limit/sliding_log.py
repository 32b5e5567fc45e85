"""When a channel's last uploads were sent, and when the next one may begin: arithmetic alone, no clock.

"A limit of 25 requests per second (RPS) per phone number." (360dialog, Constraints.) So in any second,
wherever it begins, no more than 25 uploads may arrive. What arrives when cannot be seen from here, but two
things can: an upload arrives after it was begun, and a small one has arrived a moment after its last byte was
sent. The log holds the moments at which the last ones were *sent*; the next may *begin* when the 25th before
it was sent a second ago, and a margin. What was begun and is not sent yet counts as if it were being sent
right now. Stamped before sending instead, and slowed down by a busy machine, 26 arrive in a second.

Between the last byte and its arrival there is the machine, too. Where others take its processors, it delivers
some milliseconds late what was sent, as it wakes late whoever waits for a slot. The second can be measured:
windows are longer than the provider's by a few times the usual lateness.

The first upload on a connection may arrive later than others by as long as connecting took: the other side
was as slow a moment before. Where many connect at once, after a cut, whatever speaks TLS there is busy with
their handshakes, and delivers what they sent together with what others send after them.

Besides, uploads keep a distance, a little less than an even pace would: there are no bursts, and what a busy
moment has delayed is made up for.

A 429 has one of two reasons, and they are told apart by whether more of them follow:

* The network delivered some uploads late, close upon the next ones. Windows become :data:`SLACK_STEP` longer,
  and lose half of what they gained in :data:`SLACK_HALVES` seconds: a channel learns what its network needs.
* Somebody else uploads on the number. The pace falls by a seventh each time, and grows by :data:`GROWTH` a
  second: there is room for the other, and the whole allowance is found again when he stops.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

#: "A limit of 25 requests per second (RPS) per phone number."
PROVIDER_LIMIT_PER_SECOND = 25
#: Seconds by which a window is longer than the provider's: for what the network and the provider take longer
#: to deliver one upload than another.
MARGIN_SECONDS = 0.005
#: The same on a busy machine: so many times as long as wake-ups were late on average, up to the most; and the
#: weight of the last one in that average. Measured on two processors with twelve programs that want them: one
#: upload in a thousand is delivered up to 20 ms late, when wake-ups are 2 to 5 ms late on average.
MARGIN_PER_LATENESS = 4.0
MOST_MARGIN_SECONDS = 0.050
LATENESS_WEIGHT = 1 / 16
#: Seconds that count at most of what connecting took.
MOST_LATE = 1.0
#: The distance of two uploads, as a part of the one that an even pace would have.
DISTANCE = 0.8
#: Seconds that a 429 adds to a window, up to the most; and in which half of what was added is gone.
SLACK_STEP = 0.005
MOST_SLACK = 0.100
SLACK_HALVES = 30.0
#: Seconds within which a second 429 means that somebody else uploads on the number; and those within which it
#: still belongs to the first.
REPEATED_WITHIN = 2.0
SAME_AS_FIRST = 0.5
#: What remains of the pace then.
CUT = 0.85
#: Uploads a second that the pace grows by in each second after that.
GROWTH = 0.5
#: Seconds that nothing is sent after a 429 that does not say how long: the first one, and others.
HOLD_AFTER_FIRST = 0.1
HOLD_AFTER_OTHERS = 0.5


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a channel's 429s have taught; moments are those of the log.

    Attributes:
        cut: uploads a window, as the last cut left them.
        cut_at: when that was.
        slack: seconds by which windows were longer, after the last 429.
        refused_at: when that was.
        held_until: nothing begins before this.
    """

    cut: float = math.inf
    cut_at: float = -math.inf
    slack: float = 0.0
    refused_at: float = -math.inf
    held_until: float = -math.inf


class SlidingLog:
    """The last uploads of one channel; moments are seconds of one clock that never jumps."""

    def __init__(self, uploads_per_second: float, *, margin: float = MARGIN_SECONDS) -> None:
        """Begin with a log that knows of no upload.

        Args:
            uploads_per_second: uploads a second at most.
            margin: seconds.

        Raises:
            ValueError: the pace is not a positive number.
        """
        if not (math.isfinite(uploads_per_second) and uploads_per_second > 0):
            raise ValueError(f"uploads_per_second must be a positive number, not {uploads_per_second}")
        #: Uploads in one window; never a window shorter than the provider's second.
        self.most = math.ceil(uploads_per_second)
        self._margin = margin
        self._shortest = self.most / uploads_per_second
        self._lateness = 0.0
        self.sent: deque[float] = deque(maxlen=self.most)
        #: Begun, and not sent yet.
        self.open = 0
        self.learned = Learned()
        #: When the last one began.
        self.begun_at = -math.inf
        self._not_before = -math.inf

    @property
    def window(self) -> float:
        """Seconds in which no more than :attr:`most` are begun."""
        margin = min(MARGIN_PER_LATENESS * self._lateness, MOST_MARGIN_SECONDS)
        return self._shortest + max(self._margin, margin)

    def woke(self, late: float) -> None:
        """Whoever waited for a slot was woken so many seconds late."""
        self._lateness += LATENESS_WEIGHT * (min(max(late, 0.0), MOST_MARGIN_SECONDS) - self._lateness)

    def allowed(self, now: float) -> int:
        """Uploads that one window may hold at present."""
        if self.learned.cut >= self.most:
            return self.most
        grown = self.learned.cut + GROWTH * (now - self.learned.cut_at)
        return int(min(self.most, max(1.0, grown)))

    def slack(self, now: float) -> float:
        """Seconds by which windows are longer at present, for a network that delivers unevenly."""
        if not self.learned.slack:
            return 0.0
        return self.learned.slack * math.exp2((self.learned.refused_at - now) / SLACK_HALVES)

    def earliest(self, now: float) -> float:
        """When the next upload may begin; infinite while that depends on one that is still being sent."""
        allowed = self.allowed(now)
        window = self.window + self.slack(now)
        free = allowed - self.open
        if free <= 0:
            return math.inf
        distance = DISTANCE * window / allowed
        earliest = max(self.learned.held_until, self._not_before, self.begun_at + distance)
        if len(self.sent) >= free:
            earliest = max(earliest, self.sent[-free] + window)
        return earliest

    def begin(self, now: float) -> None:
        """An upload begins now."""
        self.open += 1
        self.begun_at = now

    def finish(self, now: float, *, late: float = 0.0) -> None:
        """One that was begun has been sent, or broke off while it was.

        Args:
            now: the present.
            late: seconds by which it may arrive later than others; up to :data:`MOST_LATE`.
        """
        self.open -= 1
        moment = now + min(late, MOST_LATE)
        # Only what is late comes out of order, and this is done for each upload.
        in_order = not self.sent or self.sent[-1] <= moment
        self.sent.append(moment)
        if not in_order:
            self.sent = deque(sorted(self.sent), maxlen=self.most)

    def cancel(self) -> None:
        """One that was begun was not sent at all."""
        self.open -= 1

    def on_throttled(self, now: float, *, hold: float | None) -> float:
        """The provider answered 429.

        Args:
            now: the present.
            hold: seconds for which it wants to see nothing; None where it did not say.

        Returns:
            Seconds for which nothing begins.
        """
        learned = self.learned
        since = now - learned.refused_at
        repeated = SAME_AS_FIRST <= since < REPEATED_WITHIN
        if hold is None:
            hold = HOLD_AFTER_OTHERS if repeated else HOLD_AFTER_FIRST
        learned = replace(learned, held_until=max(learned.held_until, now + hold))
        if repeated:
            learned = replace(learned, cut=max(1.0, self.allowed(now) * CUT), cut_at=now, refused_at=now)
        elif since >= REPEATED_WITHIN:
            slack = min(self.slack(now) + SLACK_STEP, MOST_SLACK)
            learned = replace(learned, slack=slack, refused_at=now)
        self.learned = learned
        return hold

    def adopt(self, sent: Iterable[float], learned: Learned, *, after: float = 0.0) -> None:
        """Continue from what somebody else's log knew last.

        Args:
            sent: moments.
            learned: from 429s.
            after: seconds to wait besides, so that channels that begin together do not go on in step.
        """
        self.sent.extend(sorted(sent))
        self.learned = learned
        if self.sent:
            self.begun_at = self.sent[-1]
        if after:
            self._not_before = self.begun_at + self.window + after
