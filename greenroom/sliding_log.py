"""When a channel's last uploads were sent, and when the next one may begin: arithmetic alone, no clock.

"A limit of 25 requests per second (RPS) per phone number." (360dialog, Constraints.) So in any second,
wherever it begins, no more than 25 uploads may arrive. What arrives when cannot be seen from here, but two
things can: an upload arrives after it was begun, and a small one has arrived a moment after its last byte was
sent. The log holds the moments at which the last ones were *sent*; the next may *begin* when the 25th before
it was sent a second ago, and a margin. What was begun and is not sent yet counts as if it were being sent
right now. Stamped before sending instead, and slowed down by a busy machine, 26 arrive in a second.

Besides, uploads keep a distance, a little less than an even pace would: there are no bursts, and what a busy
moment has delayed is made up for.

After a 429 the pace falls to three quarters at once, and grows again by :data:`GROWTH` a second: whoever else
uploads on the number is made room for, and the whole allowance is found again when he stops.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

#: "A limit of 25 requests per second (RPS) per phone number."
PROVIDER_LIMIT_PER_SECOND = 25
#: Seconds by which a window is longer than the provider's: for what the network and the provider take longer
#: to deliver one upload than another.
MARGIN_SECONDS = 0.002
#: The distance of two uploads, as a part of the one that an even pace would have.
DISTANCE = 0.8
#: What a 429 leaves of the pace.
CUT = 0.75
#: Uploads a second that the pace grows by in each second after a 429.
GROWTH = 0.5
#: 429s that come so soon after the first belong to the same overshoot.
SAME_CUT_SECONDS = 1.0


class SlidingLog:
    """The last uploads of one channel; moments are seconds of one clock that never jumps."""

    def __init__(self, pace: float, *, margin: float = MARGIN_SECONDS) -> None:
        """Begin with a log that knows of no upload.

        Args:
            pace: uploads a second at most.
            margin: seconds.

        Raises:
            ValueError: the pace is not a positive number.
        """
        if not (math.isfinite(pace) and pace > 0):
            raise ValueError(f"the pace must be a positive number of uploads a second, not {pace}")
        #: Uploads in one window; never a window shorter than the provider's second.
        self.most = math.ceil(pace)
        #: Seconds.
        self.window = self.most / pace + margin
        self.sent: deque[float] = deque(maxlen=self.most)
        #: Begun, and not sent yet.
        self.open = 0
        #: Nothing may begin before this, after a 429.
        self.held_until = -math.inf
        #: The pace after the last cut, in uploads a window, and the moment of that.
        self.cut: tuple[float, float] = (float(self.most), -math.inf)
        self._begun_at = -math.inf

    def allowed(self, now: float) -> int:
        """Uploads that one window may hold at present."""
        after_cut, at = self.cut
        return int(min(self.most, max(1.0, after_cut + GROWTH * (now - at))))

    def earliest(self, now: float) -> float:
        """When the next upload may begin; infinite while that depends on one that is still being sent."""
        allowed = self.allowed(now)
        free = allowed - self.open
        if free <= 0:
            return math.inf
        earliest = max(self.held_until, self._begun_at + DISTANCE * self.window / allowed)
        if len(self.sent) >= free:
            earliest = max(earliest, self.sent[-free] + self.window)
        return earliest

    def begin(self, now: float) -> None:
        """An upload begins now."""
        self.open += 1
        self._begun_at = now

    def finish(self, now: float) -> None:
        """One that was begun has been sent, or broke off while it was."""
        self.open -= 1
        self.sent.append(now)

    def cancel(self) -> None:
        """One that was begun was not sent at all."""
        self.open -= 1

    def refused(self, now: float, *, hold: float) -> None:
        """The provider answered 429: nothing begins for `hold` seconds, and the pace falls."""
        self.held_until = max(self.held_until, now + hold)
        if now - self.cut[1] >= SAME_CUT_SECONDS:
            self.cut = (max(1.0, self.allowed(now) * CUT), now)

    def adopt(self, sent: Iterable[float], *, cut: tuple[float, float], held_until: float) -> None:
        """Go on from what somebody else's log knew last."""
        self.sent.extend(sorted(sent))
        self.cut = cut
        self.held_until = held_until
        if self.sent:
            self._begun_at = self.sent[-1]
