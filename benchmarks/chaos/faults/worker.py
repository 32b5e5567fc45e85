"""Workers that are killed, frozen or asked to end."""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from benchmarks.chaos.points import POINTS
from benchmarks.chaos.run import BOTH, Problem, Run, fault
from benchmarks.chaos.services import send, until
from benchmarks.chaos.stack import LEASE_SECONDS
from models import Asset
from models.asset import AssetState

#: Seconds for which a worker is frozen: longer than its lease, and than it remains the owner of its channels.
FROZEN_SECONDS = LEASE_SECONDS + 5
#: As in `docker-compose.yml`, of those that upload.
GRACE_SECONDS = 90.0
#: Files that are handed over once more when a point is set, so that somebody comes to each.
SOME = 20
#: The most seconds until what a dead worker had claimed is claimed again.
LATE_SECONDS = 15.0
#: Seconds within which somebody comes to a point at which there is work.
POINT_PATIENCE = 20.0


@fault("worker", "kill -9 at three random moments", on=BOTH)
def kill_at_random(run: Run) -> None:
    """One of those that upload, each time."""
    for _ in range(3):
        time.sleep(run.chance.uniform(0.1, 0.8))
        with run.hit():
            run.stack.kill(run.uploader())


@fault("worker", "kill -9 of one that has claimed, and not sent")
def kill_late(run: Run) -> None:
    """Its leases are made long: what has its files claimed again in time is its silence alone."""
    until(lambda: len(claims_by_pid(run)[fullest(run)]) >= SOME, "somebody has claimed files")
    pid = fullest(run)
    victim = next(name for name in run.stack.uploaders if run.stack.pid(name) == pid)
    with run.hit():
        run.stack.kill(victim)
        killed_at = time.monotonic()
        held = claims_by_pid(run)[pid]
        lengthen(run, held)
    until(lambda: left(run, held)[0] == 0, "its files are put back", patience=POINT_PATIENCE)
    free_at = time.monotonic()
    until(lambda: left(run, held)[1] == 0, "its files are claimed again", patience=POINT_PATIENCE)
    seconds = time.monotonic() - killed_at
    run.notes.append(
        f"its {len(held)} files were put back after {free_at - killed_at:.1f} s, "
        f"and all claimed again after {seconds:.1f} s"
    )
    if seconds > LATE_SECONDS:
        run.problems.append(f"claimed again after {seconds:.0f} s")


def fullest(run: Run) -> int:
    """Which of those that upload has claimed the most; its process."""
    claims = claims_by_pid(run)
    return max(map(run.stack.pid, run.stack.uploaders), key=lambda pid: len(claims[pid]))


def claims_by_pid(run: Run) -> defaultdict[int, dict[int, int]]:
    """Tokens by asset, by the process that has them."""
    found: defaultdict[int, dict[int, int]] = defaultdict(dict)
    with run.stack.database.read() as connection:
        rows = select(Asset.id, Asset.token, Asset.worker).where(
            Asset.state == AssetState.UPLOADING, Asset.worker.is_not(None)
        )
        for asset_id, token, worker in connection.execute(rows):
            found[int(str(worker).split(":")[1])][asset_id] = token
    return found


def lengthen(run: Run, held: Mapping[int, int]) -> None:
    """Let no lease of these lapse while we look."""
    later = datetime.now(UTC) + timedelta(hours=1)
    with run.stack.database.write() as connection:
        connection.execute(update(Asset).where(Asset.id.in_(held)).values(lease_until=later))


def left(run: Run, held: Mapping[int, int]) -> tuple[int, int]:
    """How many of these are the dead worker's still, and how many nobody else has claimed yet."""
    with run.stack.database.read() as connection:
        rows = connection.execute(select(Asset.id, Asset.token, Asset.state).where(Asset.id.in_(held))).all()
    bound = [row for row in rows if row.token == held[row.id]]
    return len(bound), len(bound) + sum(row.state == AssetState.WAITING for row in rows if row not in bound)


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
        fresh = run.add_channel("fresh")
        with run.hit():
            control = run.control(f"at-{point}")
            run.third.begin([run.wave(f"{fresh.id}-third", run.files[:SOME], fresh)])
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
    """What is in flight is recorded, and all is over within the grace period."""
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
