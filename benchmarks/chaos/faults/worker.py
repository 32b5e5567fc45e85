"""Workers that are killed, frozen or asked to end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from benchmarks.chaos.campaign import Channel, Wave, plan_of
from benchmarks.chaos.points import POINTS
from benchmarks.chaos.run import BOTH, Problem, Run, fault
from benchmarks.chaos.services import send, until
from benchmarks.chaos.stack import LEASE_SECONDS

#: Seconds for which a worker is frozen: longer than its lease, and than it remains the owner of its channels.
FROZEN_SECONDS = LEASE_SECONDS + 5
#: As in `docker-compose.yml`, of those that upload.
GRACE_SECONDS = 90.0
#: Files that are handed over once more when a point is set, so that somebody comes to each.
SOME = 20
#: Seconds within which somebody comes to a point at which there is work.
POINT_PATIENCE = 20.0


@fault("worker", "kill -9 at three random moments", on=BOTH)
def kill_at_random(run: Run) -> None:
    """One of those that upload, each time."""
    for _ in range(3):
        time.sleep(run.chance.uniform(0.1, 0.8))
        with run.hit():
            run.stack.kill(run.uploader())


@fault("worker", "kill -9 of one that inspects")
def kill_inspector(run: Run) -> None:
    """With its pool processes, while the second wave is looked at."""
    with run.hit():
        run.stack.kill(run.stack.inspector)


@fault("worker", "kill -9 of all at once", on=BOTH)
def kill_all(run: Run) -> None:
    """As when the one machine is lost, and started again."""
    time.sleep(run.chance.uniform(0.0, 0.5))
    with run.hit():
        run.stack.kill(*run.stack.workers)


def at_point(point: str) -> Callable[[Run], None]:
    """Kill whoever comes to this point next."""

    def kill(run: Run) -> None:
        for name in run.stack.workers:
            run.stack.expect_end(name)
        # Its files pass every point; on the others, owners claim what waits, and nothing is handed out.
        fresh = Channel(id=f"{run.fault.slug}-fresh", keys=[f"key-of-{run.fault.slug}-fresh"])
        run.stack.add_channel(fresh.id, fresh.keys[-1])
        run.channels.append(fresh)
        with run.hit():
            control = run.control(f"at-{point}")
            run.third.begin([Wave(plan=plan_of(f"{fresh.id}-third", fresh), files=run.files[:SOME])])
            until(lambda: not control.exists(), f"somebody is {point}", patience=POINT_PATIENCE)

    return kill


for each in POINTS:
    fault("worker", f"kill -9 {each}")(at_point(each))


@fault("worker", "one frozen past its lease, and woken", on=BOTH)
def freeze_one(run: Run) -> None:
    """The other one goes on; whoever is woken sends nothing beside it."""
    with run.hit(), run.stack.frozen(run.uploader()):
        time.sleep(FROZEN_SECONDS)


@fault("worker", "all that upload frozen past their lease, and woken", on=BOTH)
def freeze_all(run: Run) -> None:
    """As when the machine is suspended."""
    with run.hit(), run.stack.frozen(*run.stack.uploaders):
        time.sleep(FROZEN_SECONDS)


@fault("worker", "TERM in mid-run, one after the other")
def terminate(run: Run) -> None:
    """What is under way is recorded, and all is over within the grace period."""
    for name in run.stack.uploaders:
        pid = run.stack.pid(name)
        run.stack.expect_end(name)
        began_at = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        until(lambda pid=pid, name=name: run.stack.pid(name) != pid, f"{name} ends", patience=GRACE_SECONDS)  # type: ignore[misc]  # bound at once
        if time.monotonic() - began_at > GRACE_SECONDS / 3:
            raise Problem(f"{name} took {time.monotonic() - began_at:.0f} s to end")


@fault("worker", "pool children killed again and again")
def kill_children(run: Run) -> None:
    """Those that look at files; their parent starts others."""
    for _ in range(6):
        send(run.stack.family(run.stack.inspector)[1:], signal.SIGKILL)
        time.sleep(run.chance.uniform(0.2, 0.5))
