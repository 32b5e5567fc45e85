"""A random year and more: campaigns come, move and go, and everything fails that can."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.support.harness import DAY, HOUR, Campaign, Harness

STEP = 8 * HOUR


@dataclass(frozen=True, kw_only=True)
class ScenarioPlan:
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


def run(plan: ScenarioPlan, database_url: str, folder: Path) -> Counter[str]:
    """Play it; returns what happened, in counts.

    Raises:
        Violation: a promise was broken.
    """
    chance = random.Random(plan.seed)
    harness = Harness(database_url, folder, chance, settings={"verify_every_days": 5})
    # One number keeps media from their last use, as 360dialog's page says, the other from their upload.
    harness.provider.from_upload.add(harness.key("4920"))
    began = time.perf_counter()
    try:
        _Season(plan, harness, chance).play()
    finally:
        harness.close()
    harness.counts["seconds"] = round(time.perf_counter() - began)
    return harness.counts


class _Season:
    def __init__(self, plan: ScenarioPlan, harness: Harness, chance: random.Random) -> None:
        self.plan, self.harness, self.chance = plan, harness, chance
        self.pool: list[Path] = []
        self.made = 0
        steps = int(plan.days * DAY / STEP)
        # The last campaigns begin early enough to be sent.
        self.premieres = sorted(chance.randrange(int(steps * 0.85)) for _ in range(plan.campaigns))
        self.steps = steps
        self.outage_until = harness.clock.now()
        self.down_until = harness.clock.now()

    def play(self) -> None:
        start = self.harness.clock.now()
        for step in range(self.steps):
            # Uploads move the clock a little; steps keep to the calendar.
            now = self.harness.clock.now()
            self.harness.clock.advance(max(start + step * STEP - now, timedelta(0)))
            while self.premieres and self.premieres[0] <= step:
                self.premieres.pop(0)
                self._premiere()
            self._fate()
            self.harness.tick()
            self._sends()
            self.harness.check()

    def _premiere(self) -> None:
        number = self.harness.counts["campaigns"]
        size = self.plan.files // self.plan.campaigns
        files = {}
        for place in range(size):
            if self.pool and self.chance.random() < 0.15:
                path = self.chance.choice(self.pool)
                if self.harness.sha_of(path) in self.harness.vanished:
                    path = self._new_file()
            else:
                path = self._new_file()
            files[f"{place}"] = path
        self.harness.submit(
            f"campaign-{number}",
            self.chance.choice(self.harness.channels),
            files,
            send_in=self.chance.randint(3, 30) * DAY,
            keep=self.chance.choice((1, 7, 30, 60, 90)) * DAY,
        )

    def _new_file(self) -> Path:
        self.made += 1
        path = self.harness.make_file(f"file-{self.made}")
        self.harness.sha_of(path)
        self.pool.append(path)
        return path

    def _fate(self) -> None:
        harness, chance, now = self.harness, self.chance, self.harness.clock.now()
        running = [c for c in harness.campaigns.values() if not c.cancelled and c.keep_until > now + DAY]
        if running and chance.random() < 0.02:
            self._move(chance.choice(running))
        if running and chance.random() < 0.004:
            harness.cancel(chance.choice(running).id)
        if running and chance.random() < 0.08:
            self._lose_a_source(chance.choice(running))
        if chance.random() < 0.01:
            self.outage_until = now + chance.randint(2, 12) * HOUR
            harness.counts["provider outages"] += 1
        harness.provider.away = now < self.outage_until
        if chance.random() < 0.004:
            self.down_until = now + DAY
            harness.counts["days without beat"] += 1
        harness.beat_is_down = now < self.down_until
        harness.lose_next = chance.random() < 0.02
        harness.lose_messages = 0.3 if harness.lose_next else 0.0
        harness.provider.lose_answers = 1 if chance.random() < 0.02 else 0
        if chance.random() < 0.05:
            harness.workers_clock.skew = chance.choice((-10, 0, 10)) * timedelta(minutes=1)
        channel = chance.choice(harness.channels)
        if (live := harness.live(channel)) and chance.random() < 0.05:
            self._kill(chance.choice(live))

    def _move(self, campaign: Campaign) -> None:
        send_in = self.chance.randint(2, 20) * DAY
        self.harness.move(campaign.id, send_in=send_in, keep=self.chance.choice((1, 7, 30)) * DAY)

    def _lose_a_source(self, campaign: Campaign) -> None:
        """After its first upload: a file that was never there is no matter of the lifecycle."""
        path = self.chance.choice(list(campaign.files.values()))
        holders = [one for one in self.harness.campaigns.values() if path in one.files.values()]
        if self.harness.clock.now() - max(one.submitted_at for one in holders) < 3 * DAY:
            return
        (self.harness.vanish if self.chance.random() < 0.5 else self.harness.change)(path)

    def _kill(self, media_id: str) -> None:
        if media_id not in self.harness.provider.orphans:
            self.harness.kill(media_id)

    def _sends(self) -> None:
        """At its time, and again and again until its end."""
        now = self.harness.clock.now()
        for campaign in self.harness.campaigns.values():
            if campaign.cancelled or not campaign.send_at <= now < campaign.keep_until:
                continue
            if now - campaign.send_at < STEP or self.chance.random() < 0.1:
                self.harness.send(campaign.id)
