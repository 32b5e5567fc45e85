"""Call-backs: their receiver hangs, refuses, breaks off or is away, and whoever sends them is killed."""

from __future__ import annotations

import time
from collections import Counter

from benchmarks.chaos.campaign import Wave
from benchmarks.chaos.run import Problem, Run, fault
from benchmarks.chaos.services import until
from benchmarks.chaos.serving import Trouble

#: Seconds of trouble, from when everything is uploaded: longer than one attempt, which may take 20.
TROUBLED_SECONDS = 30.0
#: Times that something is handed over meanwhile, and the most seconds until it is ready. A number of
#: which nothing is known waits for 5, and the pace asks for 2.
TURNS, OTHERS_SECONDS = 6, 10.0
#: Seconds within which all have been told, once all is ready: the longest pause that comes of so much
#: trouble, and the lease of a call-back that somebody was killed with.
TOLD_SECONDS = 90.0
#: Campaigns of one file each: as many call-backs are to be sent at once.
CAMPAIGNS = 40


def all_are_told(run: Run) -> None:
    """Each campaign at least once, and what is said last is right."""
    began_at = time.monotonic()
    try:
        until(lambda: not untold(run), "all campaigns are told", patience=TOLD_SECONDS)
    except TimeoutError as error:
        raise TimeoutError(f"{error}; not told: {', '.join(untold(run)[:3])}") from None
    times = Counter(said["id"] for said in run.receiver.told)
    again = sum(times.values()) - len(times)
    run.notes.append(
        f"{len(times)} call-backs came, {again} of them again, the last one after "
        f"{time.monotonic() - began_at:.1f} s"
    )


def untold(run: Run) -> list[str]:
    """Campaigns that are ready, and whose receiver does not know that."""
    ends = {}
    for said in sorted(run.receiver.told, key=lambda said: int(said["data"]["version"])):
        if said["type"] == "campaign.ready":
            ends[said["data"]["campaign_id"]] = (said["data"]["total"], said["data"]["ready"])
    return [wave.plan.id for wave in run.accepted if ends.get(wave.plan.id) != (len(wave.files),) * 2]


def troubled(name: str, trouble: Trouble) -> None:
    """All uploads go on meanwhile."""

    @fault("call-back", name, told=True)
    def break_it(run: Run) -> None:
        run.afterwards.append(lambda: all_are_told(run))
        run.third.begin(small_campaigns(run))
        with run.receiver.troubled(trouble):
            until(lambda: run.second.accepted == run.second.waves, "all is handed over")
            until(lambda: run.missing(run.accepted) == 0, "all is ready while nobody can be told")
            seconds = max(one_more(run, turn) for turn in range(TURNS))
        run.notes.append(f"what was handed over meanwhile was ready after {seconds:.1f} s, at most")
        if seconds > OTHERS_SECONDS:
            raise Problem(f"what was handed over meanwhile was ready after {seconds:.0f} s")


def one_more(run: Run, turn: int) -> float:
    """Hand more over in a moment; returns how many seconds it takes until that is ready."""
    time.sleep(TROUBLED_SECONDS / TURNS)
    channel, scheduler = run.add_channel(f"turn-{turn}"), run.scheduler()
    wave = run.wave(f"{channel.id}-third", run.files[: run.fault.second], channel)
    began_at = time.monotonic()
    scheduler.begin([wave])
    until(lambda: bool(scheduler.accepted) and run.missing([wave]) == 0, "more is ready")
    return time.monotonic() - began_at


troubled("its receiver hangs", Trouble.HANGS)
troubled("its receiver answers 500", Trouble.REFUSES)
troubled("its receiver breaks off", Trouble.BREAKS_OFF)
troubled("its receiver is away", Trouble.AWAY)


@fault("call-back", "kill -9 of all that send them, three times", told=True)
def kill(run: Run) -> None:
    """While they are sent: the receiver takes its time for each."""
    run.afterwards.append(lambda: all_are_told(run))
    run.receiver.seconds = 0.5
    run.third.begin(small_campaigns(run))
    for _ in range(3):
        told = len(run.receiver.told)
        until(lambda told=told: len(run.receiver.told) > told, "call-backs are sent")  # type: ignore[misc]  # bound at once
        time.sleep(run.chance.uniform(0.0, 0.5))
        with run.hit():
            run.stack.kill(*run.stack.workers)
    run.receiver.seconds = 0.0


def small_campaigns(run: Run) -> list[Wave]:
    """Many, of one file each."""
    channel = run.channels[0]
    return [
        run.wave(f"{channel.id}-{number}", [file], channel)
        for number, file in enumerate(run.files[:CAMPAIGNS])
    ]
