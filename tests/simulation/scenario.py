"""A random year and more: campaigns come, move and go, and everything fails that can."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.simulation.theatre import DAY, HOUR, Campaign, Theatre

STEP = 8 * HOUR


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much happens.

    Attributes:
        days: how long it lasts.
        campaigns: how many there are.
        files: in all of them together.
        seed: of all chance.
    """

    days: int = 400
    campaigns: int = 50
    files: int = 5_000
    seed: int = 1


def run(plan: Plan, database_url: str, folder: Path) -> Counter[str]:
    """Play it; answers what happened, in counts.

    Raises:
        Violation: a promise was broken.
    """
    chance = random.Random(plan.seed)
    theatre = Theatre(database_url, folder, chance, settings={"verify_every_days": 5})
    # One number keeps media from their last use, as 360dialog's page says, the other from their upload.
    theatre.provider.from_upload.add(theatre.key("4920"))
    began = time.perf_counter()
    try:
        _Season(plan, theatre, chance).play()
    finally:
        theatre.close()
    theatre.counts["seconds"] = round(time.perf_counter() - began)
    return theatre.counts


class _Season:
    def __init__(self, plan: Plan, theatre: Theatre, chance: random.Random) -> None:
        self.plan, self.theatre, self.chance = plan, theatre, chance
        self.pool: list[Path] = []
        self.made = 0
        steps = int(plan.days * DAY / STEP)
        # The last campaigns begin early enough to be sent.
        self.premieres = sorted(chance.randrange(int(steps * 0.85)) for _ in range(plan.campaigns))
        self.steps = steps
        self.outage_until = theatre.clock.now()
        self.down_until = theatre.clock.now()

    def play(self) -> None:
        start = self.theatre.clock.now()
        for step in range(self.steps):
            # Uploads move the clock a little; steps keep to the calendar.
            now = self.theatre.clock.now()
            self.theatre.clock.advance(max(start + step * STEP - now, timedelta(0)))
            while self.premieres and self.premieres[0] <= step:
                self.premieres.pop(0)
                self._premiere()
            self._fate()
            self.theatre.tick()
            self._sends()
            self.theatre.check()

    def _premiere(self) -> None:
        number = self.theatre.counts["campaigns"]
        size = self.plan.files // self.plan.campaigns
        files = {}
        for place in range(size):
            if self.pool and self.chance.random() < 0.15:
                path = self.chance.choice(self.pool)
                if self.theatre.sha_of(path) in self.theatre.vanished:
                    path = self._new_file()
            else:
                path = self._new_file()
            files[f"{place}"] = path
        self.theatre.submit(
            f"campaign-{number}",
            self.chance.choice(self.theatre.channels),
            files,
            send_in=self.chance.randint(3, 30) * DAY,
            keep=self.chance.choice((1, 7, 30, 60, 90)) * DAY,
        )

    def _new_file(self) -> Path:
        self.made += 1
        path = self.theatre.make_file(f"file-{self.made}")
        self.theatre.sha_of(path)
        self.pool.append(path)
        return path

    def _fate(self) -> None:
        theatre, chance, now = self.theatre, self.chance, self.theatre.clock.now()
        running = [c for c in theatre.campaigns.values() if not c.cancelled and c.keep_until > now + DAY]
        if running and chance.random() < 0.02:
            self._move(chance.choice(running))
        if running and chance.random() < 0.004:
            theatre.cancel(chance.choice(running).id)
        if running and chance.random() < 0.08:
            self._lose_a_source(chance.choice(running))
        if chance.random() < 0.01:
            self.outage_until = now + chance.randint(2, 12) * HOUR
            theatre.counts["provider outages"] += 1
        theatre.provider.away = now < self.outage_until
        if chance.random() < 0.004:
            self.down_until = now + DAY
            theatre.counts["days without beat"] += 1
        theatre.beat_is_down = now < self.down_until
        theatre.lose_next = chance.random() < 0.02
        theatre.lose_messages = 0.3 if theatre.lose_next else 0.0
        theatre.provider.lose_answers = 1 if chance.random() < 0.02 else 0
        if chance.random() < 0.05:
            theatre.workers_clock.skew = chance.choice((-10, 0, 10)) * timedelta(minutes=1)
        channel = chance.choice(theatre.channels)
        if (live := theatre.live(channel)) and chance.random() < 0.05:
            self._kill(chance.choice(live))

    def _move(self, campaign: Campaign) -> None:
        send_in = self.chance.randint(2, 20) * DAY
        self.theatre.move(campaign.id, send_in=send_in, keep=self.chance.choice((1, 7, 30)) * DAY)

    def _lose_a_source(self, campaign: Campaign) -> None:
        """After its first upload: a file that was never there is no matter of the lifecycle."""
        path = self.chance.choice(list(campaign.files.values()))
        holders = [one for one in self.theatre.campaigns.values() if path in one.files.values()]
        if self.theatre.clock.now() - max(one.submitted_at for one in holders) < 3 * DAY:
            return
        (self.theatre.vanish if self.chance.random() < 0.5 else self.theatre.change)(path)

    def _kill(self, media_id: str) -> None:
        if media_id not in self.theatre.provider.orphans:
            self.theatre.kill(media_id)

    def _sends(self) -> None:
        """At its time, and again and again until its end."""
        now = self.theatre.clock.now()
        for campaign in self.theatre.campaigns.values():
            if campaign.cancelled or not campaign.send_at <= now < campaign.keep_until:
                continue
            if now - campaign.send_at < STEP or self.chance.random() < 0.1:
                self.theatre.send(campaign.id)
