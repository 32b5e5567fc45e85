"""Hypothesis looks for an order of events in which a campaign meets a dead media ID."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.harness import DAY, HOUR, Campaign, Harness

#: Beat ticks this often in here; what takes longer than two ticks is late.
STEP = 12 * HOUR


class Lifecycle(RuleBasedStateMachine):
    """Campaigns of three files each, and all that can happen to them."""

    template: Path
    harness: Harness

    @initialize(seed=st.integers(0, 3))
    def begin(self, seed: int) -> None:
        """An empty world; one of its two numbers counts a life from the upload."""
        self.folder = Path(tempfile.mkdtemp(prefix="greenroom-machine-"))
        database = self.folder / "greenroom.db"
        shutil.copy(self.template, database)
        self.harness = Harness(
            f"sqlite:///{database}",
            self.folder,
            random.Random(seed),
            settings={"verify_after_days": 3, "verify_every_days": 2, "prune_after_days": 5},
        )
        self.harness.provider.from_upload.add(self.harness.key("4920"))
        self.pool: list[Path] = []
        self.submit(channel="4910", shared=False, keep=60)
        self.submit(channel="4920", shared=True, keep=60)
        self.pass_days(5)

    def teardown(self) -> None:
        """Nothing stays behind."""
        if hasattr(self, "harness"):
            self.harness.close()
            shutil.rmtree(self.folder)

    def running(self) -> list[Campaign]:
        """Campaigns that need their files."""
        now = self.harness.clock.now()
        return [c for c in self.harness.campaigns.values() if not c.cancelled and c.keep_until > now + DAY]

    def some(self, place: int) -> Campaign | None:
        """One of the running campaigns, if there is any."""
        running = self.running()
        return running[place % len(running)] if running else None

    @rule(channel=st.sampled_from(("4910", "4920")), shared=st.booleans(), keep=st.integers(1, 60))
    @precondition(lambda self: len(self.harness.campaigns) < 6)
    def submit(self, channel: str, shared: bool, keep: int) -> None:  # noqa: FBT001 - Hypothesis gives it by name
        """A campaign, perhaps with a file that another one has, too."""
        number = len(self.harness.campaigns)
        fresh = [self.harness.make_file(f"file-{number}-{place}") for place in range(2 if shared else 3)]
        known = [path for path in self.pool if self.harness.sha_of(path) not in self.harness.vanished]
        paths = fresh + known[:1] if shared else fresh
        for path in fresh:
            self.harness.sha_of(path)
        self.pool += fresh
        files = {str(place): path for place, path in enumerate(paths)}
        self.harness.submit(f"campaign-{number}", channel, files, send_in=2 * DAY, keep=keep * DAY)

    @rule(place=st.integers(0, 5), days=st.integers(1, 20), keep=st.integers(1, 60))
    def move(self, place: int, days: int, keep: int) -> None:
        """Another date, sooner or later."""
        if campaign := self.some(place):
            self.harness.move(campaign.id, send_in=days * DAY, keep=keep * DAY)
            self.pass_days(2)

    @rule(place=st.integers(0, 5))
    def cancel(self, place: int) -> None:
        """Not needed after all."""
        if campaign := self.some(place):
            self.harness.cancel(campaign.id)
            self.pass_days(2)

    @rule(place=st.integers(0, 5), file=st.integers(0, 2), replaced=st.booleans())
    def lose_a_source(self, place: int, file: int, replaced: bool) -> None:  # noqa: FBT001 - as above
        """A file that was uploaded once is removed, or another one takes its place."""
        if not (campaign := self.some(place)):
            return
        paths = list(campaign.files.values())
        path = paths[file % len(paths)]
        holders = [c for c in self.harness.campaigns.values() if path in c.files.values()]
        if self.harness.clock.now() - max(c.submitted_at for c in holders) >= 3 * DAY:
            (self.harness.change if replaced else self.harness.vanish)(path)
            self.pass_days(9)

    @rule(channel=st.sampled_from(("4910", "4920")), place=st.integers(0, 20))
    def lose_an_id(self, channel: str, place: int) -> None:
        """The provider loses one before its time."""
        live = [one for one in self.harness.live(channel) if one not in self.harness.provider.orphans]
        if live:
            self.harness.kill(live[place % len(live)])
            self.pass_days(5)

    @rule(days=st.sampled_from((3, 9, 27)))
    def days_pass(self, days: int) -> None:
        """Nothing else happens."""
        self.pass_days(days)

    def pass_days(self, days: int) -> None:
        """Beat ticks, and everything is sent that is to be sent."""
        for _ in range(round(days * DAY / STEP)):
            self.harness.clock.advance(STEP)
            self.harness.tick()
            self.send()
            self.harness.check()

    @rule(hours=st.integers(1, 12), lost=st.booleans())
    def the_provider_is_away(self, hours: int, lost: bool) -> None:  # noqa: FBT001 - as above
        """For some hours; perhaps an upload was stored just before, and its answer lost."""
        self.harness.provider.lose_answers = int(lost)
        self.harness.tick()
        self.harness.provider.away = True
        self.harness.tick()
        self.harness.clock.advance(hours * HOUR)
        self.harness.tick()
        self.harness.provider.away = False
        self.harness.tick()

    @rule()
    def beat_is_down_for_a_day(self) -> None:
        """Nothing is asked for."""
        self.harness.beat_is_down = True
        self.harness.tick()
        self.harness.clock.advance(DAY)
        self.harness.tick()
        self.harness.beat_is_down = False
        self.harness.tick()

    @rule(minutes=st.sampled_from((-10, 0, 10)))
    def the_workers_clock_jumps(self, minutes: int) -> None:
        """Back or forth."""
        self.harness.workers_clock.skew = timedelta(minutes=minutes)

    @rule()
    def workers_die(self) -> None:
        """Whatever they had been handed, they never finish; the sweep brings it back."""
        self.harness.lose_messages = 1.0
        self.harness.tick()
        self.harness.lose_messages = 0.0
        self.harness.clock.advance(HOUR)
        self.harness.tick()

    def send(self) -> None:
        """Every campaign whose time has come."""
        now = self.harness.clock.now()
        for campaign in self.running():
            if campaign.send_at <= now:
                self.harness.send(campaign.id)

    @invariant()
    def promises_hold(self) -> None:
        """After every event."""
        if hasattr(self, "harness"):
            self.harness.check()


@pytest.mark.timeout(600)
def test_no_order_of_events_breaks_a_promise(migrated_sqlite: Path) -> None:
    """See `tests.support.harness` for what is checked."""
    Lifecycle.template = migrated_sqlite
    test_case = Lifecycle.TestCase
    test_case.settings = settings(
        max_examples=int(os.environ.get("GREENROOM_TEST_SEARCH", "20")),
        stateful_step_count=15,
        deadline=None,
        # The same every time: what lands must not hang on luck. A search is longer, and at random.
        derandomize="GREENROOM_TEST_SEARCH" not in os.environ,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    test_case().runTest()
