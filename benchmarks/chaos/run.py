"""One fault: a campaign is running, something breaks and is whole again, and then all of it is counted."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos.campaign import Channel, Client, File, Scheduler, Wave, expected, plan_of
from benchmarks.chaos.gate import Gate
from benchmarks.chaos.observation import Comparison, Sandbox, compare, known, lost_answers
from benchmarks.chaos.services import until
from benchmarks.chaos.serving import Receiver, Server
from benchmarks.chaos.stack import EMBEDDED, LEASE_SECONDS, PRODUCTION, Embedded, Production, Stack
from greenroom.rate_limit.limiter import DEFAULT_UPLOADS_PER_SECOND

#: The most that recovering may take, in seconds, once the fault is over.
RECOVERY_SECONDS = LEASE_SECONDS + 10.0
#: Seconds after which what is not ready is given up as lost.
PATIENCE_SECONDS = RECOVERY_SECONDS + 70.0
#: Seconds within which nothing is in flight any more, once all is ready.
SETTLE_SECONDS = 40.0
#: Seconds between two looks at how far a campaign is.
LOOK_EVERY = 0.25
#: Seconds after which what was on its way when a fault began has arrived.
ARRIVAL_SECONDS = 0.2
#: Seconds without any change after which nothing more is in flight.
QUIET_SECONDS = 1.5
CHANNELS, FIRST, SECOND = 3, 80, 40


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One line of the table.

    Attributes:
        group: whose it is: a worker's, the broker's, the provider's, a source's.
        name: what breaks.
        do: breaks it and makes it whole again.
        on: the stacks that it is tried on.
        size: bytes of each file, at least.
        first: files that are handed over on each channel before it.
        second: and when it begins.
        recovers: the most seconds that recovering may take; more where files were left alone for a while.
        loses_answers: whether the provider keeps answers back of uploads that it has: these may come twice.
        fetched: whether the files come over HTTP.
        told: whether the campaigns want call-backs.
        across: whether what is handed over together is one campaign on all channels, and not one on each.
        tls: whether the provider is behind a gate that speaks TLS.
    """

    group: str
    name: str
    do: Callable[[Run], None]
    on: tuple[str, ...] = (PRODUCTION,)
    size: int = 0
    first: int = FIRST
    second: int = SECOND
    recovers: float = RECOVERY_SECONDS
    loses_answers: bool = False
    fetched: bool = False
    told: bool = False
    across: bool = False
    tls: bool = False

    @property
    def slug(self) -> str:
        """Its name where letters alone may stand."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.group} {self.name}".lower()).strip("-")


FAULTS: list[Fault] = []
BOTH = (PRODUCTION, EMBEDDED)


def fault(
    group: str, name: str, **options: object
) -> Callable[[Callable[[Run], None]], Callable[[Run], None]]:
    """Put a function into the table as a fault."""

    def add(do: Callable[[Run], None]) -> Callable[[Run], None]:
        FAULTS.append(Fault(group=group, name=name, do=do, **options))  # type: ignore[arg-type]  # its own fields
        return do

    return add


class Problem(Exception):
    """Something that must not be, other than what is counted; its text says what."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came of one fault."""

    fault: Fault
    stack: str
    accepted: int
    counted: Comparison
    in_flight: int
    throttled: int
    peak: int
    recovered: float
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def unsettling(self) -> bool:
        """Whether its stack may not be what it was: something else than the pace did not hold."""
        return any("throttled" not in problem for problem in self.problems)

    @property
    def lost(self) -> int:
        """Files that were accepted and are not ready under an ID of their own."""
        return self.accepted - self.counted.ready


