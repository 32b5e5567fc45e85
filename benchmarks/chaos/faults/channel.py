"""Campaigns on several channels, one of which gets nowhere: the others do not wait for it."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.chaos.run import Problem, Run, fault
from benchmarks.chaos.services import until

#: The most seconds that the other channels may take, beyond those that the pace asks for.
OTHERS_SECONDS = 20.0


def others_come(run: Run) -> None:
    """Wait for all but the second channel's; fails where they take too long."""
    stuck = run.channels[1]
    began_at = time.monotonic()
    until(lambda: run.second.accepted == run.second.waves, "all is handed over")
    until(lambda: run.missing(run.accepted, but=[stuck]) == 0, "the other channels' files are ready")
    if run.missing(run.accepted) == 0:
        raise Problem("the channel that was to get nowhere has got on")
    seconds = time.monotonic() - began_at
    run.notes.append(f"the other channels were ready after {seconds:.1f} s meanwhile")
    if seconds > OTHERS_SECONDS:
        raise Problem(f"the other channels were ready after {seconds:.0f} s")


@fault("channel", "one of three has a key that is revoked", across=True)
def revoke(run: Run) -> None:
    """It is paused, and resumed with another key."""
    channel = run.channels[1]
    with run.hit():
        run.sandbox.faults({"revoke_key": channel.keys[-1]})
    others_come(run)
    channel.keys.append(f"{channel.keys[-1]}-2")
    run.stack.add_channel(channel.id, channel.keys[-1])


@fault("channel", "one of three throttled, and kill -9 of all at once", across=True)
def throttle(run: Run) -> None:
    """The others go on after that."""
    answer: dict[str, Any] = {"status": 429, "code": 130429, "message": "(#130429) Rate limit hit"}
    run.sandbox.faults({"on": "upload", "api_key": run.channels[1].keys[-1], "answer": answer})
    with run.hit():
        run.stack.kill(*run.stack.workers)
    others_come(run)


@fault("channel", "kill -9 at three random moments, of a campaign on three", across=True)
def kill(run: Run) -> None:
    """One of those that upload, or that inspects."""
    for name in (run.uploader(), run.stack.inspector, run.uploader()):
        time.sleep(run.chance.uniform(0.1, 0.8))
        with run.hit():
            run.stack.kill(name)
