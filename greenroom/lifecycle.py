"""The life of media IDs: when one ends, when it is renewed, when it is looked up.

An ID ends :attr:`LifeRules.life` after its upload, or after its last use where ``trust_last_use`` says so.
One that a campaign still needs is renewed :attr:`LifeRules.margin` before its end, or up to a
:attr:`LifeRules.spread` sooner: beat's task `media.refresh` (tasks/refresh.py) puts the file back into the
backlog, and it is uploaded anew like any other.

Nothing here asks a clock, a database or the provider; every rule about time that the lifecycle follows is in
this file. Sources: "stored for 30 days after last use" (360dialog, Upload Media). Meta's page counts from the
upload, which ends sooner, and is what is relied on unless the operator says otherwise (``trust_last_use``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

#: What comes before an ID's end may take up so much of a short life: its margin, and its share of the spread.
SHARE_OF_LIFE = 4
#: Assets take turns in so many steps, so that what was uploaded in one hour is not renewed in one hour.
LOTS = 1_000
#: An ID that is queued for renewal is looked at again so many times before its end.
LOOKS = 12
#: In the last third of the margin a renewal no longer stands behind campaigns' uploads.
HURRY = 3


@dataclass(frozen=True, kw_only=True)
class LifeRules:
    """How long media IDs live on one channel, and what is done when.

    Attributes:
        life: how long the provider keeps media, from the upload or the last use.
        margin: how long before its end an ID is renewed at the latest.
        spread: over which time before that the renewals of one day's uploads are spread.
        trust_last_use: whether a use lengthens the life of an ID for renewals, too.
        verify_after: the age at which an ID is looked up for the first time.
        verify_every: the time between two look-ups.
    """

    life: timedelta
    margin: timedelta
    spread: timedelta
    trust_last_use: bool
    verify_after: timedelta
    verify_every: timedelta

    @cached_property
    def lead(self) -> timedelta:
        """The margin, or what a short life leaves of it."""
        return min(self.margin, self.life / SHARE_OF_LIFE)

    @property
    def look_every(self) -> timedelta:
        """How often an ID is looked at that is due for renewal and has not been renewed."""
        return self.lead / LOOKS

    @property
    def fingerprint(self) -> str:
        """Changes with every rule that moments in the database were worked out from."""
        seconds = (self.life, self.margin, self.spread, self.verify_after, self.verify_every)
        return "/".join([*(f"{length.total_seconds():.0f}" for length in seconds), str(self.trust_last_use)])

    def expires_at(self, uploaded_at: datetime, last_used_at: datetime | None) -> datetime:
        """When the provider drops an ID, by its page: last use (or upload, before any use) and life."""
        return max(uploaded_at, last_used_at or uploaded_at) + self.life

    def end(self, uploaded_at: datetime, last_used_at: datetime | None) -> datetime:
        """Until when an ID is relied on: its expiry; without ``trust_last_use``, a life from its upload."""
        if self.trust_last_use:
            return self.expires_at(uploaded_at, last_used_at)
        return self.expires_at(uploaded_at, None)

    def refresh_at(self, uploaded_at: datetime, last_used_at: datetime | None, *, lot: int) -> datetime:
        """When an ID that is needed is renewed.

        Args:
            uploaded_at: when the provider gave it.
            last_used_at: its last known use.
            lot: any number that differs from asset to asset; consecutive ones are spread evenly.
        """
        return self.end(uploaded_at, last_used_at) - self.lead - self._step * (lot % LOTS)

    @cached_property
    def _step(self) -> timedelta:
        """By how much sooner a lot is renewed than the one before."""
        return min(self.spread, self.life / SHARE_OF_LIFE) / LOTS

    def upload_from(self, send_at: datetime, *, ahead: timedelta) -> datetime:
        """From when a campaign's media are uploaded: so long ahead, but with no renewal before it is sent."""
        return send_at - min(ahead, self.life - self.lead - self._step * LOTS)

    def hurries(self, end: datetime, now: datetime) -> bool:
        """Whether the renewal of an ID with this end goes with campaigns' uploads now, and not after them."""
        return now >= end - self.lead / HURRY

    def verify_at(self, uploaded_at: datetime, seen_alive_at: datetime | None) -> datetime | None:
        """When an ID is looked up next; None for one that is renewed before that."""
        first = uploaded_at + self.verify_after
        due = first if seen_alive_at is None else max(first, seen_alive_at + self.verify_every)
        return due if self.trust_last_use or due < self.end(uploaded_at, None) - self.lead else None