@dataclass(kw_only=True)
class Run:
    """What a fault has at hand.

    Attributes:
        chance: seeded; what is left to chance is decided by it.
        files: on disk, the same for each channel.
        source_server: serves the files, for a fault that has them fetched.
        receiver_server: is told of the campaigns, for a fault that has call-backs.
        patience: seconds after which what is not ready is given up, beyond those that the pace asks for.
        second_waves: what is handed over when the fault begins.
        in_flight: media IDs that the provider had given, and the database did not have, when something broke.
        schedulers: that hand over what is to be ready; a fault may add some.
        forgiven: campaigns that are not to be ready: they were cancelled.
        afterwards: what is to hold once all is ready; each raises `Problem` where it does not.
        notes: figures that stand beside the verdict.
    """

    stack: Stack
    fault: Fault
    chance: random.Random
    files: Sequence[File]
    source_server: Server | None = None
    receiver_server: Receiver | None = None
    channels: list[Channel] = field(default_factory=list)
    patience: float = PATIENCE_SECONDS
    second_waves: list[Wave] = field(default_factory=list)
    in_flight: set[str] = field(default_factory=set)
    schedulers: list[Scheduler] = field(default_factory=list)
    forgiven: set[str] = field(default_factory=set)
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sandbox = Sandbox(f"http://127.0.0.1:{self.stack.provider.port}")
        for number in range(CHANNELS):
            channel_id = f"{self.fault.slug[:60]}-{number}"
            self.channels.append(Channel(id=channel_id, keys=[f"key-of-{channel_id}"]))
        self.first, self.second, self.third = (self.scheduler() for _ in range(3))
        split = self.fault.first
        self.second_waves = self.waves("second", self.files[split : split + self.fault.second])

    @property
    def gate(self) -> Gate:
        """The gate before the provider."""
        if self.stack.gate is None:
            raise TypeError(f"{self.fault.name} is not marked as one that needs the gate")
        return self.stack.gate

    @property
    def source(self) -> Server:
        """What serves the files."""
        if self.source_server is None:
            raise TypeError(f"{self.fault.name} is not marked as one that has its files fetched")
        return self.source_server

    @property
    def receiver(self) -> Receiver:
        """What is told of the campaigns."""
        if self.receiver_server is None:
            raise TypeError(f"{self.fault.name} is not marked as one that has call-backs")
        return self.receiver_server

    @property
    def production(self) -> Production:
        """The stack, where it is that one."""
        if not isinstance(self.stack, Production):
            raise TypeError(f"{self.fault.name} is for the production stack alone")
        return self.stack

    @property
    def embedded(self) -> Embedded:
        """The stack, where it is that one."""
        if not isinstance(self.stack, Embedded):
            raise TypeError(f"{self.fault.name} is for the embedded stack alone")
        return self.stack

    def uploader(self) -> str:
        """One of the workers that upload, by chance."""
        return self.chance.choice(list(self.stack.uploaders))

    @contextmanager
    def hit(self) -> Iterator[None]:
        """Something breaks in this block: what is in flight at that moment may be done twice."""
        recorded = known(self.stack.database, self.channels).media_ids
        yield
        time.sleep(ARRIVAL_SECONDS)
        for channel, media in self.sandbox.contents(self.channels).items():
            self.in_flight |= media.keys() - recorded[channel]

    def control(self, name: str, content: str = "") -> Path:
        """Tell workers what shall go wrong; see `benchmarks.chaos.points`."""
        path = self.stack.controls / name
        path.write_text(content)
        return path

    def forget_one(self) -> None:
        """Have a worker leave out one media ID of those that it writes down."""
        control = self.control("forget")
        until(lambda: not control.exists(), "a media ID is left out")

    def uploads(self) -> int:
        """So far, as the provider counts them."""
        return self.sandbox.sum(self.channels, "uploads")

    def scheduler(self, connect: Callable[[], Client] | None = None) -> Scheduler:
        """One more."""
        self.schedulers.append(Scheduler(stack=self.stack, connect=connect))
        return self.schedulers[-1]

    def add_channel(self, name: str) -> Channel:
        """One more, on which nothing is handed over yet."""
        channel = Channel(id=f"{self.fault.slug}-{name}", keys=[f"key-of-{self.fault.slug}-{name}"])
        self.stack.add_channel(channel.id, channel.keys[-1])
        self.channels.append(channel)
        return channel

    def waves(self, name: str, files: Sequence[File]) -> list[Wave]:
        """These files on each of the channels."""
        together = [self.channels] if self.fault.across else [[channel] for channel in self.channels]
        return [self.wave(f"{channels[0].id}-{name}", files, *channels) for channels in together]

    def wave(self, campaign: str, files: Sequence[File], *channels: Channel) -> Wave:
        """These files as one campaign."""
        callback = self.chance.choice(self.receiver_server.urls) if self.receiver_server else ""
        address = self.source_server.urls[0] if self.source_server else ""
        return Wave(plan=plan_of(campaign, *channels, callback=callback), files=files, address=address)

    @property
    def accepted(self) -> list[Wave]:
        """What was acknowledged, and is to be ready."""
        waves = [wave for scheduler in self.schedulers for wave in scheduler.accepted]
        return [wave for wave in waves if wave.plan.id not in self.forgiven]

    def missing(self, waves: Sequence[Wave], *, but: Sequence[Channel] = ()) -> int:
        """How many files of these are not ready yet, on channels other than these."""
        current = known(self.stack.database, self.channels).current
        others = [channel.id for channel in but]
        return sum(place not in current for place in expected(waves) if place[1] not in others)

    def more_in_flight(self, share: float = 0.25) -> None:
        """Wait until this share of the first files has been uploaded."""
        wanted = share * self.fault.first * len(self.channels)
        until(lambda: self.uploads() >= wanted, "the campaign is running")

    def go(self) -> Row:
        """Hand over, break, wait, count."""
        self.stack.ended()
        for channel in self.channels:
            self.stack.add_channel(channel.id, channel.keys[-1])
        self.first.begin(self.waves("first", self.files[: self.fault.first]))
        self.more_in_flight()
        self.second.begin(self.second_waves)
        self._break()
        healed_at = time.monotonic()
        recovered = self._recover(healed_at)
        self._settle()
        for check in self.afterwards:
            self._hold(check)
        return self._count(recovered)

    def given_up(self, error: Exception) -> Row:
        """The line of a run that could not be counted."""
        nothing = Comparison(ready=0, wrong=0, twice=0, orphans=0)
        return Row(
            fault=self.fault,
            stack=self.stack.name,
            accepted=0,
            counted=nothing,
            in_flight=0,
            throttled=0,
            peak=0,
            recovered=0.0,
            problems=(*self.problems, f"not counted: {_in_words(error)}"),
        )

    def _hold(self, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception as error:  # noqa: BLE001 - whatever it is stands in the table
            self.problems.append(_in_words(error))

    def _break(self) -> None:
        try:
            self._hold(lambda: self.fault.do(self))
        finally:
            self.sandbox.faults({"clear": True})
            if self.stack.controls.is_dir():
                for path in self.stack.controls.iterdir():
                    path.unlink(missing_ok=True)

    def _recover(self, healed_at: float) -> float:
        """Seconds from the end of the fault until all is ready, without those that the pace asks for."""
        least = self._least_seconds()
        give_up_at = healed_at + least + self.patience
        for scheduler in self.schedulers:
            if not scheduler.wait(max(0.0, give_up_at - time.monotonic())):
                self.problems.append("a scheduler was not answered any more")
        while time.monotonic() < give_up_at:
            if self.missing(self.accepted) == 0:
                break
            time.sleep(LOOK_EVERY)
        return max(0.0, time.monotonic() - healed_at - least)

    def _least_seconds(self) -> float:
        """Seconds that what is not ready takes at the provider's pace."""
        current = known(self.stack.database, self.channels).current
        ready = {channel.id: 0 for channel in self.channels}
        for _, channel_id, _ in current:
            ready[channel_id] += 1
        planned = dict.fromkeys(ready, 0)
        for wave in (wave for scheduler in self.schedulers for wave in scheduler.waves):
            for channel_id in wave.plan.channels:
                planned[channel_id] += len(wave.files)
        return max(planned[channel] - ready[channel] for channel in ready) / DEFAULT_UPLOADS_PER_SECOND

    def _settle(self) -> None:
        """Wait until nothing is in flight any more: what comes late must be counted, too."""
        quiet_since, last = time.monotonic(), -1
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            arrivals = self.sandbox.sum(self.channels, "arrivals")
            if arrivals != last or known(self.stack.database, self.channels).with_workers:
                quiet_since, last = time.monotonic(), arrivals
            elif time.monotonic() - quiet_since >= QUIET_SECONDS:
                return
            time.sleep(LOOK_EVERY)

    def _count(self, recovered: float) -> Row:
        wanted = expected(self.accepted)
        counted = compare(self.stack, self.channels, wanted)
        allowed = len(self.in_flight)
        if self.fault.loses_answers:
            allowed += self.sandbox.sum(self.channels, "faults")
        throttled, peak = self.sandbox.sum(self.channels, "throttled"), self.sandbox.peak(self.channels)
        if counted.twice > allowed:
            # A machine that is too busy for the time-outs, then, and no fault of what broke.
            self.notes.append(
                f"{lost_answers(self.stack.database, self.channels)} answers did not come in time"
            )
        row = Row(
            fault=self.fault,
            stack=self.stack.name,
            accepted=len(wanted),
            counted=counted,
            in_flight=allowed,
            throttled=throttled,
            peak=peak,
            recovered=recovered,
            problems=(),
            notes=tuple(self.notes),
        )
        further = [f"{name} ended by itself" for name in sorted(set(self.stack.ended()))]
        if silent := self.stack.silent():
            further.append(f"{silent} of {len(self.stack.workers)} workers do not answer")
        return judged(row, [*self.problems, *further])


def _in_words(error: Exception) -> str:
    named = "" if isinstance(error, Problem | TimeoutError) else f"{type(error).__name__}: "
    return (named + " ".join(str(error).split()))[:200]


def judged(row: Row, further: Sequence[str] = ()) -> Row:
    """The row with all that is wrong with it."""
    found = list(further)
    if row.lost:
        found.append(f"{row.lost} lost")
    if row.counted.wrong:
        found.append(f"{row.counted.wrong} under an ID that is not theirs")
    if row.counted.twice > row.in_flight:
        found.append(f"{row.counted.twice} seen twice, with {row.in_flight} in flight")
    if row.counted.orphans > row.in_flight:
        found.append(f"{row.counted.orphans} orphans, with {row.in_flight} in flight")
    if row.throttled:
        found.append(f"{row.throttled} throttled, at most {row.peak} in a second")
    if row.recovered > row.fault.recovers:
        found.append(f"recovered after {row.recovered:.0f} s")
    return Row(**{**row.__dict__, "problems": tuple(found)})
